package consensus

import (
	"testing"

	"tangled/message"
)

// rounds makes n full rounds of a committee: everybody refs everybody.
func rounds(c *Committee, n int) [][]Witness {
	all := make([][]Witness, n)
	var refs []message.Ref
	for i := range all {
		for seat := range c.Size() {
			id := newID(uint64(i+1)*1000+uint64(seat), seatName(seat))
			all[i] = append(all[i], Witness{ID: id, Seat: seat, Round: uint64(i) + 1, Refs: refs})
		}
		refs = refsTo(all[i]...)
	}
	return all
}

// stored is a store of all.
func stored(all [][]Witness) store {
	disk := make(store)
	for _, round := range all {
		for _, w := range round {
			disk[w.ID] = w
		}
	}
	return disk
}

// TestMemoryIsBounded: a Graph that decides holds a handful of rounds however
// long it runs, and holds nothing through them.
func TestMemoryIsBounded(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	all := rounds(c, 3000)
	g := New(Options{Committee: c, Lookup: stored(all).lookup})
	for _, round := range all {
		for _, w := range round {
			g.Observe(w)
		}
		if len(g.rounds) > 4 {
			t.Fatalf("%d rounds are held", len(g.rounds))
		}
		for _, r := range g.rounds {
			for _, v := range r.byID {
				if depth := chain(v); depth > 2 {
					t.Fatalf("a witness holds %d others in a chain", depth)
				}
			}
		}
	}
	if g.LastIndex() != 1000 || g.NextWave() != 1000 || g.QuorumRound() != 3000 {
		t.Errorf("anchor %d, wave %d, round %d", g.LastIndex(), g.NextWave(), g.QuorumRound())
	}
}

// chain is the longest way from v over pointers.
func chain(v *vertex) int {
	longest := 0
	for _, next := range []*vertex{v.votesFor, v.certifies} {
		if next != nil {
			longest = max(longest, 1+chain(next))
		}
	}
	return longest
}

// TestWalkVisitsOnce: what a walk takes from round to round is a round at most,
// however many refs lead there. Otherwise it would grow with every round.
func TestWalkVisitsOnce(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	g := New(Options{Committee: c})
	all := rounds(c, 2)
	for _, round := range all {
		for _, w := range round {
			g.Observe(w)
		}
	}
	var front []*vertex
	for _, w := range all[1] {
		front = append(front, g.find(w.ID, 2))
	}
	if n := len(g.targets(front...)); n != 4 {
		t.Errorf("%d targets in a round of 4", n)
	}
}

// TestStoreIsAskedLast: what is in memory, or can be told from the refs alone,
// costs no look-up. Anybody can write refs, and look-ups are reads of a disk.
func TestStoreIsAskedLast(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	all := rounds(c, 2)
	asked := 0
	g := New(Options{Committee: c, Lookup: func(message.ID) (Witness, bool) {
		asked++
		return Witness{}, false
	}})
	for _, round := range all {
		for _, w := range round {
			g.Observe(w)
		}
	}
	unknown := func(seat int) Witness { return Witness{Seat: seat, ID: newID(1, "unknown")} }
	g.Observe(Witness{Seat: 0, Round: 3, Refs: refsTo(unknown(0), unknown(1))})
	g.Observe(Witness{Seat: 0, Round: 3, Refs: refsTo(unknown(0), unknown(1), unknown(1))})
	g.Observe(Witness{Seat: 0, Round: 3, Refs: refsTo(unknown(0), unknown(1), unknown(30))})
	g.Observe(Witness{Seat: 9, Round: 3, Refs: refsTo(unknown(0), unknown(1), unknown(2))})
	g.Observe(Witness{Seat: 0, Round: 3, Epoch: 1, Refs: refsTo(unknown(0), unknown(1), unknown(2))})
	g.Observe(all[1][3])
	if asked != 0 {
		t.Errorf("the store was asked %d times", asked)
	}
	g.Observe(Witness{Seat: 0, Round: 3, Refs: refsTo(unknown(0), unknown(1), unknown(2))})
	if asked == 0 {
		t.Error("the store was not asked")
	}
}

// TestOutsideQuestions: seats and rounds that there are not have no witnesses.
func TestOutsideQuestions(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	g := New(Options{Committee: c})
	if o := g.Observe(Witness{ID: newID(1, "a"), Seat: -1, Round: 1}); o.Counts {
		t.Error("a witness of seat -1 counts")
	}
	g.Observe(rounds(c, 1)[0][0])
	for _, seat := range []int{-1, 4, 31} {
		if g.Highest(seat) != 0 || g.Copies(seat, 1) != 0 {
			t.Errorf("seat %d has witnesses", seat)
		}
	}
	if len(g.Refs(0)) != 0 || len(g.Refs(1<<63)) != 0 || g.LeaderKnown(1<<62) || g.VotesKnown(1<<62) {
		t.Error("something is known of a round that nobody wrote")
	}
}
