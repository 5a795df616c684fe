package consensus

import "testing"

func TestLedgerTime(t *testing.T) {
	for _, test := range []struct {
		name                        string
		previous, median, lastTaken uint64
		capped                      bool
		want                        uint64
	}{
		{"goes on", 10, 20, 0, false, 20},
		{"never back", 10, 5, 0, false, 10},
		{"the last taken does not matter", 10, 20, 15, false, 20},
		{"the cap holds it back", 10, 20, 15, true, 15},
		{"the cap does not push it", 10, 20, 30, true, 20},
		{"the cap does not turn it back", 10, 20, 5, true, 10},
		{"the first anchor", 10, 0, 0, false, 10},
	} {
		if got := LedgerTime(test.previous, test.median, test.lastTaken, test.capped); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestMedianHasHonestNeighbours: of four equal seats one that lies cannot move
// the median past what the others say, wherever it puts its clock.
func TestMedianHasHonestNeighbours(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	for liar := range uint64(60) {
		refs := refsTo(
			Witness{Seat: 0, ID: newID(20, "a")}, Witness{Seat: 1, ID: newID(40, "b")},
			Witness{Seat: 2, ID: newID(30, "c")}, Witness{Seat: 3, ID: newID(liar, "d")},
		)
		if got := c.median(refs); got < 20 || got > 30 {
			t.Errorf("a clock at %d makes the median %d", liar, got)
		}
		if refs[0].ID.Timestamp() != 20 || refs[3].ID.Timestamp() != liar {
			t.Fatal("the refs were sorted in place")
		}
	}
}
