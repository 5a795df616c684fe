package node

import (
	"errors"
	"fmt"
)

// ErrUntrusted tells that a history is not the one that Options.Trust is of.
var ErrUntrusted = errors.New("node: not the history that the operator trusts")

// vouched tells whether a commitment is what the operator's word says, if it is
// about that one. No quorum stands above it: keys of seats may have been stolen.
func (o *Options) vouched(index uint64, commitment [32]byte) error {
	t := o.Trust
	if t == nil || index != t.Index || commitment == t.Commitment {
		return nil
	}
	return fmt.Errorf("%w: anchor %d has commitment %x, want %x", ErrUntrusted, index, commitment, t.Commitment)
}

// checkTrust compares what is stored with the operator's word, as far as it is
// here.
func (n *Node) checkTrust() error {
	if n.opts.Trust == nil {
		return nil
	}
	c, err := n.commitment(n.opts.Trust.Index)
	if errors.Is(err, ErrNotFound) {
		return nil // not yet, or no more
	}
	if err != nil {
		return err
	}
	return n.opts.vouched(c.Index, c.Hash())
}
