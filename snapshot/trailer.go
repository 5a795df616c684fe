package snapshot

import (
	"encoding/binary"
	"errors"

	"tangled/genesis"
	"tangled/message"
	"tangled/proof"
)

const (
	digestSize    = 32
	signatureSize = 65 // a seat and its signature
)

// trailer is what comes after the body.
type trailer struct {
	digest     [digestSize]byte
	signatures []proof.Signature
	witness    []byte
}

func (t *trailer) encode() []byte {
	b := append([]byte(nil), t.digest[:]...)
	b = append(b, byte(len(t.signatures)))
	b = append(b, proof.EncodeSignatures(t.signatures)...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.witness)))
	return append(b, t.witness...)
}

// decodeTrailer reads what encode wrote. The error is an *InvalidError.
func decodeTrailer(b []byte) (*trailer, error) {
	short := invalidf(ReasonEncoding, "trailer ends within a field")
	if len(b) < digestSize+1 {
		return nil, short
	}
	t := &trailer{digest: [digestSize]byte(b)}
	size, rest := signatureSize*int(b[digestSize]), b[digestSize+1:]
	if len(rest) < size+4 {
		return nil, short
	}
	var err error
	if t.signatures, err = proof.DecodeSignatures(rest[:size]); err != nil {
		return nil, &InvalidError{ReasonFinality, err}
	}
	length, rest := binary.BigEndian.Uint32(rest[size:]), rest[size+4:]
	if uint64(length) != uint64(len(rest)) {
		return nil, invalidf(ReasonEncoding, "witness of %d bytes, said to be %d", len(rest), length)
	}
	t.witness = rest
	return t, nil
}

// verifyFinality tells whether a quorum signed c, or whether the operator's word
// stands in for it.
func verifyFinality(g *genesis.Genesis, c *proof.Commitment, signatures []proof.Signature, trust *Trust) (trusted bool, err error) {
	finality := proof.Finality{Commitment: *c, Signatures: signatures}
	invalid := new(proof.InvalidError)
	switch err := finality.Verify(g); {
	case err == nil:
		return false, nil
	case trust != nil && errors.As(err, &invalid) && invalid.Reason == proof.ReasonQuorum:
		// Verify counts the weight last: the signatures themselves are good.
		return true, nil
	default:
		return false, &InvalidError{ReasonFinality, err}
	}
}

// verifyWitness reads A_j and returns it with its round. It must be valid as every
// node judges messages; that it is the one that C_j names says the rest.
func verifyWitness(g *genesis.Genesis, c *proof.Commitment, b []byte) (*message.Message, uint64, error) {
	m, err := message.Decode(b)
	if err != nil {
		return nil, 0, &InvalidError{ReasonWitness, err}
	}
	if m.ID() != c.Anchor {
		return nil, 0, invalidf(ReasonWitness, "witness %v, the anchor is %v", m.ID(), c.Anchor)
	}
	w, err := m.Witness()
	if err != nil {
		return nil, 0, &InvalidError{ReasonWitness, err}
	}
	if err := messageRules(g).Check(m); err != nil {
		return nil, 0, &InvalidError{ReasonWitness, err}
	}
	if err := message.NewVerifier().Verify(m); err != nil {
		return nil, 0, &InvalidError{ReasonWitness, err}
	}
	return m, w.Round, nil
}

func messageRules(g *genesis.Genesis) message.Rules {
	r := message.Rules{
		Network:      g.Network(),
		Genesis:      g.ID(),
		DataBits:     g.DataBits,
		TransferBits: g.TransferBits,
		WitnessBits:  g.WitnessBits,
	}
	for _, seat := range g.Committee {
		r.Seats = append(r.Seats, seat.Key)
	}
	return r
}
