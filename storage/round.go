package storage

import (
	"context"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// putRound adds a witness to the table of rounds.
func putRound(b *pebble.Batch, m *message.Message) error {
	w, err := m.Witness()
	if err != nil {
		return err
	}
	_ = b.Set(roundKey(w.Epoch, w.Round, m.ID()), nil, nil)
	return nil
}

// Witnesses reads the IDs of all stored witnesses of an epoch, from a round on,
// ascending by round and within it by ID.
func (s *Store) Witnesses(ctx context.Context, epoch uint32, round uint64) iter.Seq2[message.ID, error] {
	in := table(tableRound, roundKeySize)
	in.lower = roundKey(epoch, round, message.ID{})
	in.upper = roundKey(epoch+1, 0, message.ID{})
	return until(ctx, read(s, in, decodeKeyID))
}

// Back returns the ID of the n-th newest message, the oldest that a reader of the
// newest n would see; false where fewer are stored.
func (s *Store) Back(n int) (message.ID, bool, error) {
	in := table(tableMessage, idKeySize)
	in.descending = true
	for id, err := range read(s, in, decodeKeyID) {
		if n--; n <= 0 || err != nil {
			return id, err == nil, err
		}
	}
	return message.ID{}, false, nil
}
