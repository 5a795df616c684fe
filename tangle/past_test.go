package tangle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/message"
)

// TestInclude holds what anchors take against the definition, on histories made
// up at random, whatever is in memory, in whatever order it came and wherever
// the node was restarted.
func TestInclude(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHistory(t, rand.New(rand.NewPCG(seed, 11)), 25)
			want := h.included()
			checkIncluded(t, h, want)
			for _, maxVertices := range []int{1, 7, 50, 300, 1 << 18} {
				for _, restarts := range []bool{false, true} {
					rng := rand.New(rand.NewPCG(seed, uint64(maxVertices)))
					newMember(t, h, rng, maxVertices, restarts).compare(want)
				}
			}
		})
	}
}

// TestIncludeLong is a history that fills several chunks of vertices.
func TestIncludeLong(t *testing.T) {
	h := newHistory(t, rand.New(rand.NewPCG(1, 13)), 350)
	want := h.included()
	if n := len(h.messages); n < 2*chunkSize+1000 {
		t.Fatalf("only %d messages", n)
	}
	checkIncluded(t, h, want)
	for _, maxVertices := range []int{500, chunkSize + 500} {
		rng := rand.New(rand.NewPCG(2, uint64(maxVertices)))
		newMember(t, h, rng, maxVertices, maxVertices > chunkSize).compare(want)
	}
}

// TestIncludeGoesNoFurther: a walk ends at what is too old and at what an earlier
// anchor has seen, in memory and in the store.
func TestIncludeGoesNoFurther(t *testing.T) {
	h := &history{byID: make(map[message.ID]*message.Message)}
	for _, m := range chain(t, 200, 5) {
		h.add(m)
	}
	at := func(i int) uint64 { return h.messages[i].Timestamp }
	for _, maxVertices := range []int{1, 1000} {
		h.steps = []anchorStep{{id: h.messages[99].ID(), from: at(50)}}
		m := newMember(t, h, rand.New(rand.NewPCG(1, 1)), maxVertices, false)
		include := func(anchor, from, most int) {
			t.Helper()
			m.asked = 0
			m.tangle.SetLedgerTime(at(from) + uint64(testWindow))
			ids, _ := m.tangle.Include(h.messages[anchor].ID(), at(from), math.MaxUint64, 1000)
			for _, id := range ids {
				m.final[id] = true
			}
			if m.asked > most {
				t.Errorf("at most %d vertices: the store was asked about %d messages for %d included", maxVertices, m.asked, len(ids))
			}
		}
		for _, one := range h.messages[:100] {
			m.tangle.Load(one, epoch, false)
			m.stored[one.ID()] = true
		}
		include(99, 50, 50)
		for seq := m.tangle.vertices.oldest; seq < m.tangle.vertices.next; seq++ {
			if v := m.tangle.vertices.at(seq); v.flags&reached != 0 && v.id.Timestamp() < at(50) {
				t.Errorf("the walk went on to %v, which is too old", v.id)
			}
		}
		for _, one := range h.messages[100:] {
			m.tangle.Load(one, epoch, false)
			m.stored[one.ID()] = true
		}
		// The newest 20 of the 100 messages may not have been in that past.
		include(199, 60, 120)
		include(199, 60, 0)
	}
}

// TestIncludeEdgesLeftMemory: a witness's edges beyond those inline left memory,
// the others did not.
func TestIncludeEdgesLeftMemory(t *testing.T) {
	h := &history{byID: make(map[message.ID]*message.Message)}
	var ids []message.ID
	for i := range 12 {
		m := newMessage(t, fmt.Sprint(i), time.Duration(i+1), []message.ID{testGenesis}, 0)
		h.add(m)
		ids = append(ids, m.ID())
	}
	w := newWitness(t, time.Second, 1, ids, nil, message.ID{})
	h.add(w)
	h.steps = []anchorStep{{id: w.ID()}}
	m := newMember(t, h, rand.New(rand.NewPCG(1, 1)), 13, false)
	slices.Reverse(h.messages[:12]) // the newest becomes solid first, and leaves first
	for i := range 2 {
		h.add(newMessage(t, fmt.Sprint("later", i), time.Minute, []message.ID{testGenesis}, 0))
	}
	for _, one := range h.messages {
		d, err := m.tangle.Attach(one, "peer", epoch)
		if err != nil {
			t.Fatal(err)
		}
		m.settled(d)
	}
	if v, seq := m.tangle.vertices.find(w.ID()); v.flags&partial != 0 || m.tangle.vertices.oldest != 2 || len(m.tangle.vertices.rest(v, seq)) != 4 {
		t.Fatal("not the case that this is about")
	}
	if included, capped := m.tangle.Include(w.ID(), 0, math.MaxUint64, 0); len(included) != 0 || !capped {
		t.Errorf("%d included, capped %v", len(included), capped)
	}
	checkInvariants(t, m.tangle)
	if got, _ := m.tangle.Include(w.ID(), 0, math.MaxUint64, 100); !slices.Equal(got, append(ids, w.ID())) {
		t.Errorf("%d included, want %d", len(got), len(ids)+1)
	}
	checkInvariants(t, m.tangle)
}

// BenchmarkInclude includes 10,000 messages an operation, as an anchor does that
// comes late.
func BenchmarkInclude(b *testing.B) {
	const batch = 10_000
	messages := chain(b, 20*batch, 20)
	tangle, next := New(Options{Genesis: testGenesis}), 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if next == len(messages) {
			tangle, next = New(Options{Genesis: testGenesis}), 0
		}
		for _, m := range messages[next : next+batch] {
			if _, err := tangle.Attach(m, "peer", epoch); err != nil {
				b.Fatal(err)
			}
		}
		next += batch
		b.StartTimer()
		// Some of the newest wait for the next anchor.
		if ids, _ := tangle.Include(messages[next-1].ID(), 0, math.MaxUint64, 50_000); len(ids) < batch-200 {
			b.Fatalf("%d included", len(ids))
		}
	}
}
