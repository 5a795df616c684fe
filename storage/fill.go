package storage

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// FilledAnchor is all of one anchor of a gap.
type FilledAnchor struct {
	Anchor     uint64
	Commitment []byte // as in Finality; where one is stored, this is the same
	Signatures []byte // a set over the commitment; none if empty
	// Included are the messages of the anchor, ascending by ID, and Records their
	// bodies, all of them, in any order.
	Included []FinalMessage
	Records  []Record
	// Nodes, History and Transfers are as in Finality. A later fate of a transfer,
	// and that it was applied, stay.
	Nodes     []Node
	History   []AccountEntry
	Transfers []FinalTransfer
}

// Fill makes one anchor of a gap complete, in one synced batch. Messages that
// are stored already are not counted twice, and nothing becomes pending. What
// does not fit is refused, with an error that changes nothing: ErrNoGap where the
// anchor is in no gap, ErrSeeding during a seed. A path of the anchor through the
// tree may need nodes of anchors beside it that are not filled yet.
func (s *Store) Fill(a FilledAnchor) error {
	return s.update(func() error {
		if err := s.fill(&a); err != nil {
			return fmt.Errorf("fill anchor %d: %w", a.Anchor, err)
		}
		return nil
	})
}

func (s *Store) fill(a *FilledAnchor) error {
	f := &Finality{Anchor: a.Anchor, Commitment: a.Commitment, Included: a.Included, Nodes: a.Nodes, History: a.History, Transfers: a.Transfers}
	if err := s.checkFilled(a, f); err != nil {
		return err
	}
	b := s.db.NewBatchWithSize(f.size())
	defer b.Close()
	// A list cut short by damage must not show through.
	_ = b.DeleteRange(orderKey(f.Anchor, 0), orderKey(f.Anchor+1, 0), nil)
	f.putIncluded(b)
	f.putCommitment(b)
	f.putAccounts(b)
	if len(a.Signatures) > 0 {
		_ = b.Set(anchorKey(tableSignatures, f.Anchor), a.Signatures, nil)
	}
	if err := s.fillTransfers(b, f); err != nil {
		return err
	}
	if err := s.deletePending(b, f.Included); err != nil {
		return err
	}
	added, err := s.fillRecords(b, a.Records)
	if err != nil {
		return err
	}
	return s.applyGaps(b, cutGap(*s.gaps.Load(), f.Anchor), s.count.Load()+added)
}

// checkFilled checks what would show only to a reader.
func (s *Store) checkFilled(a *FilledAnchor, f *Finality) error {
	if _, ok := gapAt(*s.gaps.Load(), a.Anchor); !ok {
		return ErrNoGap
	}
	if err := errors.Join(ascending(a.Included), f.validateEntries()); err != nil {
		return err
	}
	has, ok, err := find(s.db, anchorKey(tableCommitment, a.Anchor), decodeBytes)
	if err != nil {
		return err
	}
	if ok && !bytes.Equal(has, a.Commitment) {
		return errors.New("another commitment is stored")
	}
	bodies := make(map[message.ID]bool, len(a.Records))
	for _, r := range a.Records {
		if err := checkPayload(r.Message); err != nil {
			return err
		}
		bodies[r.Message.ID()] = true
	}
	for _, m := range a.Included {
		if !bodies[m.ID] {
			return fmt.Errorf("the body of %v is not given", m.ID)
		}
	}
	if len(a.Records) != len(a.Included) {
		return fmt.Errorf("%d bodies for %d messages", len(a.Records), len(a.Included))
	}
	return nil
}

// checkPayload decodes what put will decode, while it can still be refused.
func checkPayload(m *message.Message) (err error) {
	switch m.Kind {
	case message.KindData:
		_, err = m.Data()
	case message.KindWitness:
		_, err = m.Witness()
	}
	return err
}

// fillRecords adds the records that are not stored, or are damaged, to b, and
// tells how many there were none of.
func (s *Store) fillRecords(b *pebble.Batch, records []Record) (added uint64, err error) {
	var lacking []Record
	for _, r := range records {
		state, err := s.bodyState(r.Message.ID())
		if err != nil {
			return 0, err
		}
		if state == bodyMissing {
			added++
		}
		if state == bodyWhole {
			s.touch(r.Message.ID())
			continue
		}
		// It is final, so it waits for nothing; and what a seat wrote in an
		// earlier life is not what it remembers.
		r.Own, r.Witness = false, nil
		lacking = append(lacking, r)
	}
	_, err = s.put(b, lacking)
	return added, err
}

type bodyState int

const (
	bodyMissing bodyState = iota
	bodyDamaged           // there is a row
	bodyWhole
)

// bodyState tells what is stored of a message.
func (s *Store) bodyState(id message.ID) (bodyState, error) {
	_, ok, err := find(s.db, messageKey(id), decodeRecord)
	var damage *CorruptionError
	switch {
	case errors.As(err, &damage):
		return bodyDamaged, nil
	case err != nil || !ok:
		return bodyMissing, err
	}
	return bodyWhole, nil
}

// fillTransfers is putTransfers for an anchor in the past: what later anchors
// wrote stays.
func (s *Store) fillTransfers(b *pebble.Batch, f *Finality) error {
	fates := make(map[message.TransferID]FinalTransfer, len(f.Transfers))
	for _, t := range f.Transfers {
		last, ok := fates[t.TransferID]
		if !ok || t.Outcome == outcomeApplied || last.Outcome != outcomeApplied && last.Index < t.Index {
			fates[t.TransferID] = t
		}
	}
	for _, t := range fates {
		has, ok, err := find(s.db, transferKey(t.TransferID), decodeTransfer)
		if err != nil {
			return err
		}
		later := has.Outcome == outcomeApplied || has.Anchor > f.Anchor
		if !ok || t.Outcome == outcomeApplied || !later {
			f.putTransfer(b, t)
		}
	}
	return nil
}

// applyGaps writes b with other gaps and another count, and then goes by them.
// The caller holds writing.
func (s *Store) applyGaps(b *pebble.Batch, gaps []Gap, count uint64) error {
	putGaps(b, *s.gaps.Load(), gaps)
	putNumber(b, "count", count)
	if err := s.apply(b); err != nil {
		return err
	}
	s.gaps.Store(&gaps)
	s.count.Store(count)
	return nil
}
