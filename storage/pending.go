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
	return read(s, in, func(key, _ []byte) (message.ID, error) {
		id, _ := idOf(key)
		return id, nil
	})
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
			_ = b.Delete(key, nil)
		}
	}
	return nil
}
