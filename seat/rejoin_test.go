package seat

import (
	"math"
	"math/rand/v2"
	"testing"

	"tangled/consensus"
)

// told is a report that a seat gave to seat 0 under testNonce.
type told struct {
	reporter               int
	highest, highestOfSeat uint64
}

func (r told) report() Report {
	return Report{Nonce: testNonce, Highest: r.highest, HighestOfSeat: r.highestOfSeat}
}

func TestRejoinStart(t *testing.T) {
	for _, test := range []struct {
		name    string
		weights []uint64
		known   uint64 // the highest round in the own graph
		reports []told
		want    uint64 // zero if there is no start yet
	}{
		{"nobody", equal(4), 9, nil, 0},
		{"all others", equal(4), 9, []told{{1, 9, 0}, {2, 7, 0}, {3, 8, 0}}, 12},
		{"no quorum", equal(4), 9, []told{{1, 9, 0}, {2, 9, 0}}, 0},
		{"no quorum without oneself", equal(4), 9, []told{{0, 9, 0}, {1, 9, 0}, {2, 9, 0}}, 0},
		{"nor with a seat twice", equal(4), 9, []told{{1, 9, 0}, {2, 9, 0}, {2, 8, 0}, {2, 9, 1}}, 0},
		{"no such seat", equal(4), 9, []told{{1, 9, 0}, {2, 9, 0}, {4, 9, 0}, {-1, 9, 0}}, 0},
		{"the highest of a seat counts", equal(4), 9, []told{{1, 9, 0}, {1, 2, 0}, {2, 7, 0}, {3, 8, 0}}, 12},
		{"whichever came first", equal(4), 9, []told{{1, 2, 0}, {1, 9, 0}, {2, 7, 0}, {3, 8, 0}}, 12},
		{"of this seat", equal(4), 9, []told{{1, 1, 0}, {2, 1, 0}, {3, 9, 9}}, 12},
		{"at the very beginning", equal(4), 0, []told{{1, 0, 0}, {2, 0, 0}, {3, 0, 0}}, 3},
		{"not borne out", equal(4), 9, []told{{1, 10, 0}, {2, 7, 0}, {3, 8, 0}}, 0},
		{"five do of six", equal(7), 9, []told{{1, 9, 0}, {2, 9, 0}, {3, 9, 0}, {4, 9, 0}, {5, 9, 0}}, 12},
		{"with a liar", equal(7), 9, []told{{1, math.MaxUint64, 0}, {2, 4, 0}, {3, 4, 0}, {4, 4, 0}, {5, 5, 0}, {6, 4, 0}}, 8},
		{"by weight", []uint64{1, 1, 5, 1}, 9, []told{{2, 9, 0}, {3, 2, 0}}, 12},
		{"and not by number", []uint64{1, 1, 5, 1}, 9, []told{{1, 9, 0}, {3, 9, 0}}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCommittee(t, test.weights...)
			var others []int
			for seat := 1; seat < c.Size(); seat++ {
				others = append(others, seat)
			}
			g := full(t, c, test.known, others...)
			r := NewRejoin(c, 0, testNonce)
			for _, told := range test.reports {
				r.Add(told.reporter, told.report())
			}
			if got, ok := r.Start(g); got != test.want || ok != (test.want > 0) {
				t.Errorf("start %d, %v, want %d", got, ok, test.want)
			}
		})
	}
}

// What the own graph holds of the old self counts like a report.
func TestRejoinKnowsItself(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	r := NewRejoin(c, 0, testNonce)
	for reporter := 1; reporter <= 3; reporter++ {
		r.Add(reporter, told{highest: 2}.report())
	}
	if got, ok := r.Start(full(t, c, 6, 0, 1, 2, 3)); got != 9 || !ok {
		t.Errorf("start %d, %v, want 9", got, ok)
	}
}

// A report that could not be borne out can be later.
func TestRejoinWaitsForTheGraph(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	r := NewRejoin(c, 0, testNonce)
	for reporter := 1; reporter <= 3; reporter++ {
		r.Add(reporter, told{highest: 5}.report())
	}
	if got, ok := r.Start(full(t, c, 4, 1, 2, 3)); ok {
		t.Errorf("start %d with a graph that ends at 4", got)
	}
	if got, ok := r.Start(full(t, c, 5, 1, 2, 3)); got != 8 || !ok {
		t.Errorf("start %d, %v with a graph that ends at 5, want 8", got, ok)
	}
}

func TestRejoinIgnores(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	r := NewRejoin(c, 2, testNonce)
	report := Report{Seat: 2, Nonce: testNonce, Highest: 4}
	for _, test := range []struct {
		name     string
		reporter int
		change   func(*Report)
		want     bool
	}{
		{"as it should be", 1, func(*Report) {}, true},
		{"again", 1, func(*Report) {}, false},
		{"lower", 1, func(r *Report) { r.Highest = 3 }, false},
		{"higher", 1, func(r *Report) { r.Highest = 5 }, true},
		{"of another attempt", 3, func(r *Report) { r.Nonce[15]++ }, false},
		{"to another seat", 3, func(r *Report) { r.Seat = 0 }, false},
		{"of oneself", 2, func(*Report) {}, false},
		{"of a seat that is none", 4, func(*Report) {}, false},
		{"of no seat", -1, func(*Report) {}, false},
		{"of zero", 3, func(r *Report) { r.Highest = 0 }, true},
	} {
		changed := report
		test.change(&changed)
		if got := r.Add(test.reporter, changed); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if got, err := DecodeRequest(r.Request()); err != nil || got != (Request{2, testNonce}) {
		t.Errorf("request %v, %v", got, err)
	}
}

func TestRejoinPossible(t *testing.T) {
	for _, test := range []struct {
		weights []uint64
		seat    int
		want    bool
	}{
		{equal(1), 0, false},
		{equal(2), 0, false},
		{equal(3), 2, false},
		{equal(4), 3, true},
		{[]uint64{3, 3, 3, 4}, 0, true},
		{[]uint64{3, 3, 3, 4}, 3, true},
		{[]uint64{2, 2, 2, 3}, 3, false},
	} {
		if got := NewRejoin(newCommittee(t, test.weights...), test.seat, testNonce).Possible(); got != test.want {
			t.Errorf("seat %d of %v: %v, want %v", test.seat, test.weights, got, test.want)
		}
	}
}

func TestReport(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	g := full(t, c, 4, 0, 1, 2)
	ask := Request{Seat: 0, Nonce: testNonce}
	for _, test := range []struct {
		name   string
		opts   Options
		asker  int
		want   Report
		refuse bool
	}{
		{"what it knows", Options{Seat: 3}, 0, Report{Highest: 4, HighestOfSeat: 4}, false},
		{"what it wrote", Options{Seat: 3, Last: 6}, 0, Report{Highest: 6, HighestOfSeat: 4}, false},
		{"what it must not write", Options{Seat: 3, Start: 8}, 0, Report{Highest: 7, HighestOfSeat: 4}, false},
		{"in the name of another", Options{Seat: 3}, 1, Report{}, true},
		{"oneself", Options{Seat: 0}, 0, Report{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Committee = c
			test.want.Seat, test.want.Nonce = ask.Seat, ask.Nonce
			got, ok := NewPacemaker(test.opts).Report(g, test.asker, ask)
			if test.refuse && ok || !test.refuse && (!ok || got != test.want) {
				t.Errorf("%v, %v, want %v", got, ok, test.want)
			}
		})
	}
	// No seat has this number; the message that says so is no reason to panic.
	if got, ok := NewPacemaker(Options{Committee: c, Seat: 3}).Report(g, 30, Request{Seat: 30}); ok && got.HighestOfSeat != 0 {
		t.Errorf("%v of a seat that is none", got)
	}
}

// drawQuorum adds seats until they are one.
func drawQuorum(rng *rand.Rand, c *consensus.Committee) (set consensus.Seats) {
	for _, seat := range rng.Perm(c.Size()) {
		if !c.Quorum(set) {
			set |= 1 << seat
		}
	}
	return set
}

// drawLiars adds seats as long as they weigh less than a third.
func drawLiars(rng *rand.Rand, c *consensus.Committee) (set consensus.Seats) {
	for _, seat := range rng.Perm(c.Size()) {
		if 3*c.Weight(set|1<<seat) < c.Total() {
			set |= 1 << seat
		}
	}
	return set
}

// TestRejoinIsAboveTheOldSelf draws committees, what the old self's last witness
// refs, who lies and in which order all report, under the assumptions of the proof
// alone: seats that lie weigh less than a third, and one that does not lie reports
// no less than it wrote. Whatever else they could say is the worst: nothing.
func TestRejoinIsAboveTheOldSelf(t *testing.T) {
	const seat, old = 0, 7 // the old self's last round
	rng := rand.New(rand.NewPCG(1, 2))
	starts := 0
	for range 100 {
		weights := make([]uint64, 4+rng.IntN(7))
		for i := range weights {
			weights[i] = 1 + rng.Uint64N(4)
		}
		c := newCommittee(t, weights...)
		g := full(t, c, old, rng.Perm(c.Size())...)
		for range 200 {
			refs, liars := drawQuorum(rng, c), drawLiars(rng, c)
			r := NewRejoin(c, seat, testNonce)
			var start uint64
			for _, reporter := range rng.Perm(c.Size()) {
				report := told{reporter: reporter}
				if reporter != seat && refs>>reporter&1 == 1 && liars>>reporter&1 == 0 {
					report.highest = old - 1
				}
				r.Add(reporter, report.report())
				if round, ok := r.Start(g); ok {
					start = round
					starts++
					break
				}
			}
			if start > 0 && start <= old {
				t.Fatalf("weights %v, refs %b, liars %b: start %d", weights, refs, liars, start)
			}
		}
	}
	if starts < 10_000 {
		t.Errorf("%d starts, so few that this shows nothing", starts)
	}
}
