package tangle

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"tangled/message"
)

// TestConfidenceRepeatable: measuring changes nothing, and the groups of 64
// tips do not meet each other.
func TestConfidenceRepeatable(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis})
	a := newMessage(t, "a", 1, []message.ID{testGenesis}, 0)
	b := newMessage(t, "b", 2, []message.ID{testGenesis}, 0)
	attachAll(t, tangle, []*message.Message{a, b})
	var tips []message.ID
	for i := range 200 {
		parent := a
		if i%2 == 1 {
			parent = b
		}
		m := newMessage(t, fmt.Sprint(i), 10, []message.ID{parent.ID()}, 0)
		if _, err := tangle.Attach(m, "peer", epoch); err != nil {
			t.Fatal(err)
		}
		tips = append(tips, m.ID())
	}
	for _, n := range []int{0, 1, 63, 64, 65, 127, 128, 129, 200} {
		for range 2 {
			measure := tangle.Confidence(tips[:n])
			gotA, okA := measure.Reached(a.ID())
			gotB, okB := measure.Reached(b.ID())
			if measure.Tips() != n || gotA != (n+1)/2 || gotB != n/2 || !okA || !okB {
				t.Errorf("%d tips: measured %d, a %d, b %d", n, measure.Tips(), gotA, gotB)
			}
		}
	}
}

// closure is the past cone of a message, with it, of what is in memory.
func (m *member) closure(id message.ID) map[message.ID]bool {
	past := make(map[message.ID]bool)
	if v, _ := m.tangle.vertices.find(id); v == nil {
		return past
	}
	past[id] = true
	for queue := []message.ID{id}; len(queue) > 0; queue = queue[1:] {
		for _, to := range m.h.edges(queue[0]) {
			if v, _ := m.tangle.vertices.find(to); v != nil && !past[to] {
				past[to] = true
				queue = append(queue, to)
			}
		}
	}
	return past
}

// TestApproval holds both measures against the past cones by definition, over
// witnesses with hundreds of edges, whatever left memory.
func TestApproval(t *testing.T) {
	for seed := range uint64(6) {
		for _, maxVertices := range []int{1, 5, 150, 1 << 18} {
			t.Run(fmt.Sprintf("seed %d, %d vertices", seed, maxVertices), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 12))
				h := newHistory(t, rng, 12)
				m := newMember(t, h, rng, maxVertices, false)
				// What is lost is a root from the start, so that messages in
				// order are solid at once.
				m.tangle.SetLedgerTime(h.steps[len(h.steps)-1].from + uint64(testWindow))
				for _, one := range append(h.old, h.messages...) {
					d, err := m.tangle.Attach(one, "peer", epoch)
					if err != nil || len(d.Solid) != 1 {
						t.Fatalf("attach: %v, %d solid", err, len(d.Solid))
					}
					m.settled(d)
				}
				checkInvariants(t, m.tangle)
				by := []message.ID{testGenesis, madeUp(1)}
				for len(by) < 63 {
					by = append(by, h.messages[rng.IntN(len(h.messages))].ID())
				}
				by = append(by, by[2]) // two bits of one message
				approval, confidence := m.tangle.Approval(by), m.tangle.Confidence(by)
				m.compareCones(by, approval, confidence)

				// What comes later was not measured, and does not shift what was.
				newest := h.messages[len(h.messages)-1].ID()
				before, _ := approval.Of(newest)
				reachedBefore, _ := confidence.Reached(newest)
				later := newMessage(t, "later", time.Hour, []message.ID{newest}, 0)
				if _, err := m.tangle.Attach(later, "peer", epoch); err != nil {
					t.Fatal(err)
				}
				if _, ok := approval.Of(later.ID()); ok {
					t.Error("a message that came later was measured")
				}
				if _, ok := confidence.Reached(later.ID()); ok {
					t.Error("a message that came later was measured")
				}
				if mask, ok := approval.Of(newest); ok == (maxVertices == 1) || ok && mask != before {
					t.Errorf("approved by %b, and before the next message came by %b", mask, before)
				}
				if reached, ok := confidence.Reached(newest); ok && reached != reachedBefore {
					t.Errorf("reached by %d, and before the next message came by %d", reached, reachedBefore)
				}
			})
		}
	}
}

func (m *member) compareCones(by []message.ID, approval *Approval, confidence *Confidence) {
	m.t.Helper()
	want := make(map[message.ID]uint64)
	inMemory := 0
	for bit, id := range by {
		past := m.closure(id)
		inMemory += min(1, len(past))
		for reached := range past {
			want[reached] |= 1 << bit
		}
	}
	if confidence.Tips() != inMemory {
		m.t.Errorf("measured by %d, want %d", confidence.Tips(), inMemory)
	}
	for id := range m.h.byID {
		v, _ := m.tangle.vertices.find(id)
		mask, ok := approval.Of(id)
		if ok != (v != nil) || mask != want[id] {
			m.t.Fatalf("%v: approved by %b, %v, want %b, %v", id, mask, ok, want[id], v != nil)
		}
		reached, ok := confidence.Reached(id)
		if ok != (v != nil) || reached != bits.OnesCount64(want[id]) {
			m.t.Fatalf("%v: reached by %d, %v, want %b", id, reached, ok, want[id])
		}
	}
}

// BenchmarkApproval measures over as many vertices as are held by default, for
// the largest committee.
func BenchmarkApproval(b *testing.B) {
	messages := chain(b, 1<<18, 20)
	tangle := New(Options{Genesis: testGenesis})
	for _, m := range messages {
		if _, err := tangle.Attach(m, "peer", epoch); err != nil {
			b.Fatal(err)
		}
	}
	var by []message.ID
	for seat := range message.MaxSeats {
		by = append(by, messages[len(messages)-1-100*seat].ID())
	}
	b.ReportAllocs()
	for b.Loop() {
		if mask, ok := tangle.Approval(by).Of(messages[0].ID()); !ok || mask != 1<<message.MaxSeats-1 {
			b.Fatalf("approved by %b", mask)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(messages)), "ns/message")
}

// BenchmarkConfidence measures over as many vertices as are held by default.
func BenchmarkConfidence(b *testing.B) {
	messages := chain(b, 1<<18, 20)
	tangle := New(Options{Genesis: testGenesis})
	for _, m := range messages {
		if _, err := tangle.Attach(m, "peer", epoch); err != nil {
			b.Fatal(err)
		}
	}
	newest := len(messages) - 1
	for _, tips := range []int{10, 1000} {
		var ids []message.ID
		for i := range tips {
			ids = append(ids, messages[newest-i].ID())
		}
		b.Run(fmt.Sprintf("tips=%d", tips), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := tangle.Confidence(ids).Tips(); got != tips {
					b.Fatalf("measured %d tips", got)
				}
			}
		})
	}
}
