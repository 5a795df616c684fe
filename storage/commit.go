package storage

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Commit makes records durable with all their index rows, in one synced batch.
// When it returns nil they survive any crash. After an error the store takes
// no more writes, but for a *WitnessError or where what was there before could not
// be read: then nothing was changed, and the records may be offered again.
func (s *Store) Commit(records []Record) error {
	return s.update(func() error { return s.commit(records, pebble.Sync) })
}

// commit is Commit with the lock held.
func (s *Store) commit(records []Record, how *pebble.WriteOptions) error {
	// First, for there is nothing to undo yet.
	newest, err := s.checkWitnesses(records)
	if err != nil {
		return fmt.Errorf("commit %d messages: %w", len(records), err)
	}
	b := s.db.NewBatch()
	defer b.Close()
	size := 0
	for i, r := range records {
		n, err := s.put(b, r, records[:i])
		if err != nil {
			// Names may have been numbered that are now never written.
			s.fail(err)
			return fmt.Errorf("commit %d messages: %w", len(records), err)
		}
		size += n
	}
	count := s.count.Load() + uint64(len(records))
	putNumber(b, "count", count)
	if err := s.write(b, how); err != nil {
		return fmt.Errorf("commit %d messages: %w", len(records), err)
	}
	s.count.Store(count)
	s.witness.Store(newest)
	s.metrics.commits.Inc()
	s.metrics.messages.Add(float64(len(records)))
	s.metrics.bytes.Add(float64(size))
	return nil
}

// put adds a record to b; before are those of the batch in front of it. Set on a
// batch fails only when the batch is closed.
func (s *Store) put(b *pebble.Batch, r Record, before []Record) (size int, err error) {
	id, raw := r.Message.ID(), r.Message.Bytes()
	s.touch(id)
	_ = b.Set(messageKey(id), appendRecord(make([]byte, 0, seenSize+len(raw)), r), nil)
	issuer := s.issuers.number(b, string(r.Message.Issuer[:]))
	_ = b.Set(indexKey(tableIssuer, issuer, id), nil, nil)
	if r.Own {
		if err := s.putPending(b, id); err != nil {
			return 0, err
		}
	}
	if r.Witness != nil {
		_ = b.Set(witnessKey(*r.Witness), id[:], nil)
	}
	if r.Message.Kind == message.KindWitness {
		return len(raw), putRound(b, r.Message)
	}
	if r.Message.Kind != message.KindData {
		return len(raw), nil
	}
	data, err := r.Message.Data()
	if err != nil {
		return 0, err
	}
	_ = b.Set(indexKey(tableTopic, s.topics.number(b, data.Topic), id), nil, nil)
	if !data.Replaces.IsZero() {
		err = s.putReplaced(b, issuer, data.Replaces, r, before)
	}
	return len(raw), err
}

// apply writes b and waits for the disk. Pebble reports a failed write-ahead
// log to its logger and returns nil, so that nil alone proves nothing.
func (s *Store) apply(b *pebble.Batch) error { return s.write(b, pebble.Sync) }

// write is apply that need not wait: without a sync, b is durable with the next one
// that is synced, and after a crash never without all that was written before it.
func (s *Store) write(b *pebble.Batch, how *pebble.WriteOptions) error {
	if err := s.db.Apply(b, how); err != nil {
		s.fail(err)
	}
	return s.Err()
}

func (s *Store) fail(err error) {
	if s.failed.CompareAndSwap(nil, &err) {
		close(s.broken)
	}
}
