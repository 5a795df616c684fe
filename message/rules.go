package message

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"golang.org/x/crypto/blake2b"
)

// Rules are what a network's genesis adds to the judgement of a message.
type Rules struct {
	Network NetworkID
	Genesis ID // the one ID that may be an ordinary message's only parent
	// Least work of each kind, in leading zero bits.
	DataBits, TransferBits, WitnessBits int
	// Seats are the keys that may write witnesses, in the genesis's order.
	Seats []Issuer
}

// Check tells whether m belongs to the network and carries its work. The error
// is an *InvalidError. An error with ReasonWork speaks of this copy only, not
// of the ID: another copy may carry the right nonce.
func (r Rules) Check(m *Message) error {
	if m.Network != r.Network {
		return invalidf(ReasonNetwork, "message of network %v, this is %v", m.Network, r.Network)
	}
	if len(m.Parents) < minParents(m.Kind) && m.Parents[0] != r.Genesis {
		return &InvalidError{ReasonParents, errors.New("an only parent must be the genesis")}
	}
	if m.Kind == KindWitness {
		if err := r.checkWitness(m); err != nil {
			return err
		}
	}
	if got := m.Work(); got < r.Bits(m.Kind) {
		return invalidf(ReasonWork, "work of %d bits, want %d", got, r.Bits(m.Kind))
	}
	return nil
}

// checkWitness tells whether m is its seat's to write. The committee does not
// change, so there is one epoch.
func (r Rules) checkWitness(m *Message) error {
	w, err := m.Witness()
	if err != nil {
		return err
	}
	if w.Epoch != 0 {
		return invalidf(ReasonWitness, "witness of epoch %d, this is 0", w.Epoch)
	}
	if int(w.Seat) >= len(r.Seats) || r.Seats[w.Seat] != m.Issuer {
		return invalidf(ReasonWitness, "seat %d is not the issuer's", w.Seat)
	}
	if n := len(w.Refs); n > 0 && int(w.Refs[n-1].Seat) >= len(r.Seats) {
		return invalidf(ReasonWitness, "ref to seat %d of %d", w.Refs[n-1].Seat, len(r.Seats))
	}
	return nil
}

// Bits is the least work of a message of kind k, in leading zero bits.
func (r Rules) Bits(k Kind) int {
	switch k {
	case KindTransfer:
		return r.TransferBits
	case KindWitness:
		return r.WitnessBits
	}
	return r.DataBits
}

// Work is the leading zero bits of BLAKE2b-256(hash part of the ID || nonce).
func (m *Message) Work() int {
	var in [32 + nonceSize]byte
	copy(in[:], m.id[8:])
	binary.BigEndian.PutUint64(in[32:], m.Nonce)
	sum := blake2b.Sum256(in[:])
	zeros := 0
	for _, b := range sum {
		zeros += bits.LeadingZeros8(b)
		if b != 0 {
			break
		}
	}
	return zeros
}
