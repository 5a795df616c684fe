package node

import (
	"context"
	"errors"
	"fmt"

	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
)

// ErrNotFinal tells that a message is not final yet, or that its anchor is not
// signed by a quorum yet: ask again.
var ErrNotFinal = errors.New("node: message is not final yet")

// Anchor is what an anchor fixed.
type Anchor struct {
	Commitment proof.Commitment
	// Signed is the index of the first commitment from this one on that a quorum
	// signed; zero while there is none.
	Signed uint64
}

func (n *Node) commitment(index uint64) (proof.Commitment, error) {
	raw, err := n.store.Commitment(index)
	if errors.Is(err, storage.ErrNotFound) {
		return proof.Commitment{}, ErrNotFound
	}
	if err != nil {
		return proof.Commitment{}, err
	}
	return proof.DecodeCommitment(raw)
}

// Prove makes the proof that a message is in the ledger, which anyone who has
// the genesis can check without a node. The error is ErrNotFound, ErrNotFinal,
// an *Alarm or the store's.
func (n *Node) Prove(ctx context.Context, id message.ID) (*proof.Proof, error) {
	r, err := n.Get(id)
	if err != nil {
		return nil, err
	}
	final, ok, err := n.store.Final(id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotFinal
	}
	if !n.isFinal(final) {
		return nil, n.alarm.Load()
	}
	p := &proof.Proof{Message: proof.IdentityBytes(r.Message), Outcome: final.Outcome, Index: uint64(final.Index)}
	if p.Commitment, err = n.commitment(final.Anchor); err != nil {
		return nil, err
	}
	if p.Path, err = n.includedPath(ctx, final, p.Commitment.Count); err != nil {
		return nil, err
	}
	return p, n.sealProof(p)
}

// includedPath is the path of a message in the tree over what its anchor
// included.
func (n *Node) includedPath(ctx context.Context, final storage.Final, count uint64) ([][32]byte, error) {
	leaves := make([][]byte, 0, count)
	for p, err := range n.store.Order(ctx, final.Anchor, 0) {
		if err != nil {
			return nil, err
		}
		if p.Anchor != final.Anchor {
			break
		}
		leaves = append(leaves, proof.Leaf(p.ID, p.Outcome))
	}
	if uint64(len(leaves)) != count {
		return nil, fmt.Errorf("node: anchor %d included %d messages, %d are here", final.Anchor, count, len(leaves))
	}
	return merkle.Path(leaves, uint64(final.Index))
}

// treeNode is a node of the tree of commitments, whose first leaf nobody stores: it
// is the genesis.
func (n *Node) treeNode(level uint8, index uint64) ([32]byte, error) {
	if level == 0 && index == 0 {
		hash := n.opts.Genesis.Hash()
		return merkle.LeafHash(hash[:]), nil
	}
	return n.store.Node(level, index)
}

// sealProof adds the signed commitment and the way to it.
func (n *Node) sealProof(p *proof.Proof) error {
	index := p.Commitment.Index
	signed, raw, err := n.store.Signatures(index)
	if errors.Is(err, storage.ErrNotFound) {
		return ErrNotFinal
	}
	if err != nil {
		return err
	}
	if p.Finality.Signatures, err = proof.DecodeSignatures(raw); err != nil {
		return err
	}
	p.Finality.Commitment = p.Commitment
	if signed == index {
		return nil
	}
	if p.Finality.Commitment, err = n.commitment(signed); err != nil {
		return err
	}
	p.TreePath, err = merkle.PathOf(index, signed, n.treeNode)
	return err
}
