package consensus

import (
	"fmt"
	"slices"
	"testing"

	"tangled/message"
)

// committees are those of the random tests.
var committees = [][]uint64{
	equal(4), equal(5), equal(6), equal(7),
	{3, 2, 2, 1, 1}, {5, 4, 4, 4, 2, 1}, {1, 1, 1, 10, 10, 10}, {2, 1, 1, 1},
}

// seen is what the runs of a test came across: a test of agreement where nothing
// ever went wrong would prove nothing.
type seen struct{ direct, walked, skipped, leaders, equivocations, strays int }

// TestAgreement: while the liars weigh less than a third, all honest seats have
// the same anchors, whatever comes when, is withheld or told differently to
// others, and restarts change nothing; and these anchors are those of the model.
func TestAgreement(t *testing.T) {
	var total seen
	for seed := range uint64(240) {
		weights := committees[seed%uint64(len(committees))]
		n := newNetwork(t, seed, weights, false)
		n.run(1500, 20+n.rng.IntN(180))
		if a, b := n.fork(); a != nil {
			t.Fatalf("seed %d: seat %d has %v, seat %d has %v", seed, a.seat, a.anchors, b.seat, b.anchors)
		}
		m := newModel(weights, n.published)
		want := m.anchors()
		for _, i := range n.instances {
			checkInvariants(t, i.graph)
			if !slices.Equal(i.anchors, want) {
				t.Fatalf("seed %d: seat %d has %v, the model has %v", seed, i.seat, i.anchors, want)
			}
		}
		n.replay(m, seed, want)
		total.add(m, want)
		total.walked += n.walked
	}
	t.Logf("%+v", total)
	if total.direct < 1000 || total.walked < 300 || total.skipped < 150 || total.leaders < 100 || total.equivocations < 5000 || total.strays < 1500 {
		t.Errorf("the runs saw too little: %+v", total)
	}
}

// replay observes all witnesses in new orders, and asks of each whether it
// counts.
func (n *network) replay(m *model, seed uint64, want []Anchor) {
	n.tb.Helper()
	for range 2 {
		i := &instance{disk: make(store)}
		i.graph = n.open(i.disk, restart{})
		for _, at := range n.rng.Perm(len(n.published)) {
			n.take(i, n.published[at])
		}
		if !slices.Equal(i.anchors, want) {
			n.tb.Fatalf("seed %d: another order has %v, want %v", seed, i.anchors, want)
		}
		for _, w := range n.published {
			kept := w.Round >= 3*i.graph.NextWave()
			if got := i.graph.Observe(w).Counts; kept && got != m.counted[w.ID] || !kept && got {
				n.tb.Fatalf("seed %d: %+v counts: %v, next wave %d", seed, w, got, i.graph.NextWave())
			}
		}
	}
}

func (s *seen) add(m *model, anchors []Anchor) {
	if len(anchors) > 0 {
		s.skipped += int(anchors[len(anchors)-1].Wave) + 1 - len(anchors)
	}
	for _, anchor := range anchors {
		if _, ok := m.direct(anchor.Wave); ok {
			s.direct++
		}
		if len(m.leaders(anchor.Wave)) > 1 {
			s.leaders++
		}
	}
	type key struct {
		seat  int
		round uint64
	}
	first := make(map[key]bool)
	for _, w := range m.all {
		switch at := (key{w.Seat, w.Round}); {
		case !m.counted[w.ID]:
			s.strays++
		case first[at]:
			s.equivocations++
		default:
			first[at] = true
		}
	}
}

// TestSparseGraphs: with barely a quorum of refs in every witness, waves are
// seldom committed directly, and what a walk finds differs from anchor to anchor.
func TestSparseGraphs(t *testing.T) {
	var total seen
	for seed := range uint64(400) {
		weights := committees[seed%uint64(len(committees))]
		n := newNetwork(t, seed, weights, false)
		n.sparse(40)
		m := newModel(weights, n.published)
		want := m.anchors()
		n.replay(m, seed, want)
		total.add(m, want)
		total.walked += n.walked
	}
	t.Logf("%+v", total)
	if total.direct < 1000 || total.walked < 1000 || total.skipped < 1000 || total.leaders < 100 || total.equivocations < 1000 {
		t.Errorf("the graphs have too little in them: %+v", total)
	}
}

// sparse publishes full rounds. Each witness refs seats in a random order until
// they are a quorum; liars write up to three.
func (n *network) sparse(rounds uint64) {
	for number := uint64(1); number <= rounds; number++ {
		for seat := range n.weights {
			copies := 1
			if n.liars.has(seat) {
				copies = 1 + n.rng.IntN(3)
			}
			for range copies {
				n.publish(seat, number, n.quorum(number-1))
			}
		}
	}
}

// quorum are refs to a random quorum of a round, the leader of a wave more often
// than others.
func (n *network) quorum(number uint64) []message.Ref {
	if number == 0 {
		return nil
	}
	seats := n.rng.Perm(len(n.weights))
	if leader := n.committee.Leader(waveOf(number)); n.rng.IntN(2) == 0 {
		at := slices.Index(seats, leader)
		seats[0], seats[at] = seats[at], seats[0]
	}
	var refs []message.Ref
	var taken Seats
	for _, seat := range seats {
		if n.committee.Quorum(taken) {
			break
		}
		target, _ := n.pick(seat, number)
		refs = append(refs, refsTo(target)...)
		taken = taken.with(seat)
	}
	return refs
}

// TestForkIsSeen: with liars of more than a third the same check does find
// forks, so that it would see one above.
func TestForkIsSeen(t *testing.T) {
	for _, weights := range [][]uint64{equal(4), equal(7), {2, 2, 1, 1, 1}} {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			forks := 0
			for seed := range uint64(40) {
				n := newNetwork(t, seed, weights, true)
				n.run(1500, 1500)
				if a, _ := n.fork(); a != nil {
					forks++
				}
			}
			if forks == 0 {
				t.Error("no fork in any run")
			}
			t.Logf("%d forks", forks)
		})
	}
}
