package proof

import (
	"crypto/ed25519"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"tangled/genesis"
	"tangled/message"
)

// signatureEntry is the length of a Signature in EncodeSignatures.
const signatureEntry = 1 + ed25519.SignatureSize

// Signature is a seat's signature over a commitment, as its witnesses carry it:
// over message.CommitSigningBytes, valid by the rules of ZIP-215.
type Signature struct {
	Seat      uint8
	Signature [ed25519.SignatureSize]byte
}

// Verify tells whether s is the signature of its seat over c. It does not look
// at what c says. The error is an *InvalidError.
func (s *Signature) Verify(c *Commitment, g *genesis.Genesis) error {
	if int(s.Seat) >= len(g.Committee) {
		return invalidf(ReasonSeat, "signature of seat %d, the committee has %d", s.Seat, len(g.Committee))
	}
	key := g.Committee[s.Seat].Key
	signed := message.CommitSigningBytes(c.Network, c.Epoch, c.Index, c.Hash())
	// The same rules as for messages: no room for a signature that one node
	// takes and another refuses.
	options := &voi.Options{Verify: voi.VerifyOptionsZIP_215}
	if !voi.VerifyWithOptions(key[:], signed, s.Signature[:], options) {
		return invalidf(ReasonSignature, "signature of seat %d does not match commitment %d", s.Seat, c.Index)
	}
	return nil
}

// EncodeSignatures is the binary form of a set of signatures, for a store or the
// wire: of each the seat (1 byte) and the signature (64), nothing else. They must
// be ascending by seat, each seat once. The caller owns the slice.
func EncodeSignatures(signatures []Signature) []byte {
	b := make([]byte, 0, signatureEntry*len(signatures))
	for i := range signatures {
		b = append(append(b, signatures[i].Seat), signatures[i].Signature[:]...)
	}
	return b
}

// DecodeSignatures reads what EncodeSignatures wrote. It tells nothing about the
// signatures' truth: see Finality. The error is an *InvalidError.
func DecodeSignatures(b []byte) ([]Signature, error) {
	if len(b)%signatureEntry != 0 {
		return nil, invalidf(ReasonEncoding, "signatures of %d bytes, want a multiple of %d", len(b), signatureEntry)
	}
	var signatures []Signature
	for ; len(b) > 0; b = b[signatureEntry:] {
		s := Signature{Seat: b[0], Signature: [ed25519.SignatureSize]byte(b[1:])}
		if s.Seat >= message.MaxSeats {
			return nil, invalidf(ReasonSeat, "signature of seat %d, at most %d", s.Seat, message.MaxSeats-1)
		}
		if err := ascending(signatures, s.Seat); err != nil {
			return nil, err
		}
		signatures = append(signatures, s)
	}
	return signatures, nil
}

// ascending tells whether a signature of seat may come after these.
func ascending(before []Signature, seat uint8) error {
	if n := len(before); n > 0 && before[n-1].Seat >= seat {
		return invalidf(ReasonSeat, "signature of seat %d after that of seat %d, want ascending and each once",
			seat, before[n-1].Seat)
	}
	return nil
}
