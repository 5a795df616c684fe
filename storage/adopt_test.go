package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/message"
	"tangled/storage"
)

// adoptions are anchors of size messages each.
func adoptions(t testing.TB, anchors, size int) []storage.Adopted {
	var out []storage.Adopted
	for j := range anchors {
		a := storage.Adopted{Finality: storage.Finality{
			Anchor: uint64(j + 1), Commitment: fmt.Appendf(nil, "commitment %d", j+1), State: fmt.Appendf(nil, "state %d", j+1),
		}}
		for i := range size {
			r := newRecord(t, byte(j), uint64(1_000+100*j+i), "adopted", fmt.Append(nil, i))
			a.Records = append(a.Records, r)
			a.Finality.Included = append(a.Finality.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
		}
		if j%2 == 1 {
			a.Signatures = fmt.Appendf(nil, "signatures %d", j+1)
		}
		out = append(out, a)
	}
	return out
}

// verifyAdopted checks that the store holds the first n anchors whole.
func verifyAdopted(t *testing.T, s *storage.Store, anchors []storage.Adopted, n int) {
	t.Helper()
	if got := s.LastAnchor(); got != uint64(n) {
		t.Fatalf("last anchor %d, want %d", got, n)
	}
	for _, a := range anchors[:n] {
		for i, r := range a.Records {
			got, err := s.Get(r.Message.ID())
			if err != nil || got.Seen != r.Seen {
				t.Fatalf("message %d of anchor %d: %v", i, a.Finality.Anchor, err)
			}
			if f, ok, err := s.Final(r.Message.ID()); err != nil || !ok || f.Anchor != a.Finality.Anchor || f.Index != uint32(i) {
				t.Fatalf("message %d of anchor %d is final at %+v, %v, %v", i, a.Finality.Anchor, f, ok, err)
			}
		}
		if len(a.Signatures) == 0 {
			continue
		}
		if at, set, err := s.Signatures(a.Finality.Anchor); err != nil || at != a.Finality.Anchor || string(set) != string(a.Signatures) {
			t.Fatalf("signatures of anchor %d: %d, %q, %v", a.Finality.Anchor, at, set, err)
		}
	}
}

func TestAdopt(t *testing.T) {
	s := openFor(t, vfs.NewMem(), "db")
	anchors := adoptions(t, 5, 3)
	if err := s.Adopt(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(anchors[:2]); err != nil {
		t.Fatal(err)
	}
	verifyAdopted(t, s, anchors, 2)
	if err := s.Adopt(anchors[3:]); err == nil {
		t.Fatal("an anchor was left out and nothing said")
	}
	verifyAdopted(t, s, anchors, 2)
}

// What Adopt returned for is there after a crash; before that there are the first
// few anchors, whole, whenever the machine stops.
func TestAdoptAndCrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	c := &crasher{fs: mem, rng: rand.New(rand.NewPCG(1, 2)), when: func(errorfs.Op) bool { return true }}
	s, err := storage.Open("db", network, storage.Options{FS: errorfs.Wrap(mem, c)})
	if err != nil {
		t.Fatal(err)
	}
	anchors := adoptions(t, 12, 3)
	for i := 0; i < len(anchors); i += 4 {
		if err := s.Adopt(anchors[i : i+4]); err != nil {
			t.Fatal(err)
		}
		c.ack(i + 4)
		c.crash("after adopting", true)
	}
	mustClose(t, s)
	for _, crash := range c.crashes {
		t.Run(crash.at, func(t *testing.T) {
			s := openFor(t, crash.fs, "db")
			if int(s.LastAnchor()) < crash.acked {
				t.Fatalf("last anchor %d, %d were adopted", s.LastAnchor(), crash.acked)
			}
			verifyAdopted(t, s, anchors, int(s.LastAnchor()))
		})
	}
}

func TestBodies(t *testing.T) {
	mem := vfs.NewMem()
	s := mustOpen(t, mem, "db")
	var records []storage.Record
	for i := range 200 {
		records = append(records, newRecord(t, 1, uint64(1_000+10*i), "bodies", fmt.Append(nil, i)))
	}
	mustCommit(t, s, records[:100])
	mustClose(t, s) // the first half in a table, the rest in memory
	s = openFor(t, mem, "db")
	mustCommit(t, s, records[100:])
	bodies, err := s.Bodies()
	if err != nil {
		t.Fatal(err)
	}
	defer bodies.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	order := rng.Perm(len(records))
	for _, i := range slices.Concat([]int{0, 1, 2, 50, 51, 199, 198, 0, 199, 199, 0, 0}, order) {
		id := records[i].Message.ID()
		if got, err := bodies.Get(id); err != nil || string(got) != string(records[i].Message.Bytes()) {
			t.Fatalf("message %d: %v", i, err)
		}
		if has, err := bodies.Has(id); err != nil || !has {
			t.Fatalf("message %d: %v, %v", i, has, err)
		}
		none := message.NewID(id.Timestamp()+uint64(rng.IntN(3)), [32]byte{1})
		if has, err := bodies.Has(none); err != nil || has {
			t.Fatalf("no message, behind %d: %v, %v", i, has, err)
		}
		if _, err := bodies.Get(none); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("no message, behind %d: %v", i, err)
		}
	}
	bodies.Close()
}
