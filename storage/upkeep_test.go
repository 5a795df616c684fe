package storage_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// finalised commits batches and makes each of them an anchor.
func finalised(t *testing.T, s *storage.Store, batches [][]storage.Record) {
	t.Helper()
	for i, batch := range batches {
		mustCommit(t, s, batch)
		if err := s.Finalise(anchorOf(uint64(i+1), batch)); err != nil {
			t.Fatal(err)
		}
	}
}

func anchorOf(anchor uint64, batch []storage.Record) storage.Finality {
	f := storage.Finality{Anchor: anchor, Commitment: []byte{byte(anchor)}, State: []byte("state")}
	for _, r := range batch {
		f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: 1})
	}
	slices.SortFunc(f.Included, func(a, b storage.FinalMessage) int { return a.ID.Compare(b.ID) })
	return f
}

// later is the first timestamp behind those of a batch.
func later(batch []storage.Record) (at uint64) {
	for _, r := range batch {
		at = max(at, r.Message.Timestamp+1)
	}
	return at
}

func stored(s *storage.Store, batch []storage.Record) (n int) {
	for _, r := range batch {
		if s.Has(r.Message.ID()) {
			n++
		}
	}
	return n
}

// An anchor that stays, and loses some of its messages, is not complete any more.
func TestPlanOfAPartOfAnAnchor(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), dir)
	defer mustClose(t, s)
	batches := newBatches(t, 4, 8)
	finalised(t, s, batches)
	p := storage.Pruning{Before: batches[2][3].Message.Timestamp, Anchor: 2}
	plan, err := s.PlanPrune(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Prune(t.Context(), p)
	if err != nil || done != plan.Pruned || plan.CompleteFrom != 4 || s.CompleteFrom() != 4 {
		t.Errorf("%+v, %v, complete from %d; planned %+v, want 4", done, err, s.CompleteFrom(), plan)
	}
}

func TestPruneDeletesWhatIsOld(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	batches := newBatches(t, 4, 8)
	finalised(t, s, batches)
	p := storage.Pruning{Before: later(batches[1]), Anchor: 2}
	plan, err := s.PlanPrune(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Prune(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if plan.CompleteFrom != s.CompleteFrom() {
		t.Errorf("planned to be complete from %d, is from %d", plan.CompleteFrom, s.CompleteFrom())
	}
	if plan.Pruned != done || done.Messages != 16 || done.Anchors != 2 {
		t.Errorf("planned %+v, pruned %+v, want 16 messages of 2 anchors", plan.Pruned, done)
	}
	check := func(s *storage.Store) {
		t.Helper()
		if got := []int{stored(s, batches[0]), stored(s, batches[1]), stored(s, batches[2]), stored(s, batches[3])}; !slices.Equal(got, []int{0, 0, 8, 8}) {
			t.Errorf("messages of each batch: %v", got)
		}
		if s.Count() != 16 || s.CompleteFrom() != 3 || s.LastAnchor() != 4 {
			t.Errorf("count %d, complete from %d, last %d; want 16, 3, 4", s.Count(), s.CompleteFrom(), s.LastAnchor())
		}
		gaps, err := s.Gaps()
		if err != nil || !slices.Equal(gaps, []storage.Gap{{First: 1, Last: 2, Reason: storage.GapPruned}}) {
			t.Errorf("gaps %v, %v", gaps, err)
		}
		if _, err := s.Commitment(2); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("commitment of a pruned anchor: %v", err)
		}
	}
	check(s)
	mustClose(t, s)
	s = mustOpen(t, fs, dir)
	defer s.Close()
	check(s)
}

func TestPruneKeepsWhatIsHeld(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), dir)
	defer s.Close()
	batches := newBatches(t, 2, 8)
	finalised(t, s, batches)
	held := batches[0][3].Message.ID()
	done, err := s.Prune(t.Context(), storage.Pruning{
		Before: later(batches[0]), Anchor: 1,
		Keep: func(r storage.Record) (bool, []byte, error) { return r.Message.ID() == held, []byte("proof"), nil },
	})
	if err != nil || done.Messages != 7 || done.Kept != 1 {
		t.Fatalf("pruned %+v, %v; want 7 and 1 kept", done, err)
	}
	if _, err := s.Get(held); err != nil {
		t.Errorf("the message under a hold: %v", err)
	}
	if proof, err := s.HeldProof(held); err != nil || string(proof) != "proof" {
		t.Errorf("its proof: %q, %v", proof, err)
	}
	if s.Count() != 9 {
		t.Errorf("count %d, want 9", s.Count())
	}
}

func TestFillClosesAGap(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), dir)
	defer s.Close()
	batches := newBatches(t, 3, 4)
	finalised(t, s, batches)
	if _, err := s.Prune(t.Context(), storage.Pruning{Before: later(batches[1]), Anchor: 2}); err != nil {
		t.Fatal(err)
	}
	f := anchorOf(2, batches[1])
	filled := storage.FilledAnchor{Anchor: 2, Commitment: f.Commitment, Included: f.Included, Records: batches[1]}
	lacking := filled
	lacking.Records = batches[1][1:]
	if err := s.Fill(lacking); err == nil {
		t.Error("an anchor was filled that lacks a message")
	}
	if err := s.Fill(filled); err != nil {
		t.Fatal(err)
	}
	if s.Count() != 8 || s.CompleteFrom() != 2 || stored(s, batches[1]) != 4 {
		t.Errorf("count %d, complete from %d, %d of 4 stored; want 8, 2", s.Count(), s.CompleteFrom(), stored(s, batches[1]))
	}
	if err := s.Fill(filled); !errors.Is(err, storage.ErrNoGap) {
		t.Errorf("filled again: %v, want ErrNoGap", err)
	}
}

// seedOf is a seed of an anchor with two lists and one account; broken ends the
// accounts with an error.
func seedOf(batches [][]storage.Record, anchor uint64, broken error) storage.Seed {
	return storage.Seed{
		Anchor: anchor, State: []byte("seeded"),
		Anchors: func(yield func(storage.SeedAnchor, error) bool) {
			for i, batch := range batches {
				f := anchorOf(anchor-uint64(len(batches)-1-i), batch)
				if !yield(storage.SeedAnchor{Anchor: f.Anchor, Commitment: f.Commitment, Included: f.Included}, nil) {
					return
				}
			}
		},
		Accounts: func(yield func(storage.Account, error) bool) {
			if yield(storage.Account{Address: message.Address{7}, Value: []byte("rich")}, nil) && broken != nil {
				yield(storage.Account{}, broken)
			}
		},
		Unexpired: func(func(storage.AppliedTransfer, error) bool) {},
	}
}

func accounts(t *testing.T, seq iter.Seq2[storage.Account, error]) (n int) {
	t.Helper()
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestASeedThatIsCutShortIsNotBelieved(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	batches := newBatches(t, 3, 4)
	broken := errors.New("broken")
	if err := s.Seed(t.Context(), seedOf(batches[:2], 10, broken)); !errors.Is(err, broken) {
		t.Fatalf("seed: %v", err)
	}
	mustClose(t, s)
	s = mustOpen(t, fs, dir)
	defer s.Close()
	if anchor, ok := s.Seeding(); !ok || anchor != 10 || s.LastAnchor() != 0 {
		t.Errorf("seeding %d, %t with last anchor %d; want 10, true, 0", anchor, ok, s.LastAnchor())
	}
	if err := s.Commit(batches[2]); !errors.Is(err, storage.ErrSeeding) {
		t.Errorf("commit: %v, want ErrSeeding", err)
	}
	if err := s.Seed(t.Context(), seedOf(batches[:2], 12, nil)); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Seeding(); ok || s.LastAnchor() != 12 || s.CompleteFrom() != 13 || accounts(t, s.Accounts()) != 1 {
		t.Errorf("seeding %t, last anchor %d, complete from %d; want false, 12, 13", ok, s.LastAnchor(), s.CompleteFrom())
	}
	if f, ok, err := s.Final(batches[1][0].Message.ID()); err != nil || !ok || f.Anchor != 12 {
		t.Errorf("a message of the last list: %+v, %t, %v", f, ok, err)
	}
	if err := s.Finalise(anchorOf(13, batches[2])); err != nil {
		t.Errorf("the next anchor: %v", err)
	}
}
