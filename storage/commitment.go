package storage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Node is a complete node of the tree of commitments.
type Node struct {
	Level uint8  // zero for leaves
	Index uint64 // from the left, from zero
	Hash  [32]byte
}

func (f *Finality) putCommitment(b *pebble.Batch) {
	_ = b.Set(anchorKey(tableCommitment, f.Anchor), f.Commitment, nil)
	for _, n := range f.Nodes {
		_ = b.Set(nodeKey(n.Level, n.Index), n.Hash[:], nil)
	}
}

// LastAnchor is the last anchor finalised, zero while there is none.
func (s *Store) LastAnchor() uint64 { return s.anchor.Load() }

// State is what the last Finality gave as such; false while there is none. The
// caller must not change it.
func (s *Store) State() ([]byte, bool) {
	state := s.state.Load()
	if state == nil {
		return nil, false
	}
	return *state, true
}

// loadAnchor finds the last anchor and the state it left.
func (s *Store) loadAnchor() error {
	last, err := s.number("anchor")
	if err != nil {
		return err
	}
	state, err := s.meta("state")
	switch {
	case err != nil:
		return err
	case last == 0 && state != nil:
		return &CorruptionError{tableMeta, []byte("anchor"), errors.New("a state, and no anchor that left it")}
	case last == 0:
		return nil
	case state == nil:
		return &CorruptionError{tableMeta, []byte("state"), fmt.Errorf("no state after anchor %d", last)}
	}
	s.anchor.Store(last)
	s.state.Store(&state)
	return nil
}

// believed tells whether what is stored of an anchor counts: a seed that is under
// way, or was cut short, leaves rows above the last anchor.
func (s *Store) believed(anchor uint64) bool { return anchor <= s.anchor.Load() }

func decodeAnchor(key, _ []byte) (uint64, error) {
	anchor := binary.BigEndian.Uint64(key[1:])
	if anchor == 0 {
		return 0, errors.New("anchor zero")
	}
	return anchor, nil
}

// Commitment is the preimage of an anchor's commitment. The caller owns it. The
// error is ErrNotFound, a *CorruptionError, or that the store is closed.
func (s *Store) Commitment(anchor uint64) ([]byte, error) {
	b, ok, err := lookup(s, anchorKey(tableCommitment, anchor), decodeBytes)
	if err == nil && (!ok || !s.believed(anchor)) {
		return nil, ErrNotFound
	}
	return b, err
}

// SetSignatures keeps a set of signatures over an anchor's commitment, in place
// of one that was there. It is not synced: the signatures come out of witnesses,
// which are durable, and later sets prove earlier anchors too, so what a crash
// takes is collected again. The anchor must not be after the last one.
func (s *Store) SetSignatures(anchor uint64, set []byte) error {
	return s.update(func() error {
		if last := s.anchor.Load(); anchor == 0 || anchor > last {
			return fmt.Errorf("signatures of anchor %d: the last one is %d", anchor, last)
		}
		return s.putSignatures(anchor, set)
	})
}

// putSignatures is SetSignatures with the lock held, of an anchor that is there or
// comes at once.
func (s *Store) putSignatures(anchor uint64, set []byte) error {
	if err := s.db.Set(anchorKey(tableSignatures, anchor), set, pebble.NoSync); err != nil {
		s.fail(err)
	}
	return s.Err()
}

// signatures is a row of the table.
type signatures struct {
	anchor uint64
	set    []byte
}

// Signatures is the first set of signatures at an anchor or after it: whatever
// it proves, it proves for that anchor. The caller owns the set. The error is
// ErrNotFound, a *CorruptionError, or that the store is closed.
func (s *Store) Signatures(from uint64) (anchor uint64, set []byte, err error) {
	in := table(tableSignatures, anchorKeySize)
	in.lower = anchorKey(tableSignatures, from)
	found, ok, err := first(read(s, in, func(key, value []byte) (signatures, error) {
		set, err := decodeBytes(key, value)
		return signatures{binary.BigEndian.Uint64(key[1:]), set}, err
	}))
	if err == nil && (!ok || !s.believed(found.anchor)) {
		return 0, nil, ErrNotFound
	}
	return found.anchor, found.set, err
}

// Node is the hash of a complete node of the tree of commitments. The error is
// ErrNotFound, a *CorruptionError, or that the store is closed.
func (s *Store) Node(level uint8, index uint64) ([32]byte, error) {
	hash, ok, err := lookup(s, nodeKey(level, index), decodeHash)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return hash, err
}

func decodeHash(_, value []byte) ([32]byte, error) {
	if err := wantSize(value, 32); err != nil {
		return [32]byte{}, err
	}
	return [32]byte(value), nil
}
