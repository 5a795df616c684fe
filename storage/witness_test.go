package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/storage"
)

func newWitness(t testing.TB, epoch uint32, round uint64, content string) storage.Record {
	t.Helper()
	r := newRecord(t, 3, 2_000+round, fmt.Sprintf("witness/%s", content), []byte(content))
	r.Witness = &storage.OwnWitness{Epoch: epoch, Round: round}
	return r
}

func checkOwnWitness(t *testing.T, s *storage.Store, want storage.Record) {
	t.Helper()
	epoch, round, id, ok := s.OwnWitness()
	if !ok || id != want.Message.ID() || (storage.OwnWitness{Epoch: epoch, Round: round}) != *want.Witness {
		t.Errorf("own witness: epoch %d, round %d, %v, %v; want %+v", epoch, round, id, ok, *want.Witness)
	}
}

// The order is by epoch, then by round, whatever order they are committed in.
func TestNewestOwnWitness(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	if _, _, _, ok := s.OwnWitness(); ok {
		t.Error("an empty store has an own witness")
	}
	newest := newWitness(t, 1, 3, "newest")
	for _, r := range []storage.Record{newWitness(t, 0, 300, "a"), newest, newWitness(t, 1, 2, "b"), newWitness(t, 0, 301, "c")} {
		mustCommit(t, s, []storage.Record{r})
	}
	checkOwnWitness(t, s, newest)
	mustClose(t, s)
	s = openFor(t, fs, dir)
	checkOwnWitness(t, s, newest)
	next := newWitness(t, 1, 1<<40, "next")
	mustCommit(t, s, []storage.Record{newWitness(t, 1, 7, "d"), next, newWitness(t, 1, 8, "e")})
	checkOwnWitness(t, s, next)
}

// A second witness for a round is refused, whether the first is in the store or
// in the same batch, and the store is as it was and goes on. The same one again is
// no second one.
func TestNeverTwoWitnessesForARound(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	has, newest := newWitness(t, 0, 5, "has"), newWitness(t, 0, 6, "newest")
	m := model{has, newest}
	mustCommit(t, s, m)
	for name, batch := range map[string][]storage.Record{
		"older":     {newRecord(t, 1, 3_000, "fresh/1", nil), newWitness(t, 0, 5, "second")},
		"newest":    {newWitness(t, 0, 7, "good"), newWitness(t, 0, 6, "second")},
		"one_batch": {newWitness(t, 0, 9, "first"), newWitness(t, 0, 8, "good"), newWitness(t, 0, 9, "second")},
	} {
		err := s.Commit(batch)
		var e *storage.WitnessError
		if !errors.As(err, &e) || e.New != batch[len(batch)-1].Message.ID() || e.Has == e.New {
			t.Errorf("%s: %v, want a WitnessError", name, err)
		}
		if s.Err() != nil {
			t.Errorf("%s: the store failed: %v", name, s.Err())
		}
		m.verify(t, s)
		checkOwnWitness(t, s, newest)
	}
	// A round of another epoch is another round.
	more := model{newWitness(t, 1, 5, "epoch"), newRecord(t, 4, 3_001, "fresh/2", nil)}
	mustCommit(t, s, more)
	m = append(m, more...)
	mustCommit(t, s, nil)
	again := s.Count()
	mustCommit(t, s, []storage.Record{has, more[0]})
	if got := s.Count(); got != again+2 {
		t.Errorf("count %d, want %d", got, again+2)
	}
	mustClose(t, s)
	// A name numbered for a refused batch would leave a gap.
	s = openFor(t, fs, dir)
	checkOwnWitness(t, s, more[0])
	for _, r := range m {
		data, _ := r.Message.Data()
		q := storage.Query{Topics: mustFilter(t, data.Topic)}
		sameRecords(t, data.Topic, collect(t, s, q), m.query(q))
	}
}
