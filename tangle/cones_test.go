package tangle

import (
	"fmt"
	"testing"

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
