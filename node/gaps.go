package node

import (
	"context"
	"errors"
	"fmt"
	"math/bits"

	"tangled/catchup"
	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
)

// Gaps are the ranges of anchors of which this node lacks something.
func (n *Node) Gaps() ([]storage.Gap, error) { return n.store.Gaps() }

// CompleteFrom is the anchor from which on everything is here.
func (n *Node) CompleteFrom() uint64 { return n.store.CompleteFrom() }

// fillGaps fetches what a permanode lacks and a peer has, the newest gap first.
func (n *Node) fillGaps(ctx context.Context, client *catchup.Client, status catchup.Status) error {
	if n.opts.Retention != 0 {
		return nil
	}
	gaps, err := n.store.Gaps()
	if err != nil {
		return err
	}
	for i := len(gaps) - 1; i >= 0; i-- {
		first, last := max(gaps[i].First, status.CompleteFrom), gaps[i].Last
		if first > last {
			continue
		}
		err := n.fill(ctx, client, first, last)
		if err != nil && !errors.Is(err, catchup.ErrNotHere) {
			return err
		}
	}
	return nil
}

// fill fetches a stretch of a gap, verified against what follows it here.
func (n *Node) fill(ctx context.Context, client *catchup.Client, first, last uint64) error {
	end, err := n.endOf(last)
	if err != nil {
		return err
	}
	tree, err := n.treeBefore(first)
	if err != nil {
		return err
	}
	n.opts.Logger.Info("filling a gap", "first", first, "last", last)
	for v, err := range client.Backfill(ctx, first, last, end) {
		if err != nil {
			return err
		}
		filled, err := filledAnchor(v)
		if err != nil {
			return err
		}
		if tree != nil {
			filled.Nodes = storedNodes(appendCommitment(tree, v.Commitment))
		}
		if err := n.store.Fill(filled); err != nil && !errors.Is(err, storage.ErrNoGap) {
			return err
		}
		n.metrics.filled.Inc()
	}
	return nil
}

// endOf is the hash of the last commitment of a gap, by itself or by the one after
// it.
func (n *Node) endOf(last uint64) ([32]byte, error) {
	c, err := n.commitment(last + 1)
	if err == nil {
		return c.Previous, nil
	}
	if c, err = n.commitment(last); err != nil {
		return [32]byte{}, fmt.Errorf("end of the gap at anchor %d: %w", last, err)
	}
	return c.Hash(), nil
}

// treeBefore is the tree over the commitments before an anchor; nil where its
// peaks are not here, and the proofs of a stretch cannot be made to lead through
// it.
func (n *Node) treeBefore(anchor uint64) (*merkle.Tree, error) {
	var peaks [][32]byte
	for level := bits.Len64(anchor) - 1; level >= 0; level-- {
		if anchor>>level&1 == 0 {
			continue
		}
		hash, err := n.treeNode(uint8(level), anchor>>level-1)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		peaks = append(peaks, hash)
	}
	return merkle.Restore(anchor, peaks)
}

func appendCommitment(tree *merkle.Tree, c proof.Commitment) []merkle.Node {
	hash := c.Hash()
	return tree.Append(hash[:])
}

// filledAnchor is what the store keeps of an anchor whose ledger state is long
// past: what it changed follows from the outcomes.
func filledAnchor(v catchup.Verified) (storage.FilledAnchor, error) {
	filled := storage.FilledAnchor{Anchor: v.Commitment.Index, Commitment: v.Commitment.Encode()}
	if len(v.Signatures) > 0 {
		filled.Signatures = proof.EncodeSignatures(v.Signatures)
	}
	for i, m := range v.Messages {
		outcome := v.Included[i].Outcome
		filled.Included = append(filled.Included, storage.FinalMessage{ID: m.ID(), Outcome: outcome})
		filled.Records = append(filled.Records, storage.Record{Message: m, Seen: v.Commitment.Time})
		if m.Kind != message.KindTransfer {
			continue
		}
		t, err := m.Transfer()
		if err != nil {
			return filled, fmt.Errorf("included message %v: %w", m.ID(), err)
		}
		filled.Transfers = append(filled.Transfers, storage.FinalTransfer{
			TransferID: t.ID(v.Commitment.Network), Index: uint32(i), Outcome: outcome,
		})
		if ledger.Outcome(outcome) == ledger.Applied {
			filled.History = append(filled.History, historyOf(&t, uint32(i))...)
		}
	}
	return filled, nil
}

// historyOf are the accounts that an applied transfer changed, each once.
func historyOf(t *message.Transfer, index uint32) []storage.AccountEntry {
	seen := map[message.Address]bool{message.AddressOf(t.From): true}
	for _, out := range t.Outputs {
		seen[out.Address] = true
	}
	entries := make([]storage.AccountEntry, 0, len(seen))
	for address := range seen {
		entries = append(entries, storage.AccountEntry{Address: address, Index: index})
	}
	return entries
}
