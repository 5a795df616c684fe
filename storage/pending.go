package storage

import (
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Pending are the IDs of own messages that are not final, the oldest first,
// with from <= timestamp < to, in nanoseconds since the Unix epoch. A message
// that an own one replaced is not among them.
func (s *Store) Pending(from, to uint64) iter.Seq2[message.ID, error] {
	in := span{lower: idKey(tablePending, floor(from)), upper: idKey(tablePending, floor(to)), keySize: idKeySize}
	return read(s, in, decodeKeyID)
}

// putPending makes own messages wait to be final.
func (s *Store) putPending(b *pebble.Batch, records []Record) error {
	for _, r := range records {
		if !r.Own {
			continue
		}
		id := r.Message.ID()
		// In a store that lacks messages it may be final already, by the list of an
		// anchor.
		if len(*s.gaps.Load()) > 0 {
			_, final, err := find(s.db, idKey(tableFinal, id), decodeFinal)
			if err != nil {
				return err
			}
			if final {
				continue
			}
		}
		_ = b.Set(idKey(tablePending, id), nil, nil)
	}
	return nil
}

// deletePending ends the waiting of own messages that became final. Most
// included messages are others': looking costs less than a deletion each.
func (s *Store) deletePending(b *pebble.Batch, included []FinalMessage) error {
	pending := newFollower(s.db, tablePending, false)
	defer pending.close()
	for _, m := range included {
		key := idKey(tablePending, m.ID)
		own, err := pending.find(key)
		if err != nil {
			return err
		}
		if own {
			// It was set once: the two cancel out in the first flush, and no
			// tombstone goes down the levels.
			_ = b.SingleDelete(key, nil)
		}
	}
	return nil
}
