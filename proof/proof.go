package proof

import (
	"slices"

	"tangled/genesis"
	"tangled/merkle"
	"tangled/message"
)

// nonceSize is the length of what ends a message's encoding and is no part of
// its identity.
const nonceSize = 8

// Proof shows that a message is in the ledger, with its outcome and its place.
// The package comment draws the way it leads and its file.
type Proof struct {
	Message    []byte     // encoding without the nonce: see IdentityBytes
	Outcome    uint8      // as the ledger numbers them
	Index      uint64     // place of the message in S_j, from 0
	Path       [][32]byte // from its Leaf to Commitment.Included
	Commitment Commitment // of the anchor j that included the message
	TreePath   [][32]byte // from C_j to Finality.Commitment.Tree; none where k = j
	Finality   Finality   // of commitment k >= j; where k = j its Commitment is the one above
}

// Statement is what a Proof that verifies has proven.
type Statement struct {
	Network message.NetworkID
	Message *message.Message // its nonce is zero: not proven
	ID      message.ID
	Outcome uint8
	Anchor  uint64 // index j of the anchor that included the message
	Time    uint64 // T_j, the ledger time, ns since the Unix epoch
	Index   uint64 // place in S_j; (Anchor, Index) is the position in the ledger
	Signed  uint64 // index k of the commitment that was signed
	Signers []uint8
	Weight  uint64 // of the signers
	Total   uint64 // of the committee
}

// IdentityBytes is the part of m's encoding that its ID is the hash of: all but
// the nonce. The caller must not change it.
func IdentityBytes(m *message.Message) []byte {
	b := m.Bytes()
	return b[: len(b)-nonceSize : len(b)-nonceSize]
}

// Verify checks every step of p against the genesis, which must be valid. The
// error is an *InvalidError.
func (p *Proof) Verify(g *genesis.Genesis) (Statement, error) {
	m, err := p.message(g)
	if err != nil {
		return Statement{}, err
	}
	c := &p.Commitment
	if err := c.check(g); err != nil {
		return Statement{}, err
	}
	if err := merkle.Verify(c.Included, c.Count, p.Index, Leaf(m.ID(), p.Outcome), p.Path); err != nil {
		return Statement{}, invalidf(ReasonInclusion, "message %v in anchor %d: %w", m.ID(), c.Index, err)
	}
	if err := p.verifyTree(); err != nil {
		return Statement{}, err
	}
	if err := p.Finality.Verify(g); err != nil {
		return Statement{}, err
	}
	return p.statement(g, m), nil
}

// message decodes the message and checks that it belongs to the network and
// that its issuer signed it.
func (p *Proof) message(g *genesis.Genesis) (*message.Message, error) {
	m, err := message.Decode(append(slices.Clip(p.Message), make([]byte, nonceSize)...))
	if err != nil {
		return nil, &InvalidError{ReasonMessage, err}
	}
	if m.Network != g.Network() {
		return nil, invalidf(ReasonNetwork, "message of network %v, the genesis is of %x", m.Network, g.Network())
	}
	if err := message.NewVerifier().Verify(m); err != nil {
		return nil, &InvalidError{ReasonMessage, err}
	}
	return m, nil
}

// verifyTree leads from C_j to C_k.
func (p *Proof) verifyTree() error {
	c, final := &p.Commitment, &p.Finality.Commitment
	if *c == *final {
		if len(p.TreePath) > 0 {
			return invalidf(ReasonTree, "a path of %d steps from commitment %d to itself", len(p.TreePath), c.Index)
		}
		return nil
	}
	hash := c.Hash()
	if err := merkle.Verify(final.Tree, final.Index, c.Index, hash[:], p.TreePath); err != nil {
		return invalidf(ReasonTree, "commitment %d in the tree of commitment %d: %w", c.Index, final.Index, err)
	}
	return nil
}

func (p *Proof) statement(g *genesis.Genesis, m *message.Message) Statement {
	s := Statement{
		Network: m.Network,
		Message: m,
		ID:      m.ID(),
		Outcome: p.Outcome,
		Anchor:  p.Commitment.Index,
		Time:    p.Commitment.Time,
		Index:   p.Index,
		Signed:  p.Finality.Commitment.Index,
		Weight:  p.Finality.weight(g),
		Total:   totalWeight(g),
	}
	for _, signature := range p.Finality.Signatures {
		s.Signers = append(s.Signers, signature.Seat)
	}
	return s
}
