package storage_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

func mustFill(t testing.TB, s *storage.Store, a storage.FilledAnchor) {
	t.Helper()
	if err := s.Fill(a); err != nil {
		t.Fatal(err)
	}
}

// Anchors of a gap are filled, in any order, until the store is as if it had been
// there all the time.
func TestFill(t *testing.T) {
	c := newChain(t, 8)
	for _, test := range []struct {
		had   int // anchors before the seed
		order []int
		gaps  []string // after each
	}{
		{0, []int{3, 1, 6, 5, 4, 2}, []string{"1-2 never 4-6 never ", "2-2 never 4-6 never ", "2-2 never 4-5 never ", "2-2 never 4-4 never ", "2-2 never ", ""}},
		{4, []int{6, 5}, []string{"5-5 never ", ""}},
	} {
		fs := vfs.NewMem()
		s := c[:test.had].store(t, fs)
		if err := s.Seed(t.Context(), c[:6].seed()); err != nil {
			t.Fatal(err)
		}
		// Some bodies are here before their anchor is filled.
		mustCommit(t, s, c[5].records[:2])
		c.tell(t, s, 7)
		for i, j := range test.order {
			if err := s.Fill(c.filled(j)); err != nil {
				t.Fatal(err)
			}
			if got := gapsOf(t, s); got != test.gaps[i] {
				t.Errorf("gaps %q, want %q", got, test.gaps[i])
			}
			c.verify(t, s)
			mustClose(t, s)
			s = mustOpen(t, fs, dir)
		}
		if s.CompleteFrom() != 1 {
			t.Errorf("complete from %d", s.CompleteFrom())
		}
		if err := s.Fill(c.filled(3)); !errors.Is(err, storage.ErrNoGap) {
			t.Errorf("filled again: %v, want ErrNoGap", err)
		}
		mustClose(t, s)
		// All rows are those of a store that was there all the time; numbers, what
		// never became final, own witnesses and what waits are its own.
		whole := vfs.NewMem()
		mustClose(t, c.store(t, whole))
		mine := func(rows map[string]string) map[string]string {
			out := map[string]string{}
			for k, v := range rows {
				if bytes.IndexByte([]byte("sfCqhbauxk"), k[0]) >= 0 {
					out[k] = v
				}
			}
			return out
		}
		sameRows(t, "filled", mine(dump(t, fs)), mine(dump(t, whole)))
	}
}

// What was pruned, or dropped with its topic, can be filled again.
func TestFillAfterPruning(t *testing.T) {
	c := newChain(t, 10)
	s := c.store(t, vfs.NewMem())
	defer mustClose(t, s)
	mustPrune(t, s, pruning(4))
	if _, err := s.DropTopic(t.Context(), "city/b", linkTime(8)); err != nil {
		t.Fatal(err)
	}
	if got := gapsOf(t, s); got != "1-6 pruned 7-7 topic " {
		t.Errorf("gaps %q", got)
	}
	for j := 1; j <= 7; j++ {
		mustFill(t, s, c.filled(j))
		c.verify(t, s)
	}
	if got := gapsOf(t, s); got != "" {
		t.Errorf("gaps %q", got)
	}
}

// What does not fit is refused, and nothing is changed.
func TestFillRefuses(t *testing.T) {
	c := newChain(t, 6)
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	if err := s.Seed(t.Context(), c.seed()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	before := dump(t, fs)
	s = mustOpen(t, fs, dir)
	for name, change := range map[string]func(*storage.FilledAnchor){
		"above":              func(a *storage.FilledAnchor) { a.Anchor = 7 },
		"zero":               func(a *storage.FilledAnchor) { a.Anchor = 0 },
		"another_commitment": func(a *storage.FilledAnchor) { a.Commitment = []byte("another") },
		"body_missing":       func(a *storage.FilledAnchor) { a.Records = a.Records[1:] },
		"body_of_another":    func(a *storage.FilledAnchor) { a.Records[0] = c[0].records[0] },
		"body_more":          func(a *storage.FilledAnchor) { a.Records = append(a.Records, c[0].records[0]) },
		"body_twice":         func(a *storage.FilledAnchor) { a.Records = append(a.Records, a.Records[0]) },
		"not_in_order":       func(a *storage.FilledAnchor) { slices.Reverse(a.Included) },
		"history_beyond":     func(a *storage.FilledAnchor) { a.History = []storage.AccountEntry{{Index: 99}} },
		"transfer_beyond":    func(a *storage.FilledAnchor) { a.Transfers = []storage.FinalTransfer{{Index: 99}} },
	} {
		a := c.filled(5)
		a.Included, a.Records = slices.Clone(a.Included), slices.Clone(a.Records)
		change(&a)
		if err := s.Fill(a); err == nil || s.Err() != nil {
			t.Errorf("%s: %v, the store: %v", name, err, s.Err())
		}
	}
	mustClose(t, s)
	sameRows(t, "after refusals", dump(t, fs), before)
}

// A fate that came later stays, and so does that a transfer was applied.
func TestFillTransfers(t *testing.T) {
	id := message.TransferID{1}
	for name, test := range map[string]struct {
		filled uint8 // outcome in anchor 1, which is filled
		later  uint8 // outcome in anchor 3, zero for none
		want   uint64
	}{
		"alone":         {insufficient, 0, 1},
		"later":         {insufficient, duplicate, 3},
		"applied":       {applied, duplicate, 1},
		"later_applied": {insufficient, applied, 3},
	} {
		s := openFor(t, vfs.NewMem(), dir)
		seed := storage.Seed{Anchor: 2, Anchors: each([]storage.SeedAnchor{{Anchor: 2}}), Accounts: each[storage.Account](nil), Unexpired: each[storage.AppliedTransfer](nil)}
		if err := s.Seed(t.Context(), seed); err != nil {
			t.Fatal(err)
		}
		fate := func(r storage.Record, outcome uint8) ([]storage.FinalMessage, []storage.FinalTransfer) {
			return []storage.FinalMessage{{ID: r.Message.ID(), Outcome: outcome}}, []storage.FinalTransfer{{TransferID: id, Outcome: outcome}}
		}
		carrier := newTransfer(t, 1_000, 1)
		if test.later != 0 {
			f := storage.Finality{Anchor: 3}
			f.Included, f.Transfers = fate(newTransfer(t, 3_000, 2), test.later)
			if err := s.Finalise(f); err != nil {
				t.Fatal(err)
			}
		}
		a := storage.FilledAnchor{Anchor: 1, Records: []storage.Record{carrier}}
		a.Included, a.Transfers = fate(carrier, test.filled)
		mustFill(t, s, a)
		if p, ok, err := s.Transfer(id); p.Anchor != test.want || !ok || err != nil {
			t.Errorf("%s: %+v, %v, %v; want anchor %d", name, p, ok, err, test.want)
		}
	}
}
