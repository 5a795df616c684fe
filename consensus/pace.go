package consensus

import "tangled/message"

// What a seat and the door ask a Graph. Of the rounds before 3*NextWave nothing
// is kept, so there the answers are zero, but for Highest.

// NextWave is the lowest undecided wave.
func (g *Graph) NextWave() uint64 { return g.nextWave }

// LastIndex is the index of the last anchor decided, zero before the first.
func (g *Graph) LastIndex() uint64 { return g.lastIndex }

// QuorumRound is the highest round of which witnesses of a quorum are known that
// count, zero if there is none. Refs of that round are always here.
func (g *Graph) QuorumRound() uint64 { return g.quorumRound }

// QuorumRoundBy is the highest undecided round of which witnesses of a quorum are
// in Refs that are stamped no later than a time, in ns since the Unix epoch; zero
// if there is none.
func (g *Graph) QuorumRoundBy(time uint64) uint64 {
	for number := g.quorumRound; g.rounds[number] != nil; number-- {
		var seats Seats
		for _, ref := range g.Refs(number) {
			if ref.ID.Timestamp() <= time {
				seats = seats.with(int(ref.Seat))
			}
		}
		if g.committee.Quorum(seats) {
			return number
		}
	}
	return 0
}

// Refs returns one witness of every seat for a round that counts, the first
// seen, ascending by seat: what a witness of the next round refs. Whether they
// are a quorum is for the caller to see. The caller owns the slice.
func (g *Graph) Refs(round uint64) []message.Ref {
	var refs []message.Ref
	for seat := range g.committee.Size() {
		if copies := g.copies(seat, round); len(copies) > 0 {
			refs = append(refs, message.Ref{Seat: uint8(seat), ID: copies[0].ID})
		}
	}
	return refs
}

// LeaderKnown reports whether a witness of the leader for the leader round of an
// undecided wave is here that counts.
func (g *Graph) LeaderKnown(wave uint64) bool { return len(g.leaders(wave)) > 0 }

// VotesKnown reports whether votes of a quorum for one leader witness of an
// undecided wave are here.
func (g *Graph) VotesKnown(wave uint64) bool {
	for _, leader := range g.leaders(wave) {
		if g.committee.Quorum(leader.votes) {
			return true
		}
	}
	return false
}

// leaders are the leader witnesses of a wave.
func (g *Graph) leaders(wave uint64) []*vertex {
	return g.copies(g.committee.Leader(wave), 3*wave+1)
}

// Highest is the highest round of which a witness of the seat came that counts,
// zero if none did since New.
func (g *Graph) Highest(seat int) uint64 {
	if seat < 0 || seat >= len(g.highest) {
		return 0
	}
	return g.highest[seat]
}

// Copies is how many witnesses of a seat for a round are here that count: more
// than one are proof that the seat lies, and a third is of no use unless
// somebody refs it.
func (g *Graph) Copies(seat int, round uint64) int { return len(g.copies(seat, round)) }
