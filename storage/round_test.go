package storage_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// Witnesses come by rounds, and within a round by ID; other messages do not.
func TestWitnesses(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	var rounds [6][]message.ID
	at := uint64(9_000) // later rounds are not of later messages
	for round := uint64(1); round <= 5; round++ {
		for range round % 3 {
			at -= 10
			w := message.Witness{Round: round}
			if round > 1 {
				w.Refs = []message.Ref{{ID: message.NewID(1, [32]byte{})}}
			}
			r := sign(t, byte(at/10%3), at, message.KindWitness, w.Append(nil))
			rounds[round] = append(rounds[round], r.Message.ID())
			mustCommit(t, s, []storage.Record{r, newRecord(t, 1, at+1, "data", nil), newTransfer(t, at+2, round)})
		}
	}
	other := message.Witness{Epoch: 1, Round: 1}
	another := sign(t, 1, 7_000, message.KindWitness, other.Append(nil))
	mustCommit(t, s, []storage.Record{another})
	for range 2 {
		for from := range uint64(7) {
			var want []message.ID
			for _, ids := range rounds[min(from, 6):] {
				want = append(want, slices.SortedFunc(slices.Values(ids), message.ID.Compare)...)
			}
			same(t, "witnesses", all(t, s.Witnesses(t.Context(), 0, from)), want)
		}
		same(t, "witnesses of epoch 1", all(t, s.Witnesses(t.Context(), 1, 0)), []message.ID{another.Message.ID()})
		same(t, "witnesses of epoch 2", all(t, s.Witnesses(t.Context(), 2, 0)), nil)
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := lastError(s.Witnesses(ctx, 0, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("witnesses: %v", err)
	}
	mustClose(t, s)
	if err := lastError(s.Witnesses(t.Context(), 0, 0)); err == nil {
		t.Error("witnesses of a closed store")
	}
}

func TestBack(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), dir)
	if id, ok, err := s.Back(1); ok || err != nil {
		t.Errorf("back 1 in an empty store: %v, %v", id, err)
	}
	m := model(newBatches(t, 1, 5)[0])
	mustCommit(t, s, m)
	newest := m.query(storage.Query{Descending: true})
	for n := 1; n <= 5; n++ {
		if id, ok, err := s.Back(n); id != newest[n-1].Message.ID() || !ok || err != nil {
			t.Errorf("back %d: %v, %v, %v", n, id, ok, err)
		}
	}
	if id, ok, err := s.Back(6); ok || err != nil {
		t.Errorf("back 6 of 5: %v, %v", id, err)
	}
	mustClose(t, s)
	if _, ok, err := s.Back(1); ok || err == nil {
		t.Errorf("back in a closed store: %v, %v", ok, err)
	}
}
