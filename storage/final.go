package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

const (
	finalSize        = 8 + 4 + 1
	finalMessageSize = message.IDSize + 1
)

// Final tells where a message became final.
type Final struct {
	Anchor  uint64 // from 1
	Index   uint32 // in the order of the anchor's messages
	Outcome uint8
}

// Position is a place in the order of all final messages, which is the same on
// every node: Anchor and Index are the cursor of that history.
type Position struct {
	Anchor  uint64
	Index   uint32
	ID      message.ID
	Outcome uint8
}

// FinalMessage is a message that becomes final.
type FinalMessage struct {
	ID      message.ID
	Outcome uint8
}

// Final tells where id became final; false while it is not.
func (s *Store) Final(id message.ID) (Final, bool, error) {
	f, ok, err := lookup(s, idKey(tableFinal, id), decodeFinal)
	if err != nil || !ok || !s.believed(f.Anchor) {
		return Final{}, false, err
	}
	return f, true, nil
}

// Order reads the final messages in their order from a position on, as they were
// when it began. An error ends the sequence; the store cannot be closed before
// it ends.
func (s *Store) Order(ctx context.Context, anchor uint64, index uint32) iter.Seq2[Position, error] {
	return func(yield func(Position, error) bool) {
		in := table(tableOrder, orderKeySize)
		in.lower, in.upper = orderKey(anchor, index), orderKey(s.anchor.Load()+1, 0)
		if bytes.Compare(in.lower, in.upper) >= 0 {
			in.upper = in.lower
		}
		until(ctx, read(s, in, decodePosition))(yield)
	}
}

// putIncluded writes the order, both ways.
func (f *Finality) putIncluded(b *pebble.Batch) {
	for i, m := range f.Included {
		value := Final{f.Anchor, uint32(i), m.Outcome}.append(make([]byte, 0, finalSize))
		_ = b.Set(idKey(tableFinal, m.ID), value, nil)
	}
	for i, m := range f.Included {
		_ = b.Set(orderKey(f.Anchor, uint32(i)), m.append(make([]byte, 0, finalMessageSize)), nil)
	}
}

func (f Final) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, f.Anchor)
	b = binary.BigEndian.AppendUint32(b, f.Index)
	return append(b, f.Outcome)
}

func (m FinalMessage) append(b []byte) []byte { return append(append(b, m.ID[:]...), m.Outcome) }

// decodeFinal reads the value of a message's row.
func decodeFinal(_, value []byte) (Final, error) {
	if err := wantSize(value, finalSize); err != nil {
		return Final{}, err
	}
	return Final{
		Anchor:  binary.BigEndian.Uint64(value),
		Index:   binary.BigEndian.Uint32(value[8:]),
		Outcome: value[12],
	}, nil
}

// decodePosition reads a row whose key ends with a position, of the order or of
// an account's history.
func decodePosition(key, value []byte) (Position, error) {
	if err := wantSize(value, finalMessageSize); err != nil {
		return Position{}, err
	}
	at := key[len(key)-12:]
	return Position{
		Anchor:  binary.BigEndian.Uint64(at),
		Index:   binary.BigEndian.Uint32(at[8:]),
		ID:      message.ID(value[:message.IDSize]),
		Outcome: value[message.IDSize],
	}, nil
}
