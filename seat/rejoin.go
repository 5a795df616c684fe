package seat

import "tangled/consensus"

// margin is how far above everything reported a seat starts. Two would do for
// the proof in the package comment; the third keeps the old self's next round,
// which it may have been about to write, apart from the first of the new.
const margin = 3

// Rejoin finds the round from which a seat without a memory may write again: one
// that its old self, whose store is gone, cannot have reached.
//
// Invariant: the only reports that count are those of other seats, to this
// nonce.
type Rejoin struct {
	committee *consensus.Committee
	seat      int
	nonce     Nonce
	highest   map[int]uint64 // Report.Highest by reporter, the highest of each
}

// NewRejoin begins an attempt. The nonce is fresh from a source of randomness.
func NewRejoin(committee *consensus.Committee, seat int, nonce Nonce) *Rejoin {
	return &Rejoin{committee: committee, seat: seat, nonce: nonce, highest: make(map[int]uint64)}
}

// Possible tells whether the other seats are a quorum by themselves. Where they
// are not, reports never suffice and only the operator can give the seat its
// word: in every committee of one to three equal seats, and for a seat with a
// third of the weight or more.
func (r *Rejoin) Possible() bool {
	var others consensus.Seats
	for seat := range r.committee.Size() {
		if seat != r.seat {
			others |= 1 << seat
		}
	}
	return r.committee.Quorum(others)
}

// Request is the content of the message under RequestTopic, to be issued again,
// with new parents, every few seconds until Start is true.
func (r *Rejoin) Request() []byte {
	return Request{Seat: uint8(r.seat), Nonce: r.nonce}.Append(nil)
}

// Add takes the report that the seat reporter issued, and tells whether it was
// news. One report of a seat is kept, the highest. HighestOfSeat is not looked at:
// it is never above Highest.
func (r *Rejoin) Add(reporter int, report Report) bool {
	switch {
	case reporter < 0 || reporter >= r.committee.Size() || reporter == r.seat:
		return false
	case int(report.Seat) != r.seat || report.Nonce != r.nonce:
		return false
	}
	if known, ok := r.highest[reporter]; ok && known >= report.Highest {
		return false
	}
	r.highest[reporter] = report.Highest
	return true
}

// Start is the least round to write, for Options.Start, once a quorum of the
// other seats has reported no more than what g bears out. It may turn true when
// a report was added or a witness observed. The first answer is taken and no
// more are asked for.
//
// A report is borne out when g knows a witness of its highest round. What an
// honest seat reports, every graph learns; a seat that reports a round out of
// reach, to keep this one silent for ever, is left out of the quorum.
func (r *Rejoin) Start(g *consensus.Graph) (round uint64, ok bool) {
	var borneOut consensus.Seats
	known := highest(g, r.committee)
	top := g.Highest(r.seat)
	for reporter, round := range r.highest {
		if round <= known {
			borneOut |= 1 << reporter
			top = max(top, round)
		}
	}
	if !r.committee.Quorum(borneOut) {
		return 0, false
	}
	return top + margin, true
}
