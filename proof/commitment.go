package proof

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
	"tangled/message"
)

const (
	// CommitmentSize is the length of an encoded Commitment in bytes.
	CommitmentSize = 8 + 4 + 8 + message.IDSize + 8 + 32 + 32 + 8 + 32 + 32 + 32 + 32
	// LeafSize is the length of the leaf of a message.
	LeafSize = message.IDSize + 1
)

// Commitment is what anchor A_j fixes, on every node alike: the preimage of C_j.
// The package comment draws its encoding.
type Commitment struct {
	Network    message.NetworkID
	Epoch      uint32     // 0 until the committee changes
	Index      uint64     // j, from 1
	Anchor     message.ID // A_j
	Time       uint64     // T_j, the ledger time, ns since the Unix epoch
	Previous   [32]byte   // C_{j-1}; C_0 is genesis.Hash()
	Tree       [32]byte   // Merkle root over C_0..C_{j-1}
	Count      uint64     // of the messages in S_j
	Included   [32]byte   // Merkle root over S_j, of each its Leaf
	State      [32]byte   // hash of the accounts and unexpired transfer ids
	Committee  [32]byte   // genesis.CommitteeHash()
	Parameters [32]byte   // genesis.ParametersHash()
}

// Leaf is what a message is in the tree over S_j: its ID and its outcome.
func Leaf(id message.ID, outcome uint8) []byte {
	return append(append(make([]byte, 0, LeafSize), id[:]...), outcome)
}

// Encode is the one encoding of c. The caller owns the slice.
func (c *Commitment) Encode() []byte {
	b := make([]byte, 0, CommitmentSize)
	b = append(b, c.Network[:]...)
	b = binary.BigEndian.AppendUint32(b, c.Epoch)
	b = binary.BigEndian.AppendUint64(b, c.Index)
	b = append(b, c.Anchor[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Time)
	b = append(b, c.Previous[:]...)
	b = append(b, c.Tree[:]...)
	b = binary.BigEndian.AppendUint64(b, c.Count)
	b = append(b, c.Included[:]...)
	b = append(b, c.State[:]...)
	b = append(b, c.Committee[:]...)
	return append(b, c.Parameters[:]...)
}

// Hash is C_j: the BLAKE2b-256 of the encoding.
func (c *Commitment) Hash() [32]byte { return blake2b.Sum256(c.Encode()) }

// DecodeCommitment reads what Encode wrote. Any bytes of the right length are a
// commitment; whether it means anything, only a Finality tells. The error is an
// *InvalidError.
func DecodeCommitment(b []byte) (Commitment, error) {
	if len(b) != CommitmentSize {
		return Commitment{}, invalidf(ReasonEncoding, "commitment of %d bytes, want %d", len(b), CommitmentSize)
	}
	return Commitment{
		Network:    message.NetworkID(b[0:]),
		Epoch:      binary.BigEndian.Uint32(b[8:]),
		Index:      binary.BigEndian.Uint64(b[12:]),
		Anchor:     message.ID(b[20:]),
		Time:       binary.BigEndian.Uint64(b[60:]),
		Previous:   [32]byte(b[68:]),
		Tree:       [32]byte(b[100:]),
		Count:      binary.BigEndian.Uint64(b[132:]),
		Included:   [32]byte(b[140:]),
		State:      [32]byte(b[172:]),
		Committee:  [32]byte(b[204:]),
		Parameters: [32]byte(b[236:]),
	}, nil
}

// check tells whether c can be a commitment of the network of g. The error is an
// *InvalidError.
func (c *Commitment) check(g *genesis.Genesis) error {
	switch {
	case c.Network != g.Network():
		return invalidf(ReasonNetwork, "commitment of network %v, the genesis is of %x", c.Network, g.Network())
	case c.Epoch != 0:
		return invalidf(ReasonEpoch, "commitment of epoch %d, the genesis has the committee of epoch 0 only", c.Epoch)
	case c.Index == 0:
		return invalidf(ReasonIndex, "commitment 0 is the genesis")
	case c.Committee != g.CommitteeHash():
		return invalidf(ReasonCommittee, "commitment %d has committee hash %x, the genesis %x", c.Index, c.Committee, g.CommitteeHash())
	case c.Parameters != g.ParametersHash():
		return invalidf(ReasonParameters, "commitment %d has parameters hash %x, the genesis %x", c.Index, c.Parameters, g.ParametersHash())
	}
	return nil
}
