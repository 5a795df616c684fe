package tangle

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"

	"tangled/message"
)

// TestManyEdges: a witness as large as can be stands on all of its 282 edges.
func TestManyEdges(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis, MaxVertices: 300})
	var ids []message.ID
	for i := range message.MaxWitnessParents + message.MaxSeats + 1 {
		m := newMessage(t, fmt.Sprint(i), time.Duration(i+1), []message.ID{testGenesis}, 0)
		if _, err := tangle.Attach(m, "peer", epoch); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID())
	}
	refs, rest := ids[100:100+message.MaxSeats], slices.Delete(slices.Clone(ids), 100, 100+message.MaxSeats)
	w := newWitness(t, time.Second, 2, rest[1:], refs, rest[0])
	d, err := tangle.Attach(w, "peer", epoch.Add(time.Minute))
	if err != nil || len(d.Solid) != 1 {
		t.Fatalf("attach: %v, %d solid", err, len(d.Solid))
	}
	s := d.Solid[0]
	if !slices.Equal(s.Approves, ids) {
		t.Errorf("approves %d messages, want all %d", len(s.Approves), len(ids))
	}
	if len(s.Delays) != message.MaxWitnessParents {
		t.Errorf("%d delays of %d parents", len(s.Delays), message.MaxWitnessParents)
	}
	if tips := tangle.Tips(1000); !slices.Equal(tips, []message.ID{w.ID()}) {
		t.Errorf("%d tips are left", len(tips))
	}
	approval := tangle.Approval([]message.ID{w.ID()})
	for i, id := range ids {
		if mask, ok := approval.Of(id); !ok || mask != 1 {
			t.Fatalf("edge %d is approved by %b, %v", i, mask, ok)
		}
	}
	included, _ := tangle.Include(w.ID(), 0, w.Timestamp, 1000)
	if !slices.Equal(included, append(ids, w.ID())) {
		t.Errorf("%d included, want %d", len(included), len(ids)+1)
	}
	checkInvariants(t, tangle)
	if n := len(tangle.vertices.more); n != 1 {
		t.Errorf("%d vertices have more edges than fit inline", n)
	}
	for _, m := range chain(t, 301, 5) {
		if _, err := tangle.Attach(m, "peer", epoch); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tangle.vertices.more); n != 0 {
		t.Errorf("the edges of %d vertices that left memory are kept", n)
	}
	checkInvariants(t, tangle)
}

// TestWitnessDelays: the delays are the parents' alone, in their order, where
// refs and the witness before sort between them.
func TestWitnessDelays(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis})
	var ids []message.ID
	for i := range 5 {
		m := newMessage(t, fmt.Sprint(i), time.Duration(i+1), []message.ID{testGenesis}, 0)
		// Message i stops being a tip i s after the epoch.
		child := newMessage(t, fmt.Sprint("child", i), time.Second, []message.ID{m.ID()}, 0)
		for _, one := range []*message.Message{m, child} {
			if _, err := tangle.Attach(one, "peer", epoch.Add(time.Duration(i)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		ids = append(ids, m.ID())
	}
	w := newWitness(t, time.Minute, 2, []message.ID{ids[1], ids[3]}, []message.ID{ids[4], ids[2]}, ids[0])
	d, err := tangle.Attach(w, "peer", epoch.Add(10*time.Second))
	if err != nil || len(d.Solid) != 1 {
		t.Fatalf("attach: %v, %d solid", err, len(d.Solid))
	}
	if got, want := d.Solid[0].Delays, []time.Duration{9 * time.Second, 7 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("delays %v, want %v", got, want)
	}
}

// TestChunks: memory is bounded by what is held, and what left it is let go,
// wherever the bounds of chunks are.
func TestChunks(t *testing.T) {
	messages := chain(t, 3*chunkSize+10, 20)
	for _, maxVertices := range []int{1, 100, chunkSize - 1, chunkSize, chunkSize + 1} {
		tangle := New(Options{Genesis: testGenesis, MaxVertices: maxVertices})
		most := 0
		for i, m := range messages {
			// Load: the chain's edges left memory.
			tangle.Load(m, epoch, false)
			most = max(most, len(tangle.vertices.chunks))
			newest := i + 1 - min(i+1, maxVertices)
			for _, j := range []int{newest, i} {
				if v, seq := tangle.vertices.find(messages[j].ID()); v == nil || v.id != messages[j].ID() || seq != uint64(j) {
					t.Fatalf("at most %d vertices: message %d of %d is not held", maxVertices, j, i+1)
				}
			}
			if newest > 0 {
				if v, _ := tangle.vertices.find(messages[newest-1].ID()); v != nil {
					t.Fatalf("at most %d vertices: message %d of %d is held", maxVertices, newest-1, i+1)
				}
			}
		}
		if want := maxVertices/chunkSize + 2; most > want {
			t.Errorf("%d chunks for %d vertices, want at most %d", most, maxVertices, want)
		}
		chunks := tangle.vertices.chunks
		for _, left := range chunks[len(chunks):cap(chunks)] {
			if left != nil {
				t.Error("a chunk that was let go is kept")
			}
		}
		checkInvariants(t, tangle)
	}
}

// TestVertexSize: a quarter of a million of them are held.
func TestVertexSize(t *testing.T) {
	if size := unsafe.Sizeof(vertex{}); size > 128 {
		t.Errorf("a vertex takes %d bytes", size)
	}
}
