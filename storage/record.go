package storage

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Record is a stored message.
type Record struct {
	Message *message.Message
	// Seen is when this node took the message in, in nanoseconds since the
	// Unix epoch.
	Seen uint64

	// Own is for Commit: a message of this node's, pending until it is final.
	Own bool
	// Witness, if not nil, is for Commit: the message is this node's witness of
	// that round.
	Witness *OwnWitness

	// Final is where the message became final: for reads that ask for it, nil
	// while it is not.
	Final *Final
}

// Has tells whether id is stored. Unlike Pebble's Get it asks the bloom
// filters of the last level too, so that an unknown ID costs no read.
func (s *Store) Has(id message.ID) bool {
	if s.enter() != nil {
		return false
	}
	defer s.readers.Done()
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound:   []byte{tableMessage},
		UpperBound:   []byte{tableMessage + 1},
		UseL6Filters: true,
	})
	if err != nil {
		return false
	}
	found := it.SeekPrefixGE(messageKey(id))
	return it.Close() == nil && found
}

// Get reads one message. The error is ErrNotFound, a *CorruptionError, or that
// the store is closed.
func (s *Store) Get(id message.ID) (Record, error) {
	r, ok, err := lookup(s, messageKey(id), decodeRecord)
	if err == nil && !ok {
		err = ErrNotFound
	}
	return r, err
}

// seenSize is what comes before the message in a row.
const seenSize = 8

func appendRecord(b []byte, r Record) []byte {
	return append(binary.BigEndian.AppendUint64(b, r.Seen), r.Message.Bytes()...)
}

// decodeRecord reads a row of the message table and checks that the message is
// the one its key names. The record does not share memory with value.
func decodeRecord(key, value []byte) (Record, error) {
	if len(value) < seenSize {
		return Record{}, fmt.Errorf("value of %d bytes", len(value))
	}
	m, err := message.Decode(value[seenSize:])
	if err != nil {
		return Record{}, err
	}
	if m.ID() != message.ID(key[1:]) {
		return Record{}, fmt.Errorf("holds message %v", m.ID())
	}
	return Record{Message: m, Seen: binary.BigEndian.Uint64(value)}, nil
}

// Newest is the greatest stored ID; false in an empty store.
func (s *Store) Newest() (message.ID, bool, error) {
	in := table(tableMessage, idKeySize)
	in.descending = true
	r, ok, err := first(read(s, in, decodeRecord))
	if !ok {
		return message.ID{}, false, err
	}
	return r.Message.ID(), true, nil
}
