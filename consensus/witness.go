package consensus

import "tangled/message"

// Witness is what the commit rule reads of a witness message.
type Witness struct {
	ID    message.ID
	Epoch uint32
	Seat  int
	Round uint64        // 1 and up
	Refs  []message.Ref // witnesses of round Round-1; none in round 1
}

// vertex is a witness that counts, with its part in the wave of its round.
type vertex struct {
	Witness

	// votesFor and certifies are nil where it votes for nobody, or is no
	// certificate.
	votesFor  *vertex // in a vote round
	certifies *vertex // in a certificate round

	// In a leader round, for the leader's witnesses: the seats whose votes and
	// certificates are known.
	votes        Seats
	certificates Seats
}

// counts reports whether w counts in the witness graph. Its answer is the same
// on every node, whatever was forgotten here: it looks at the bytes of w and of
// its targets and not at whether the targets count. The store is asked last.
func (g *Graph) counts(w *Witness) bool {
	size := g.committee.Size()
	if w.Epoch != g.epoch || w.Seat < 0 || w.Seat >= size {
		return false
	}
	if w.Round <= 1 {
		return w.Round == 1 && len(w.Refs) == 0
	}
	var seats Seats
	for _, ref := range w.Refs {
		seat := int(ref.Seat)
		if seat >= size || seats.has(seat) {
			return false
		}
		seats = seats.with(seat)
	}
	if !g.committee.Quorum(seats) {
		return false
	}
	for _, ref := range w.Refs {
		if !g.holds(ref, w.Round-1) {
			return false
		}
	}
	return true
}

// holds reports whether the target of ref is by its own bytes a witness of the
// seat that ref names, of the given round and of this epoch.
func (g *Graph) holds(ref message.Ref, round uint64) bool {
	if v := g.find(ref.ID, round); v != nil {
		return v.Seat == int(ref.Seat)
	}
	if g.lookup == nil {
		return false
	}
	w, ok := g.lookup(ref.ID)
	return ok && w.Seat == int(ref.Seat) && w.Round == round && w.Epoch == g.epoch
}
