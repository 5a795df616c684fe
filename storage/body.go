package storage

import (
	"errors"
	"fmt"

	"tangled/message"
)

// Restore writes the body of a final message anew, and the index rows that lead
// to it, where it is missing or cannot be read; where it is whole nothing is
// done. A message that is not final here is refused.
//
// The new row hides the old one from whoever asks for it by its ID. It does not
// mend the disk: where the block of a table is damaged, sequences that read
// through the block, and the compaction that will, still fail; that takes a backup
// or a new store. Nor does it end a gap: only Fill does.
func (s *Store) Restore(r Record) error {
	return s.update(func() error {
		if err := s.restore(r); err != nil {
			return fmt.Errorf("restore %v: %w", r.Message.ID(), err)
		}
		return nil
	})
}

func (s *Store) restore(r Record) error {
	id := r.Message.ID()
	final, ok, err := find(s.db, idKey(tableFinal, id), decodeFinal)
	if err != nil {
		return err
	}
	if !ok || !s.believed(final.Anchor) {
		return errors.New("the message is not final here")
	}
	if err := checkPayload(r.Message); err != nil {
		return err
	}
	state, err := s.bodyState(id)
	if err != nil || state == bodyWhole {
		return err
	}
	b := s.db.NewBatch()
	defer b.Close()
	r.Own, r.Witness = false, nil
	if _, err := s.put(b, []Record{r}); err != nil {
		return err
	}
	count := s.count.Load()
	// Outside a gap it never left by our doing, and is counted still.
	if _, gap := gapAt(*s.gaps.Load(), final.Anchor); gap && state == bodyMissing {
		count++
	}
	return s.applyGaps(b, *s.gaps.Load(), count)
}

// HeldProof is the proof that Prune was given with a message held back. The caller
// owns it. The error is ErrNotFound, a *CorruptionError, or that the store is
// closed.
func (s *Store) HeldProof(id message.ID) ([]byte, error) {
	proof, ok, err := lookup(s, idKey(tableHeld, id), decodeBytes)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return proof, err
}
