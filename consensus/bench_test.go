package consensus

import (
	"fmt"
	"testing"
)

// BenchmarkObserve is the time a witness takes where every round is full and
// every wave commits directly.
func BenchmarkObserve(b *testing.B) {
	for _, seats := range []int{4, 31} {
		b.Run(fmt.Sprintf("seats=%d", seats), func(b *testing.B) {
			c := newCommittee(b, equal(seats)...)
			all := rounds(c, 300)
			opts := Options{Committee: c, Lookup: stored(all).lookup}
			g := New(opts)
			b.ReportAllocs()
			number, seat := 0, 0
			for b.Loop() {
				g.Observe(all[number][seat])
				if seat++; seat == seats {
					number, seat = number+1, 0
				}
				if number == len(all) {
					if g.LastIndex() != 100 {
						b.Fatalf("%d anchors", g.LastIndex())
					}
					g, number = New(opts), 0
				}
			}
		})
	}
}

// BenchmarkWalkBack is the time that the first direct commit takes after 100
// waves in which nobody voted, with all refs there are: the most a walk visits.
func BenchmarkWalkBack(b *testing.B) {
	for _, seats := range []int{4, 31} {
		b.Run(fmt.Sprintf("seats=%d", seats), func(b *testing.B) {
			c := newCommittee(b, equal(seats)...)
			g := New(Options{Committee: c})
			all := rounds(c, 301)
			for _, round := range all {
				for _, w := range round {
					g.add(&vertex{Witness: w}) // judges none of them
				}
			}
			top := g.find(all[300][0].ID, 301)
			for b.Loop() {
				if len(g.walkBack(top)) != 1 {
					b.Fatal("a wave without votes was committed")
				}
			}
		})
	}
}
