package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// tell opens a store in which a story has happened.
func tell(t testing.TB, fs vfs.FS, st story) *storage.Store {
	t.Helper()
	s := mustOpen(t, fs, dir)
	for i, step := range st {
		if err := step.do(s); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	return s
}

// The rows are looked for in the write-ahead log, in several small tables and in
// one compacted table.
func TestStory(t *testing.T) {
	fs := vfs.NewMem()
	st := newStory(t, 12)
	for i := range st {
		s := mustOpen(t, fs, dir)
		if err := st[i].do(s); err != nil {
			t.Fatal(err)
		}
		st[:i+1].verify(t, s, st)
		mustClose(t, s)
	}
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		return db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)
	})
	st.verify(t, openFor(t, fs, dir), st)
}

// What does not fit is refused, and nothing is changed.
func TestFinaliseRefuses(t *testing.T) {
	st := newStory(t, 4)
	s := tell(t, vfs.NewMem(), st[:6])
	defer mustClose(t, s)
	good := st[7].anchor
	for name, change := range map[string]func(f *storage.Finality){
		"last_again":          func(f *storage.Finality) { f.Anchor = 3 },
		"one_left_out":        func(f *storage.Finality) { f.Anchor = 5 },
		"zero":                func(f *storage.Finality) { f.Anchor = 0 },
		"greatest":            func(f *storage.Finality) { f.Anchor = math.MaxUint64 },
		"not_in_order":        func(f *storage.Finality) { slices.Reverse(f.Included) },
		"twice":               func(f *storage.Finality) { f.Included[1].ID = f.Included[0].ID },
		"history_beyond":      func(f *storage.Finality) { f.History[0].Index = uint32(len(f.Included)) },
		"transfer_beyond":     func(f *storage.Finality) { f.Transfers[2].Index = math.MaxUint32 },
		"transfer_of_another": func(f *storage.Finality) { f.Transfers[1].Outcome++ },
	} {
		f := good
		f.Included, f.History = slices.Clone(good.Included), slices.Clone(good.History)
		f.Transfers = slices.Clone(good.Transfers)
		change(&f)
		err := s.Finalise(f)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("finalise anchor %d: ", f.Anchor)) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
		if s.Err() != nil {
			t.Errorf("%s: the store failed: %v", name, s.Err())
		}
		st[:6].verify(t, s, st)
	}
	for _, step := range st[6:] {
		if err := step.do(s); err != nil {
			t.Fatal(err)
		}
	}
	st.verify(t, s, st)
}

// An anchor may include nothing, and what is given stays the caller's.
func TestFinaliseNothing(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	if state, ok := s.State(); ok || s.LastAnchor() != 0 {
		t.Errorf("a new store has state %q after anchor %d", state, s.LastAnchor())
	}
	f := storage.Finality{Anchor: 1, Commitment: []byte("one"), State: []byte("state")}
	if err := s.Finalise(f); err != nil {
		t.Fatal(err)
	}
	copy(f.State, "XXXXX")
	copy(f.Commitment, "XXX")
	for range 2 {
		if state, ok := s.State(); !ok || string(state) != "state" {
			t.Errorf("state %q, %v", state, ok)
		}
		if b, err := s.Commitment(1); err != nil || string(b) != "one" {
			t.Errorf("commitment %q, %v", b, err)
		}
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	if err := s.Finalise(storage.Finality{Anchor: 2}); err != nil {
		t.Fatal(err)
	}
	if state, ok := s.State(); !ok || len(state) != 0 {
		t.Errorf("state %q, %v, want an empty one", state, ok)
	}
	mustClose(t, s)
	s = openFor(t, fs, dir)
	if state, ok := s.State(); !ok || len(state) != 0 || s.LastAnchor() != 2 {
		t.Errorf("state %q, %v after anchor %d, want an empty one", state, ok, s.LastAnchor())
	}
}

// Both cursors: reading on behind the last position of a page, in any pages,
// gives the whole.
func TestPages(t *testing.T) {
	st := newStory(t, 10)
	s := tell(t, vfs.NewMem(), st)
	defer mustClose(t, s)
	ctx := t.Context()
	order := st.order()
	for i, p := range order {
		same(t, "order from a position", all(t, s.Order(ctx, p.Anchor, p.Index)), order[i:])
		same(t, "order behind a position", all(t, s.Order(ctx, p.Anchor, p.Index+1)), order[i+1:])
	}
	for _, a := range st.accounts() {
		history := st.history(a.Address)
		for i, p := range history {
			same(t, "history behind", all(t, s.AccountHistory(ctx, a.Address, p, false)), history[i+1:])
			before := slices.Clone(history[:i])
			slices.Reverse(before)
			same(t, "history before", all(t, s.AccountHistory(ctx, a.Address, p, true)), before)
		}
	}
}

func TestSequencesEndWithTheContext(t *testing.T) {
	st := newStory(t, 6)
	s := tell(t, vfs.NewMem(), st)
	defer mustClose(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	address := st.anchors()[3].History[0].Address
	for _, err := range s.Order(ctx, 0, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("order: %v, want that the context is canceled", err)
		}
	}
	n := 0
	for p, err := range s.AccountHistory(ctx, address, storage.Position{}, true) {
		if n++; n > 1 || !errors.Is(err, context.Canceled) || p != (storage.Position{}) {
			t.Errorf("history: %v, %v, want that the context is canceled", p, err)
		}
	}
	for _, err := range s.LoadFrom(ctx, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("load: %v, want that the context is canceled", err)
		}
	}
}

// A sequence shows the order as it was when it began.
func TestOrderIsASnapshot(t *testing.T) {
	st := newStory(t, 6)
	s := tell(t, vfs.NewMem(), st[:8])
	defer mustClose(t, s)
	var got []storage.Position
	for p, err := range s.Order(t.Context(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, p); len(got) == 1 {
			for _, step := range st[8:] {
				if err := step.do(s); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	same(t, "order", got, st[:8].order())
}

// meddling is a context that does something the first time it is asked whether
// it ended, which a selection does before it looks at its first candidate.
type meddling struct {
	context.Context
	once func()
}

func (m meddling) Err() error {
	m.once()
	return m.Context.Err()
}

// What becomes final after a selection began is not final in it, and neither is
// anything replaced.
func TestFinalIsASnapshot(t *testing.T) {
	st := newStory(t, 3)
	for _, q := range []storage.Query{{WithFinal: true}, {WithFinal: true, Descending: true, Topics: mustFilter(t, "+")}} {
		s := tell(t, vfs.NewMem(), st[:3])
		ctx := meddling{t.Context(), sync.OnceFunc(func() {
			for _, step := range st[3:] {
				if err := step.do(s); err != nil {
					t.Error(err)
				}
			}
		})}
		sameFinals(t, "select", all(t, s.Select(ctx, q)), st[:3].query(q))
		st.verify(t, s, st)
		mustClose(t, s)
	}
}

func TestSignatures(t *testing.T) {
	fs := vfs.NewMem()
	s := tell(t, fs, newStory(t, 6))
	check := func(from, want uint64, set string) {
		t.Helper()
		anchor, got, err := s.Signatures(from)
		if err != nil || anchor != want || string(got) != set {
			t.Errorf("signatures from %d: %d, %q, %v; want %d, %q", from, anchor, got, err, want, set)
		}
	}
	none := func(from uint64) {
		t.Helper()
		if anchor, set, err := s.Signatures(from); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("signatures from %d: %d, %q, %v; want ErrNotFound", from, anchor, set, err)
		}
	}
	none(0)
	for _, anchor := range []uint64{0, 7, math.MaxUint64} {
		if err := s.SetSignatures(anchor, []byte("x")); err == nil {
			t.Errorf("signatures of anchor %d of 6 were taken", anchor)
		}
	}
	none(0)
	for anchor, set := range map[uint64]string{2: "two", 5: "five"} {
		if err := s.SetSignatures(anchor, []byte(set)); err != nil {
			t.Fatal(err)
		}
	}
	check(0, 2, "two")
	if err := s.SetSignatures(2, []byte("two, more of them")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and once more after a Close, which keeps what was not synced
		check(1, 2, "two, more of them")
		check(2, 2, "two, more of them")
		check(3, 5, "five")
		check(5, 5, "five")
		none(6)
		none(math.MaxUint64)
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	mustClose(t, s)
}

// A set of signatures is never on the disk without the anchor that it is of.
func TestSignaturesAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	st := newStory(t, 5)
	s := tell(t, fs, st[:8])
	defer mustClose(t, s)
	if err := s.SetSignatures(4, []byte("four")); err != nil {
		t.Fatal(err)
	}
	for _, step := range st[8:] {
		if err := step.do(s); err != nil {
			t.Fatal(err)
		}
	}
	// The next batch's sync covers what was written before.
	crashed := openFor(t, fs.CrashClone(vfs.CrashCloneCfg{}), dir)
	if anchor, set, err := crashed.Signatures(0); anchor != 4 || !bytes.Equal(set, []byte("four")) || err != nil {
		t.Errorf("signatures after a crash: %d, %q, %v", anchor, set, err)
	}
	st.verify(t, crashed, st)
}

// The last known fate of a transfer, whatever order its carriers come in.
func TestTransferFates(t *testing.T) {
	const expired, doubleSpend, tooFar = 3, 5, 6
	id, other := message.TransferID{1}, message.TransferID{2}
	for name, test := range map[string]struct {
		anchors [][]uint8 // outcomes of the messages of each anchor
		want    storage.Position
	}{
		"applied":              {[][]uint8{{applied}}, storage.Position{Anchor: 1, Outcome: applied}},
		"then_duplicate":       {[][]uint8{{applied}, {duplicate}}, storage.Position{Anchor: 1, Outcome: applied}},
		"then_expired":         {[][]uint8{{applied}, {expired}}, storage.Position{Anchor: 1, Outcome: applied}},
		"duplicate_at_once":    {[][]uint8{{applied, duplicate}}, storage.Position{Anchor: 1, Outcome: applied}},
		"insufficient":         {[][]uint8{{insufficient}, {tooFar}}, storage.Position{Anchor: 2, Outcome: tooFar}},
		"insufficient_applied": {[][]uint8{{insufficient}, {applied}}, storage.Position{Anchor: 2, Outcome: applied}},
		"applied_in_the_end":   {[][]uint8{{insufficient, applied, duplicate}}, storage.Position{Anchor: 1, Index: 1, Outcome: applied}},
		"last_of_one_anchor":   {[][]uint8{{insufficient, doubleSpend}}, storage.Position{Anchor: 1, Index: 1, Outcome: doubleSpend}},
	} {
		s := openFor(t, vfs.NewMem(), dir)
		for a, outcomes := range test.anchors {
			f := storage.Finality{Anchor: uint64(a + 1)}
			for i, outcome := range outcomes {
				f.Included = append(f.Included, storage.FinalMessage{ID: message.NewID(uint64(100*a+i), [32]byte{7}), Outcome: outcome})
				f.Transfers = append(f.Transfers, storage.FinalTransfer{TransferID: id, Index: uint32(i), Outcome: outcome})
			}
			if err := s.Finalise(f); err != nil {
				t.Fatal(err)
			}
		}
		test.want.ID = message.NewID(100*(test.want.Anchor-1)+uint64(test.want.Index), [32]byte{7})
		if got, ok, err := s.Transfer(id); got != test.want || !ok || err != nil {
			t.Errorf("%s: %+v, %v, %v; want %+v", name, got, ok, err, test.want)
		}
		if got, ok, err := s.Transfer(other); ok || err != nil {
			t.Errorf("%s: an unknown transfer is %+v, %v", name, got, err)
		}
	}
}

// Readers beside the writer see whole anchors only, all that were durable before
// they began, and the state that one of them left.
func TestReadersBesideAnchors(t *testing.T) {
	st := newStory(t, 30)
	s := mustOpen(t, vfs.NewMem(), dir)
	defer mustClose(t, s)
	lengths := map[int]bool{0: true} // of the order after each anchor
	for n := range st {
		lengths[len(st[:n+1].order())] = true
	}
	order := st.order()
	told := make(chan uint64, len(st)) // for the readers to pick up, in order
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(told)
		for _, step := range st {
			if err := step.do(s); err != nil {
				t.Error(err)
				return
			}
			told <- s.LastAnchor()
		}
	})
	for range 3 {
		wg.Go(func() {
			for anchor := range told {
				var got []storage.Position
				for p, err := range s.Order(t.Context(), 0, 0) {
					if err != nil {
						t.Error(err)
					}
					got = append(got, p)
				}
				if n := len(got); !lengths[n] || !slices.Equal(got, order[:n]) || n > 0 && got[n-1].Anchor < anchor {
					t.Errorf("%d positions after anchor %d", n, anchor)
				}
				if state, ok := s.State(); anchor > 0 && !ok || ok && !bytes.HasPrefix(state, []byte("state ")) {
					t.Errorf("state %q, %v after anchor %d", state, ok, anchor)
				}
				if _, err := selectError(t.Context(), s, storage.Query{WithFinal: true}); err != nil {
					t.Error(err)
				}
				s.OwnWitness()
			}
		})
	}
	wg.Wait()
	st.verify(t, s, st)
}
