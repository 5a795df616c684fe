package storage_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// replacement is a message of issuer n that claims to replace old.
func replacement(t testing.TB, n byte, timestamp uint64, old storage.Record) storage.Record {
	t.Helper()
	return newDataRecord(t, n, timestamp, message.Data{Topic: "a", Replaces: old.Message.ID(), Content: []byte{n}})
}

func checkReplaced(t *testing.T, s *storage.Store, old message.ID, want *storage.Record) {
	t.Helper()
	got, ok, err := s.Replaced(old)
	if err != nil || ok != (want != nil) || ok && got != want.Message.ID() {
		t.Errorf("replaced: %v, %v, %v; want %v", got, ok, err, want)
	}
}

// Only the issuer of a message replaces it, whoever else claims to and in
// whatever order the claims arrive.
func TestReplacedByTheIssuerOnly(t *testing.T) {
	old := newRecord(t, 1, 100, "a", nil)
	mine, foreign := replacement(t, 1, 101, old), replacement(t, 2, 102, old)
	for name, test := range map[string]struct {
		batches [][]storage.Record
		want    []storage.Record
		by      *storage.Record
	}{
		"none":         {[][]storage.Record{{old}}, model{old}, nil},
		"issuer":       {[][]storage.Record{{old}, {mine}}, model{mine}, &mine},
		"one_batch":    {[][]storage.Record{{old, mine}}, model{mine}, &mine},
		"old_comes_in": {[][]storage.Record{{mine}, {old}}, model{mine}, &mine},
		"foreign":      {[][]storage.Record{{old}, {foreign}}, model{old, foreign}, nil},
		"foreign_last": {[][]storage.Record{{old}, {mine}, {foreign}}, model{mine, foreign}, &mine},
		"foreign_first": {
			[][]storage.Record{{foreign}, {old}, {mine}}, model{mine, foreign}, &mine,
		},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := mustOpen(t, fs, dir)
			for _, batch := range test.batches {
				mustCommit(t, s, batch)
			}
			for range 2 { // with what was learnt at Commit, and at Open
				for _, q := range []storage.Query{{}, {Topics: mustFilter(t, "a")}, {Topics: mustFilter(t, "a"), Descending: true}} {
					sameRecords(t, "select", collect(t, s, q), model(test.want).query(q))
				}
				checkReplaced(t, s, old.Message.ID(), test.by)
				mustClose(t, s)
				s = mustOpen(t, fs, dir)
			}
			mustClose(t, s)
		})
	}
}

// The claims on a message that is not stored cannot be judged: one of them is
// told, if it is stored itself.
func TestReplacedOfAnUnknownMessage(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	old, other := newRecord(t, 1, 100, "a", nil), newRecord(t, 1, 100, "b", nil)
	claim := replacement(t, 2, 102, old)
	mustCommit(t, s, []storage.Record{claim})
	checkReplaced(t, s, old.Message.ID(), &claim)
	checkReplaced(t, s, other.Message.ID(), nil)
	checkReplaced(t, s, claim.Message.ID(), nil)
}

// An old message that became final after all is shown beside the new one.
func TestReplacedButFinal(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	old := newRecord(t, 1, 100, "a", nil)
	mine := replacement(t, 1, 101, old)
	m := model{old, mine}
	mustCommit(t, s, m)
	sameRecords(t, "before", collect(t, s, storage.Query{}), model{mine})
	if err := s.Finalise(storage.Finality{Anchor: 1, Included: []storage.FinalMessage{{ID: old.Message.ID(), Outcome: included}}}); err != nil {
		t.Fatal(err)
	}
	sameRecords(t, "after", collect(t, s, storage.Query{}), m)
	checkReplaced(t, s, old.Message.ID(), &mine)
}

// A selection that does not see the new message shows the old one.
func TestReplacedWhileSelecting(t *testing.T) {
	for _, filter := range []string{"#", "a"} {
		s := openFor(t, vfs.NewMem(), dir)
		m := model{newRecord(t, 1, 100, "a", nil), newRecord(t, 1, 101, "a", nil)}
		earlier := newRecord(t, 1, 50, "b", nil)
		mustCommit(t, s, append(m, earlier, replacement(t, 1, 60, earlier)))
		var got []storage.Record
		q := storage.Query{Topics: mustFilter(t, filter), From: 100}
		for r, err := range s.Select(t.Context(), q) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, r); len(got) == 1 {
				mustCommit(t, s, []storage.Record{replacement(t, 1, 300, m[1])})
			}
		}
		sameRecords(t, filter, got, m)
	}
}

// What a message of this node replaces need not be issued again, unless it is
// another issuer's: a device cannot end what its node does for another.
func TestReplacedIsNotPending(t *testing.T) {
	own := func(r storage.Record) storage.Record {
		r.Own = true
		return r
	}
	old := own(newRecord(t, 1, 100, "a", nil))
	mine, foreign := own(replacement(t, 1, 101, old)), own(replacement(t, 2, 102, old))
	for name, test := range map[string]struct {
		batches [][]storage.Record
		want    model
	}{
		"replaced":         {[][]storage.Record{{old}, {mine}}, model{mine}},
		"in_one_batch":     {[][]storage.Record{{old, mine}}, model{mine}},
		"in_front_of_it":   {[][]storage.Record{{mine, old}}, model{mine}},
		"by_another":       {[][]storage.Record{{old}, {foreign}}, model{old, foreign}},
		"another_at_once":  {[][]storage.Record{{old, foreign}}, model{old, foreign}},
		"not_by_this_node": {[][]storage.Record{{old}, {replacement(t, 1, 101, old)}}, model{old}},
	} {
		s := openFor(t, vfs.NewMem(), dir)
		for _, batch := range test.batches {
			mustCommit(t, s, batch)
		}
		var want []message.ID
		for _, r := range test.want {
			want = append(want, r.Message.ID())
		}
		same(t, name, all(t, s.Pending(0, math.MaxInt64)), want)
	}
}

func TestPendingWithinATime(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	var ids []message.ID
	for i := range uint64(10) {
		r := newRecord(t, byte(i), 100+i, "a", nil)
		r.Own = i%3 > 0
		mustCommit(t, s, []storage.Record{r})
		if r.Own {
			ids = append(ids, r.Message.ID())
		}
	}
	for from := range uint64(12) {
		for to := range uint64(12) {
			want := slices.DeleteFunc(slices.Clone(ids), func(id message.ID) bool {
				return id.Timestamp() < 99+from || id.Timestamp() >= 99+to
			})
			same(t, fmt.Sprint(from, to), all(t, s.Pending(99+from, 99+to)), want)
		}
	}
}

// Random stores with replaced and final messages, dense and sparse, against the
// plain model.
func TestSelectFinalAgainstModel(t *testing.T) {
	for _, chance := range []int{5, 50, 95} {
		t.Run(fmt.Sprint(chance), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(uint64(chance), 7))
			s := openFor(t, vfs.NewMem(), dir)
			var st story
			m := newModel(t, rng)[:800]
			for i := range uint64(4) {
				part := slices.Clone(m[i*200 : (i+1)*200])
				for range 30 {
					old := part[rng.IntN(len(part))]
					part = append(part, newDataRecord(t, byte(rng.IntN(4)), 100+rng.Uint64N(60),
						message.Data{Topic: randomTopic(rng), Replaces: old.Message.ID()}))
				}
				f := storage.Finality{Anchor: i + 1}
				for _, r := range part.query(storage.Query{}) {
					if rng.IntN(100) < chance {
						f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: byte(rng.IntN(8))})
					}
				}
				st = append(st, step{records: part}, step{anchor: f})
			}
			for _, step := range st {
				if err := step.do(s); err != nil {
					t.Fatal(err)
				}
			}
			if len(st.replaced()) < 10 {
				t.Fatalf("only %d messages replaced", len(st.replaced()))
			}
			for range 150 {
				q := randomQuery(t, rng, m)
				q.WithFinal, q.WithReplaced = rng.IntN(2) == 0, rng.IntN(3) == 0
				sameFinals(t, fmt.Sprintf("filter %q, %+v", q.Topics, q), collect(t, s, q), st.query(q))
			}
		})
	}
}
