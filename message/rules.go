package message

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"golang.org/x/crypto/blake2b"
)

// Rules are what a network's genesis adds to the judgement of a message.
type Rules struct {
	Network  NetworkID
	Genesis  ID  // the one ID that may be an only parent
	DataBits int // least work of a data message
}

// Check tells whether m belongs to the network and carries its work. The error
// is an *InvalidError. An error with ReasonWork speaks of this copy only, not
// of the ID: another copy may carry the right nonce.
func (r Rules) Check(m *Message) error {
	if m.Network != r.Network {
		return invalidf(ReasonNetwork, "message of network %v, this is %v", m.Network, r.Network)
	}
	if len(m.Parents) < MinParents && m.Parents[0] != r.Genesis {
		return &InvalidError{ReasonParents, errors.New("an only parent must be the genesis")}
	}
	if got := m.Work(); got < r.Bits(m.Kind) {
		return invalidf(ReasonWork, "work of %d bits, want %d", got, r.Bits(m.Kind))
	}
	return nil
}

// Bits is the least work of a message of kind k, in leading zero bits.
func (r Rules) Bits(Kind) int { return r.DataBits }

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
