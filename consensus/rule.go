package consensus

import (
	"slices"

	"tangled/message"
)

// The three rounds of wave w are 3w+1, 3w+2 and 3w+3; rounds begin at 1.
const (
	leaderRound = iota
	voteRound
	certificateRound
)

func kindOf(round uint64) int    { return int((round - 1) % 3) }
func waveOf(round uint64) uint64 { return (round - 1) / 3 }

// judge finds what v is in its wave. It returns the leader witness that is
// thereby committed directly, or nil.
func (g *Graph) judge(v *vertex) *vertex {
	switch kindOf(v.Round) {
	case voteRound:
		if leader := g.votedLeader(v); leader != nil {
			v.votesFor = leader
			leader.votes = leader.votes.with(v.Seat)
		}
	case certificateRound:
		if leader := g.certifiedLeader(v); leader != nil {
			v.certifies = leader
			leader.certificates = leader.certificates.with(v.Seat)
			if g.committee.Quorum(leader.certificates) {
				return leader
			}
		}
	}
	return nil
}

// votedLeader is the leader witness that v, of a vote round, votes for: the one
// it refs. Refs are of distinct seats, so there is one at most.
func (g *Graph) votedLeader(v *vertex) *vertex {
	leader := g.committee.Leader(waveOf(v.Round))
	for _, ref := range v.Refs {
		if int(ref.Seat) == leader {
			return g.find(ref.ID, v.Round-1)
		}
	}
	return nil
}

// certifiedLeader is the leader witness that v, of a certificate round, is a
// certificate for: votes of a quorum for it are among the refs of v. Each ref is
// a vote for one leader witness at most, and no set holds two quorums that share
// nothing, so there is one at most.
func (g *Graph) certifiedLeader(v *vertex) *vertex {
	votes := make(map[*vertex]Seats, 1)
	for _, voter := range g.targets(v) {
		if leader := voter.votesFor; leader != nil {
			votes[leader] = votes[leader].with(voter.Seat)
			if g.committee.Quorum(votes[leader]) {
				return leader
			}
		}
	}
	return nil
}

// walkBack returns what a direct commit decides: the anchors of the undecided
// waves up to that of direct, in ascending order. It goes down round by round,
// once, over the part of the current anchor's past that counts: a ref leads
// exactly one round down, so all of that past within a round is there together.
func (g *Graph) walkBack(direct *vertex) []*vertex {
	anchors := []*vertex{direct}
	past := []*vertex{direct}
	for wave := waveOf(direct.Round); wave > g.nextWave; wave-- {
		// past is of the leader round of wave; one below is the certificate round
		// of the wave before.
		past = g.targets(past...)
		if leader := certifiedBy(past); leader != nil {
			anchors = append(anchors, leader)
			past = []*vertex{leader}
			continue
		}
		past = g.targets(g.targets(past...)...)
	}
	slices.Reverse(anchors)
	return anchors
}

// certifiedBy is the leader witness for which there is a certificate among
// those of a certificate round; all certificates of a wave are for the same.
func certifiedBy(round []*vertex) *vertex {
	for _, v := range round {
		if v.certifies != nil {
			return v.certifies
		}
	}
	return nil
}

// targets are the witnesses that those of one round ref and that count, each
// once and in the order of the refs. Those of decided rounds are gone.
func (g *Graph) targets(from ...*vertex) []*vertex {
	var targets []*vertex
	seen := make(map[message.ID]bool)
	for _, v := range from {
		for _, ref := range v.Refs {
			if seen[ref.ID] {
				continue
			}
			seen[ref.ID] = true
			if target := g.find(ref.ID, v.Round-1); target != nil {
				targets = append(targets, target)
			}
		}
	}
	return targets
}
