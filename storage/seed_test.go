package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// A new store, and one that was away too long, begin at an anchor, are opened
// again and go on.
func TestSeed(t *testing.T) {
	c := newChain(t, 12)
	for _, had := range []int{0, 1, 4, 7} { // of 8
		fs := vfs.NewMem()
		s := c[:had].store(t, fs)
		if err := s.Seed(t.Context(), c[:8].seed()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, want := gapsOf(t, s), fmt.Sprintf("%d-8 never ", had+1); got != want {
				t.Errorf("gaps %q, want %q", got, want)
			}
			if s.LastAnchor() != 8 || s.CompleteFrom() != 9 || s.ListsFrom() != 9 {
				t.Errorf("anchor %d, complete from %d, lists from %d", s.LastAnchor(), s.CompleteFrom(), s.ListsFrom())
			}
			if _, ok := s.Seeding(); ok {
				t.Error("still being seeded")
			}
			c.verify(t, s)
			for _, l := range c[5:8] {
				if has, err := s.Included(l.Anchor); err != nil || !slices.Equal(has, l.Included) {
					t.Errorf("list of anchor %d: %v, %v", l.Anchor, has, err)
				}
			}
			mustClose(t, s)
			s = mustOpen(t, fs, dir)
		}
		c.tell(t, s, 9)
		c.verify(t, s)
		if s.CompleteFrom() != 9 {
			t.Errorf("complete from %d", s.CompleteFrom())
		}
		mustClose(t, s)
	}
}

// What is final by a seeded list waits for nothing, whether it was committed
// before or comes after.
func TestSeedEndsPending(t *testing.T) {
	c := newChain(t, 6)
	s := openFor(t, vfs.NewMem(), dir)
	before, after, never := c[4].records[1], c[5].records[1], c[5].stale[0]
	before.Own, after.Own = true, true
	mustCommit(t, s, []storage.Record{before, never})
	if err := s.Seed(t.Context(), c.seed()); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, s, []storage.Record{after})
	same(t, "pending", all(t, s.Pending(0, math.MaxInt64)), []message.ID{never.Message.ID()})
	loaded := all(t, s.LoadFrom(t.Context(), 0))
	for _, r := range loaded {
		if (r.Final == nil) != (r.Message.ID() == never.Message.ID()) {
			t.Errorf("%v is final at %+v", r.Message.ID(), r.Final)
		}
	}
	if len(loaded) != 3 {
		t.Errorf("%d messages", len(loaded))
	}
	c.verify(t, s)
}

var errTampered = errors.New("tampered")

// failingSeed is a seed whose n-th account cannot be had.
func failingSeed(c chain, n int) storage.Seed {
	seed := c.seed()
	accounts := seed.Accounts
	seed.Accounts = func(yield func(storage.Account, error) bool) {
		i := 0
		for a := range accounts {
			if i++; i == n {
				yield(storage.Account{}, errTampered)
				return
			}
			if !yield(a, nil) {
				return
			}
		}
	}
	return seed
}

// A seed that ends early leaves what was there before, but for the accounts;
// nothing of its lists is believed, and nothing but another seed is taken.
func TestSeedCutShort(t *testing.T) {
	c := newChain(t, 10)
	fs := vfs.NewMem()
	s := c[:3].store(t, fs)
	pending := c[6].records[1]
	pending.Own = true
	mustCommit(t, s, []storage.Record{pending})
	if err := s.Seed(t.Context(), failingSeed(c[:7], 2)); !errors.Is(err, errTampered) {
		t.Fatalf("seed: %v", err)
	}
	for range 2 {
		if at, ok := s.Seeding(); at != 7 || !ok {
			t.Fatalf("seeding %d, %v", at, ok)
		}
		c.verify(t, s)
		checkNotSeeded(t, s, c, pending)
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	// The next one is of another history: nothing of the first is left.
	other := newChain(t, 6)
	for j := range other {
		other[j].Included = slices.Clone(other[j].Included[:2])
		other[j].records = other[j].records[:2]
	}
	if err := s.Seed(t.Context(), other[:5].seed()); err != nil {
		t.Fatal(err)
	}
	for _, l := range c[5:7] {
		if has, err := s.Included(l.Anchor); len(has) > 0 || err != nil {
			t.Errorf("list of anchor %d: %v, %v", l.Anchor, has, err)
		}
		if _, final, err := s.Final(l.Included[3].ID); final || err != nil {
			t.Errorf("a message of anchor %d is final: %v", l.Anchor, err)
		}
	}
	same(t, "pending", all(t, s.Pending(linkTime(7), linkTime(8))), []message.ID{pending.Message.ID()})
	if s.LastAnchor() != 5 || s.CompleteFrom() != 6 {
		t.Errorf("anchor %d, complete from %d", s.LastAnchor(), s.CompleteFrom())
	}
	mustClose(t, s)
	for k := range dump(t, fs) {
		if k == "vseeding" || k[0] == 'C' && k > string(anchorRow('C', 5)) {
			t.Errorf("row %q is left", k)
		}
	}
}

// checkNotSeeded checks a store of three anchors in which a seed of the seventh was
// cut short.
func checkNotSeeded(t *testing.T, s *storage.Store, c chain, pending storage.Record) {
	t.Helper()
	if s.LastAnchor() != 3 || s.CompleteFrom() != 1 {
		t.Errorf("anchor %d, complete from %d", s.LastAnchor(), s.CompleteFrom())
	}
	for name, err := range map[string]error{
		"commit":     s.Commit(c[8].records),
		"finalise":   s.Finalise(c[3].Finality),
		"fill":       s.Fill(c.filled(2)),
		"signatures": s.SetSignatures(1, nil),
		"restore":    s.Restore(c[0].records[0]),
		"unexpired":  lastError(s.Unexpired()),
		"prune":      second(s.Prune(t.Context(), storage.Pruning{Before: 1})),
		"drop":       second(s.DropTopic(t.Context(), "city/a", 1_500)),
	} {
		if !errors.Is(err, storage.ErrSeeding) {
			t.Errorf("%s: %v, want ErrSeeding", name, err)
		}
	}
	if s.Err() != nil {
		t.Errorf("the store failed: %v", s.Err())
	}
	for _, l := range c[4:7] {
		if b, err := s.Commitment(l.Anchor); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("commitment %d: %q, %v", l.Anchor, b, err)
		}
		for _, m := range l.Included {
			if _, final, err := s.Final(m.ID); final || err != nil {
				t.Errorf("%v is final: %v", m.ID, err)
			}
		}
	}
	if _, _, err := s.Signatures(4); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("signatures: %v", err)
	}
	for p := range s.Order(t.Context(), 0, 0) {
		if p.Anchor > 3 {
			t.Errorf("the order goes on to %d", p.Anchor)
		}
	}
	for _, r := range all(t, s.LoadFrom(t.Context(), linkTime(4))) {
		if r.Final != nil {
			t.Errorf("%v is loaded as final", r.Message.ID())
		}
	}
	if got := all(t, s.Pending(linkTime(7), linkTime(8))); !slices.Equal(got, []message.ID{pending.Message.ID()}) {
		t.Errorf("pending: %v", got)
	}
}

func second[T any](_ T, err error) error { return err }

// What does not fit is refused.
func TestSeedRefuses(t *testing.T) {
	c := newChain(t, 8)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx     context.Context
		change  func(*storage.Seed)
		nothing bool // nothing is changed
	}{
		"last_again":   {change: func(s *storage.Seed) { s.Anchor = 4 }, nothing: true},
		"older":        {change: func(s *storage.Seed) { s.Anchor = 2 }, nothing: true},
		"greatest":     {change: func(s *storage.Seed) { s.Anchor = math.MaxUint64 }, nothing: true},
		"lists_end":    {change: func(s *storage.Seed) { s.Anchor = 9 }},
		"no_lists":     {change: func(s *storage.Seed) { s.Anchors = each[storage.SeedAnchor](nil) }},
		"one_left_out": {change: func(s *storage.Seed) { s.Anchors = each([]storage.SeedAnchor{{Anchor: 6}, {Anchor: 8}}) }},
		"accounts":     {change: func(s *storage.Seed) { s.Accounts = each([]storage.Account{{}, {}}) }},
		"not_in_order": {change: func(s *storage.Seed) {
			s.Anchors = each([]storage.SeedAnchor{{Anchor: 8, Included: []storage.FinalMessage{c[7].Included[1], c[7].Included[0]}}})
		}},
		"final_already": {change: func(s *storage.Seed) { s.Anchors = each([]storage.SeedAnchor{{Anchor: 8, Included: c[1].Included}}) }},
		"ended":         {ctx: ended, change: func(*storage.Seed) {}},
	} {
		s := c[:4].store(t, vfs.NewMem())
		seed := c.seed()
		test.change(&seed)
		if test.ctx == nil {
			test.ctx = t.Context()
		}
		if err := s.Seed(test.ctx, seed); err == nil || s.Err() != nil {
			t.Errorf("%s: %v, the store: %v", name, err, s.Err())
		}
		if _, ok := s.Seeding(); ok == test.nothing {
			t.Errorf("%s: seeding: %v", name, ok)
		}
		c.verify(t, s)
		if err := s.Seed(t.Context(), c.seed()); err != nil {
			t.Errorf("%s: then a good one: %v", name, err)
		}
		c.verify(t, s)
		mustClose(t, s)
	}
}

// Lists that are here already are not written again.
func TestSeedOverlaps(t *testing.T) {
	c := newChain(t, 8)
	s := c[:7].store(t, vfs.NewMem())
	defer mustClose(t, s)
	if err := s.Seed(t.Context(), c.seed()); err != nil { // lists from 6 on
		t.Fatal(err)
	}
	if got := gapsOf(t, s); got != "8-8 never " {
		t.Errorf("gaps %q", got)
	}
	c.verify(t, s)
	if err := s.Fill(c.filled(8)); err != nil {
		t.Fatal(err)
	}
	c.verify(t, s)
}

// A seed larger than one batch.
func TestLargeSeed(t *testing.T) {
	c := newChain(t, 3)
	seed := c.seed()
	const n = 150_000
	seed.Accounts = func(yield func(storage.Account, error) bool) {
		for i := range n {
			if !yield(storage.Account{Address: message.Address{byte(i >> 16), byte(i >> 8), byte(i)}, Value: make([]byte, 24)}, nil) {
				return
			}
		}
	}
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	if err := s.Seed(t.Context(), seed); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = openFor(t, fs, dir)
	if got := len(all(t, s.Accounts())); got != n {
		t.Errorf("%d accounts", got)
	}
}

// A row of what a seed left that cannot be read is told, not passed over.
func TestSeedOnDamage(t *testing.T) {
	c := newChain(t, 7)
	fs := vfs.NewMem()
	s := c[:3].store(t, fs)
	if err := s.Seed(t.Context(), failingSeed(c, 1)); !errors.Is(err, errTampered) {
		t.Fatal(err)
	}
	mustClose(t, s)
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		return db.Set(append(anchorRow('f', 6), 0, 0, 0, 0), []byte("x"), pebble.Sync)
	})
	s = openFor(t, fs, dir)
	if err := s.Seed(t.Context(), c.seed()); !errors.As(err, new(*storage.CorruptionError)) {
		t.Errorf("seed: %v, want a CorruptionError", err)
	}
}
