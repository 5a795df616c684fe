package storage

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Finality is all that one anchor fixes.
type Finality struct {
	Anchor     uint64 // from 1 without a gap
	Commitment []byte // the preimage of its commitment, opaque here
	// Included are the messages that become final, ascending by ID: the index
	// in it is their index in the anchor.
	Included []FinalMessage
	// Nodes are those that became complete in the tree of commitments.
	Nodes []Node
	// Accounts are those that changed, as they are now.
	Accounts []Account
	// History adds messages to the histories of accounts.
	History []AccountEntry
	// Applied are the transfers applied, Expired those applied earlier that
	// need not be remembered any more.
	Applied, Expired []AppliedTransfer
	// Transfers are all transfers carried, with what became of them.
	Transfers []FinalTransfer
	// State is what the node needs to go on from this anchor, opaque here.
	State []byte
}

// Finalise makes durable what an anchor fixes, in one synced batch: it is there
// whole after any crash or not at all. The anchor is the one after LastAnchor.
// What does not fit together is refused, and so is everything while what is
// there cannot be read, with an error that changes nothing; after a failed write
// the store takes no more.
func (s *Store) Finalise(f Finality) error {
	return s.update(func() error { return s.finalise(&f, pebble.Sync) })
}

// finalise is Finalise with the lock held.
func (s *Store) finalise(f *Finality, how *pebble.WriteOptions) error {
	if err := s.putFinality(f, how); err != nil {
		return fmt.Errorf("finalise anchor %d: %w", f.Anchor, err)
	}
	s.metrics.anchors.Inc()
	s.metrics.final.Add(float64(len(f.Included)))
	return nil
}

func (s *Store) putFinality(f *Finality, how *pebble.WriteOptions) error {
	if err := f.validate(s.anchor.Load()); err != nil {
		return err
	}
	if len(f.Included) > 0 {
		s.touch(f.Included[0].ID) // the least
	}
	b := s.db.NewBatchWithSize(f.size())
	defer b.Close()
	// Table by table: Pebble is quicker with keys that are in order.
	f.putIncluded(b)
	f.putCommitment(b)
	f.putAccounts(b)
	if err := s.putTransfers(b, f); err != nil {
		return err
	}
	if err := s.deletePending(b, f.Included); err != nil {
		return err
	}
	// What is given stays the caller's to change.
	state := append([]byte{}, f.State...)
	_ = b.Set(metaKey("state"), state, nil)
	putNumber(b, "anchor", f.Anchor)
	if err := s.write(b, how); err != nil {
		return err
	}
	s.anchor.Store(f.Anchor)
	s.state.Store(&state)
	return nil
}

// validate checks what would otherwise show only to a reader, long after.
func (f *Finality) validate(last uint64) error {
	if f.Anchor != last+1 {
		return fmt.Errorf("anchor %d was the last", last)
	}
	if err := ascending(f.Included); err != nil {
		return err
	}
	return f.validateEntries()
}

// ascending checks the order of what an anchor included.
func ascending(included []FinalMessage) error {
	for i := 1; i < len(included); i++ {
		if included[i-1].ID.Compare(included[i].ID) >= 0 {
			return fmt.Errorf("included message %d is not after the one before", i)
		}
	}
	return nil
}

// validateEntries checks what refers to Included by an index.
func (f *Finality) validateEntries() error {
	for _, h := range f.History {
		if uint64(h.Index) >= uint64(len(f.Included)) {
			return fmt.Errorf("history of %v: message %d of %d", h.Address, h.Index, len(f.Included))
		}
	}
	for _, t := range f.Transfers {
		if uint64(t.Index) >= uint64(len(f.Included)) {
			return fmt.Errorf("transfer %v: message %d of %d", t.TransferID, t.Index, len(f.Included))
		}
		if has := f.Included[t.Index].Outcome; has != t.Outcome {
			return fmt.Errorf("transfer %v: outcome %d in a message with outcome %d", t.TransferID, t.Outcome, has)
		}
	}
	return nil
}

// size is about how many bytes the batch will have, so that it need not grow.
func (f *Finality) size() int {
	const row, history, transfer, account = 120, 105, 105, 120
	return 4096 + len(f.Commitment) + len(f.State) + row*len(f.Included) + history*len(f.History) +
		transfer*len(f.Transfers) + account*len(f.Accounts) + 64*(len(f.Applied)+len(f.Expired)+len(f.Nodes))
}
