package consensus

import (
	"crypto/sha256"
	"testing"

	"tangled/message"
)

// newCommittee makes a committee whose keys are made up.
func newCommittee(tb testing.TB, weights ...uint64) *Committee {
	tb.Helper()
	seats := make([]Seat, len(weights))
	for i, weight := range weights {
		seats[i] = Seat{Key: message.Issuer{byte(i + 1)}, Weight: weight}
	}
	c, err := NewCommittee(seats)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// equal are n seats of weight 1.
func equal(n int) []uint64 {
	weights := make([]uint64, n)
	for i := range weights {
		weights[i] = 1
	}
	return weights
}

// newID makes an ID of a time and a name.
func newID(timestamp uint64, name string) message.ID {
	return message.NewID(timestamp, sha256.Sum256([]byte(name)))
}

// refsTo are refs that tell the truth about their targets.
func refsTo(targets ...Witness) []message.Ref {
	refs := make([]message.Ref, len(targets))
	for i, target := range targets {
		refs[i] = message.Ref{Seat: uint8(target.Seat), ID: target.ID}
	}
	return refs
}

// store is what a node has on disk: the Lookup of its Graph.
type store map[message.ID]Witness

func (s store) lookup(id message.ID) (Witness, bool) {
	w, ok := s[id]
	return w, ok
}

// checkInvariants compares the parts of g with each other. What it forgot must
// not be held by what it keeps: a round kept for ever would be a leak.
func checkInvariants(tb testing.TB, g *Graph) {
	tb.Helper()
	for number, r := range g.rounds {
		if number < 3*g.nextWave {
			tb.Fatalf("round %d is held, the next wave is %d", number, g.nextWave)
		}
		held := 0
		for seat, copies := range r.bySeat {
			held += len(copies)
			if r.seats.has(seat) != (len(copies) > 0) {
				tb.Fatalf("round %d: seat %d has %d witnesses, seats %b", number, seat, len(copies), r.seats)
			}
			for _, v := range copies {
				if v.Seat != seat || v.Round != number || r.byID[v.ID] != v {
					tb.Fatalf("round %d seat %d holds %v", number, seat, v.Witness)
				}
				checkVertex(tb, g, v)
			}
		}
		if held != len(r.byID) {
			tb.Fatalf("round %d: %d by seat, %d by ID", number, held, len(r.byID))
		}
		if g.committee.Quorum(r.seats) && number > g.quorumRound {
			tb.Fatalf("round %d has a quorum, the quorum round is %d", number, g.quorumRound)
		}
	}
}

func checkVertex(tb testing.TB, g *Graph, v *vertex) {
	tb.Helper()
	for _, leader := range []*vertex{v.votesFor, v.certifies} {
		if leader == nil {
			continue
		}
		if kindOf(leader.Round) != leaderRound || leader.Seat != g.committee.Leader(waveOf(leader.Round)) || leader.votesFor != nil || leader.certifies != nil {
			tb.Fatalf("%v is for %v", v.Witness, leader.Witness)
		}
	}
	if v.votesFor != nil && !v.votesFor.votes.has(v.Seat) || v.certifies != nil && !v.certifies.certificates.has(v.Seat) {
		tb.Fatalf("the leader does not know of %v", v.Witness)
	}
	if g.highest[v.Seat] < v.Round {
		tb.Fatalf("seat %d has a witness of round %d, its highest is %d", v.Seat, v.Round, g.highest[v.Seat])
	}
}
