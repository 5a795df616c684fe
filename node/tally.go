package node

import (
	"slices"

	"tangled/consensus"
	"tangled/message"
	"tangled/proof"
)

// tallyLimit is how many commitments of one seat are waited with until a quorum
// signed one of them or a later one. What a seat signs beyond pushes out its own.
const tallyLimit = 64

// claim is a commitment as seats sign it.
type claim struct {
	index uint64
	hash  [32]byte
}

// tally counts the seats' signatures over commitments: a quorum's over ours make
// a proof of finality, and those of more than a third of the weight over another
// say that we, or they, went wrong.
type tally struct {
	committee  *consensus.Committee
	signers    map[claim]consensus.Seats
	signatures map[claim][]proof.Signature
	bySeat     [][]claim // the oldest first
	newest     uint64    // index of the newest commitment that a quorum signed
}

func newTally(c *consensus.Committee) *tally {
	return &tally{
		committee:  c,
		signers:    make(map[claim]consensus.Seats),
		signatures: make(map[claim][]proof.Signature),
		bySeat:     make([][]claim, c.Size()),
	}
}

// add takes the commitment of a seat's witness, whose signature is verified.
// Those up to the newest that a quorum signed tell nothing new.
func (t *tally) add(seat int, c message.Commit) {
	s := claim{c.Index, c.Hash}
	if c.Index <= t.newest || t.signers[s]&(1<<seat) != 0 {
		return
	}
	if len(t.bySeat[seat]) == tallyLimit {
		t.withdraw(seat, t.bySeat[seat][0])
	}
	t.bySeat[seat] = append(t.bySeat[seat], s)
	t.signers[s] |= 1 << seat
	t.signatures[s] = append(t.signatures[s], proof.Signature{Seat: uint8(seat), Signature: c.Signature})
}

func (t *tally) withdraw(seat int, s claim) {
	t.bySeat[seat] = slices.DeleteFunc(t.bySeat[seat], func(other claim) bool { return other == s })
	if t.signers[s] &^= 1 << seat; t.signers[s] == 0 {
		delete(t.signers, s)
		delete(t.signatures, s)
		return
	}
	t.signatures[s] = slices.DeleteFunc(t.signatures[s], func(sig proof.Signature) bool { return int(sig.Seat) == seat })
}

// contradicts tells whether more than a third of the weight signed another
// commitment at the index of ours: at least one honest seat did.
func (t *tally) contradicts(ours claim) bool {
	for s, seats := range t.signers {
		if s.index == ours.index && s.hash != ours.hash && t.committee.MoreThanThird(seats) {
			return true
		}
	}
	return false
}

// settle returns the signatures of a quorum over ours, once, ascending by seat.
// Whatever is not newer is forgotten then.
func (t *tally) settle(ours claim) []proof.Signature {
	if ours.index <= t.newest || !t.committee.Quorum(t.signers[ours]) {
		return nil
	}
	signatures := t.signatures[ours]
	slices.SortFunc(signatures, func(a, b proof.Signature) int { return int(a.Seat) - int(b.Seat) })
	t.newest = ours.index
	for seat, all := range t.bySeat {
		t.bySeat[seat] = slices.DeleteFunc(all, func(s claim) bool { return s.index <= ours.index })
	}
	for s := range t.signers {
		if s.index <= ours.index {
			delete(t.signers, s)
			delete(t.signatures, s)
		}
	}
	return signatures
}
