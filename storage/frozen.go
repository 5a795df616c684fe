package storage

import (
	"bytes"
	"iter"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Frozen is the store as it was after one anchor, while the store goes on. Its
// methods may be called from many goroutines.
type Frozen struct {
	store *Store
	snap  *pebble.Snapshot
	state []byte
	once  sync.Once
}

// Freeze keeps the store as it is now; it is for the goroutine that calls
// Finalise, and costs next to nothing. Close must follow: meanwhile the store
// cannot be closed, and what it deletes takes up room.
func (s *Store) Freeze() (*Frozen, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	state, _ := s.State()
	return &Frozen{store: s, snap: s.db.NewSnapshot(), state: bytes.Clone(state)}, nil
}

// Close lets go of the moment. It may be called twice.
func (f *Frozen) Close() {
	f.once.Do(func() {
		_ = f.snap.Close() // always nil
		f.store.readers.Done()
	})
}

// State is what the last Finality gave as such; nil while there is none.
func (f *Frozen) State() []byte { return f.state }

// Commitment is the preimage of an anchor's commitment; ErrNotFound.
func (f *Frozen) Commitment(anchor uint64) ([]byte, error) {
	b, ok, err := find(f.snap, anchorKey(tableCommitment, anchor), decodeBytes)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return b, err
}

// Included are the messages of an anchor, in their order. The caller owns the
// slice.
func (f *Frozen) Included(anchor uint64) ([]FinalMessage, error) {
	return included(f.snap, anchor)
}

// Accounts reads all accounts, ascending by address.
func (f *Frozen) Accounts() iter.Seq2[Account, error] {
	return rows(f.snap, table(tableAccount, accountKeySize), decodeAccount)
}

// Unexpired reads the applied transfers that have not expired, ascending by
// expiry and then by ID.
func (f *Frozen) Unexpired() iter.Seq2[AppliedTransfer, error] {
	return rows(f.snap, table(tableUnexpired, unexpiredKeySize), decodeUnexpired)
}

// Included are the messages of an anchor, in their order. The caller owns the
// slice.
func (s *Store) Included(anchor uint64) ([]FinalMessage, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.readers.Done()
	return included(s.db, anchor)
}

func included(from pebble.Reader, anchor uint64) (messages []FinalMessage, err error) {
	in := table(tableOrder, orderKeySize)
	in.lower, in.upper = orderKey(anchor, 0), orderKey(anchor+1, 0)
	for p, err := range rows(from, in, decodePosition) {
		if err != nil {
			return nil, err
		}
		messages = append(messages, FinalMessage{p.ID, p.Outcome})
	}
	return messages, nil
}
