package message

import (
	"encoding/binary"
	"errors"
)

const (
	// MaxSeats is the largest committee, and so the most refs of a witness.
	MaxSeats = 31
	// MaxWitnessParents is the most parents of a witness.
	MaxWitnessParents = 250

	refSize      = 1 + IDSize
	epochSize    = 4
	commitOffset = epochSize + 1 + 8 + IDSize // in the payload
	commitSize   = 8 + 32                     // without the signature
	commitTag    = "tangled/commit"
)

// Ref names the witness of a seat for the round before.
type Ref struct {
	Seat uint8
	ID   ID
}

// Commit is the newest commitment that a seat knew when it wrote a witness, with
// the seat's signature over it: a quorum of these is a proof of finality.
type Commit struct {
	Index     uint64   // j, zero for the genesis
	Hash      [32]byte // C_j
	Signature [signatureSize]byte
}

// CommitSigningBytes is what the key of a seat signs for commitment C_j.
func CommitSigningBytes(network NetworkID, epoch uint32, index uint64, hash [32]byte) []byte {
	b := make([]byte, 0, len(commitTag)+len(network)+epochSize+commitSize)
	b = append(b, commitTag...)
	b = append(b, network[:]...)
	b = binary.BigEndian.AppendUint32(b, epoch)
	b = binary.BigEndian.AppendUint64(b, index)
	return append(b, hash[:]...)
}

// Witness is the payload of a seat's message for one round.
//
// Its encoding, big-endian and canonical:
//
//	epoch u32
//	seat u8              0..30; its key is the message's issuer
//	round u64            1 and up
//	previous 40          the seat's witness before, or zero
//	commit index u64, commit hash 32, commit signature 64
//	ref count u8         0 in round 1, else 1..31
//	refs                 each seat u8, ID 40; ascending by seat
//
// Refs and previous are edges of the DAG like parents; see Message.Edges. That
// a ref is what it claims to be cannot be told from these bytes: such a witness
// is a valid message that does not count in the witness graph.
type Witness struct {
	Epoch    uint32
	Seat     uint8
	Round    uint64
	Previous ID
	Commit   Commit
	Refs     []Ref
}

// splitCommit finds the commitment, index and hash, in a witness payload, and
// its signature.
func splitCommit(payload []byte) (signed []byte, signature *[signatureSize]byte) {
	at := payload[commitOffset:]
	return at[:commitSize], (*[signatureSize]byte)(at[commitSize:])
}

// Validate tells whether w can be encoded. The error is an *InvalidError.
func (w *Witness) Validate() error {
	switch {
	case w.Seat >= MaxSeats:
		return invalidf(ReasonWitness, "seat %d, at most %d", w.Seat, MaxSeats-1)
	case w.Round == 0:
		return &InvalidError{ReasonWitness, errors.New("rounds begin at 1")}
	case (w.Round == 1) != (len(w.Refs) == 0):
		return invalidf(ReasonWitness, "%d refs in round %d", len(w.Refs), w.Round)
	case len(w.Refs) > MaxSeats:
		return invalidf(ReasonWitness, "%d refs, at most %d", len(w.Refs), MaxSeats)
	}
	for i, ref := range w.Refs {
		if ref.Seat >= MaxSeats {
			return invalidf(ReasonWitness, "ref to seat %d, at most %d", ref.Seat, MaxSeats-1)
		}
		if i > 0 && w.Refs[i-1].Seat >= ref.Seat {
			return &InvalidError{ReasonWitness, errors.New("refs are not ascending by seat and unique")}
		}
	}
	return nil
}

// Append appends the encoding of w to b. It does not validate.
func (w *Witness) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, w.Epoch)
	b = append(b, w.Seat)
	b = binary.BigEndian.AppendUint64(b, w.Round)
	b = append(b, w.Previous[:]...)
	b = binary.BigEndian.AppendUint64(b, w.Commit.Index)
	b = append(b, w.Commit.Hash[:]...)
	b = append(b, w.Commit.Signature[:]...)
	b = append(b, byte(len(w.Refs)))
	for i := range w.Refs {
		b = append(b, w.Refs[i].Seat)
		b = append(b, w.Refs[i].ID[:]...)
	}
	return b
}

// DecodeWitness reads a witness payload and validates it. The error is an
// *InvalidError.
func DecodeWitness(b []byte) (Witness, error) {
	var w Witness
	r := reader{b: b}
	w.Epoch = r.uint32()
	w.Seat = r.uint8()
	w.Round = r.uint64()
	w.Previous = r.id()
	w.Commit.Index = r.uint64()
	r.fill(w.Commit.Hash[:])
	r.fill(w.Commit.Signature[:])
	n := int(r.uint8())
	if r.short || len(r.b) < n*refSize {
		return Witness{}, invalidf(ReasonTruncated, "witness ends within a field")
	}
	if n > 0 {
		w.Refs = make([]Ref, n)
	}
	for i := range w.Refs {
		w.Refs[i] = Ref{r.uint8(), r.id()}
	}
	if len(r.b) > 0 {
		return Witness{}, invalidf(ReasonTrailing, "%d bytes after the witness", len(r.b))
	}
	return w, w.Validate()
}
