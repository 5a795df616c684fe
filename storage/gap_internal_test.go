package storage

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Gaps are compared with a table of the reason of each anchor.
func TestGaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const anchors = 12
	for range 3_000 {
		var gaps []Gap
		var truth [anchors + 2]GapReason
		for range 1 + rng.IntN(8) {
			first := 1 + rng.Uint64N(anchors)
			if rng.IntN(3) == 0 {
				gaps = cutGap(gaps, first)
				truth[first] = 0
			} else {
				g := Gap{first, first + rng.Uint64N(anchors-first+1), []GapReason{GapNever, GapPruned, GapTopic}[rng.IntN(3)]}
				gaps = addGap(gaps, g)
				for a := g.First; a <= g.Last; a++ {
					if truth[a] == 0 || g.Reason == GapPruned || truth[a] == GapTopic {
						truth[a] = g.Reason
					}
				}
			}
			checkGaps(t, gaps, truth[:])
		}
	}
}

// checkGaps compares gaps with the reason of each anchor, zero where it is in none,
// and looks that there are no more rows than needed, but for neighbours that a cut
// may leave.
func checkGaps(t *testing.T, gaps []Gap, truth []GapReason) {
	t.Helper()
	for a, want := range truth {
		if g, ok := gapAt(gaps, uint64(a)); g.Reason != want || ok != (want != 0) {
			t.Fatalf("anchor %d is in %+v, want %v; of %v", a, g, want, gaps)
		}
	}
	for i, g := range gaps {
		if g.Last < g.First || i > 0 && g.First <= gaps[i-1].Last {
			t.Fatalf("gaps %v", gaps)
		}
		if i > 0 && g.First == gaps[i-1].Last+1 && g.Reason == gaps[i-1].Reason {
			t.Fatalf("two gaps for one: %v", gaps)
		}
	}
	if got := addGap(gaps, Gap{1, 1, GapTopic}); len(gaps) > 0 && gaps[0].First == 1 && !slices.Equal(got, gaps) {
		t.Fatalf("%v with what is in it is %v", gaps, got)
	}
}

func TestBetween(t *testing.T) {
	for _, test := range []struct{ a, b, want []byte }{
		{[]byte{0, 0}, []byte{0, 2}, []byte{0, 1}},
		{[]byte{0xff, 0xfe}, []byte{0xff, 0xff}, nil},
		{[]byte{'m', 0xff}, []byte{'n', 0}, nil},
		{[]byte{'m', 0xf0}, []byte{'n', 0xf0}, []byte{'n', 0x70}},
		{[]byte{0xff, 0}, []byte{0xff, 0xff}, []byte{0xff, 0x7f}},
	} {
		got, ok := between(test.a, test.b)
		if ok != (test.want != nil) || ok && !slices.Equal(got, test.want) {
			t.Errorf("between %x and %x: %x, %v; want %x", test.a, test.b, got, ok, test.want)
		}
	}
}
