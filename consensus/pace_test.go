package consensus

import "testing"

// TestQuorumRoundBy: what is stamped later than a time is not here at that time,
// be it the first copy of a seat that lies.
func TestQuorumRoundBy(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	g := New(Options{Committee: c})
	write := func(seat int, round, stamp uint64, name string) Witness {
		w := Witness{ID: newID(stamp, name), Seat: seat, Round: round, Refs: g.Refs(round - 1)}
		if !g.Observe(w).Counts {
			t.Fatalf("%s does not count", name)
		}
		return w
	}
	for seat := range 4 {
		write(seat, 1, uint64(10+seat), "first")
	}
	for seat := range 3 {
		write(seat, 2, uint64(20+10*seat), "second")
	}
	write(2, 2, 21, "another of the third seat, which Refs does not name")
	for _, test := range []struct{ time, want uint64 }{
		{9, 0}, {11, 0}, {12, 1}, {20, 1}, {39, 1}, {40, 2}, {1 << 62, 2},
	} {
		if got := g.QuorumRoundBy(test.time); got != test.want {
			t.Errorf("at %d the quorum is of round %d, want %d", test.time, got, test.want)
		}
	}
	if got := g.QuorumRound(); got != 2 {
		t.Errorf("QuorumRound is %d, want 2", got)
	}
}
