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
	b := s.db.NewBatchWithSize(batchSize(records))
	defer b.Close()
	size, err := s.put(b, records)
	if err != nil {
		return fmt.Errorf("commit %d messages: %w", len(records), err)
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

// put adds records to b and returns the size of their messages, in bytes. After an
// error the store takes no more: names may have been numbered that are now never
// written. Set on a batch fails only when the batch is closed.
//
// It goes table by table: a memtable finds the place of a key from that of the key
// before, and those of one record are far apart.
func (s *Store) put(b *pebble.Batch, records []Record) (size int, err error) {
	for _, r := range records {
		id, raw := r.Message.ID(), r.Message.Bytes()
		s.touch(id)
		_ = b.Set(messageKey(id), appendRecord(make([]byte, 0, seenSize+len(raw)), r), nil)
		size += len(raw)
	}
	for _, r := range records {
		_ = b.Set(indexKey(tableIssuer, s.issuers.number(b, string(r.Message.Issuer[:])), r.Message.ID()), nil, nil)
	}
	if err = s.putPending(b, records); err == nil {
		err = s.putContents(b, records)
	}
	if err != nil {
		s.fail(err)
	}
	return size, err
}

// putContents adds the rows that depend on what the messages carry.
func (s *Store) putContents(b *pebble.Batch, records []Record) error {
	for _, r := range records {
		if r.Witness != nil {
			id := r.Message.ID()
			_ = b.Set(witnessKey(*r.Witness), id[:], nil)
		}
		var err error
		switch r.Message.Kind {
		case message.KindData:
			err = s.putData(b, r, records)
		case message.KindWitness:
			err = putRound(b, r.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// putData adds the rows of a reading; batch are the records that it is one of.
func (s *Store) putData(b *pebble.Batch, r Record, batch []Record) error {
	data, err := r.Message.Data()
	if err != nil {
		return err
	}
	_ = b.Set(indexKey(tableTopic, s.topics.number(b, data.Topic), r.Message.ID()), nil, nil)
	if data.Replaces.IsZero() {
		return nil
	}
	return s.putReplaced(b, data.Replaces, r, batch)
}

// batchSize is about how many bytes the batch of some records will have, so that it
// need not grow.
func batchSize(records []Record) int {
	const rows = 4 * 64 // in the tables of messages, issuers, pending and topics
	size := 4096
	for _, r := range records {
		size += rows + len(r.Message.Bytes())
	}
	return size
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
