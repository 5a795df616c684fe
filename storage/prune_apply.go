package storage

import (
	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// applyStage writes a stage. The caller holds writing.
func (s *Store) applyStage(st *stage, p Pruning) error {
	b := s.db.NewBatchWithSize(st.size + 64*len(st.indexed) + 4096)
	defer b.Close()
	for _, t := range []byte{tableMessage, tableFinal, tablePending, tableReplaced, tableHeld} {
		_ = b.DeleteRange(idKey(t, st.from), idKey(t, st.upTo), nil)
	}
	for _, x := range st.indexed {
		_ = b.DeleteRange(x.lower, x.upper, nil)
	}
	gapEnd := st.lost
	if st.last {
		s.dropAnchors(b, p.Anchor)
		s.dropRounds(b, p.Round)
		gapEnd = max(gapEnd, p.Anchor)
	}
	for _, op := range st.rest {
		if op.value == nil {
			_ = b.Delete(op.key, nil)
		} else {
			_ = b.Set(op.key, op.value, nil)
		}
	}
	gaps := *s.gaps.Load()
	if gapEnd > 0 {
		gaps = addGap(gaps, Gap{1, gapEnd, GapPruned})
	}
	return s.applyGaps(b, gaps, s.count.Load()-min(s.count.Load(), st.Messages))
}

// dropAnchors deletes what is stored of the anchors up to one. Of the tree of
// commitments it leaves, at each level, the last node that was complete with that
// one: those are the left siblings on the paths of later leaves.
func (s *Store) dropAnchors(b *pebble.Batch, anchor uint64) {
	if anchor == 0 {
		return
	}
	_ = b.DeleteRange(orderKey(0, 0), orderKey(anchor+1, 0), nil)
	for _, t := range []byte{tableCommitment, tableSignatures} {
		_ = b.DeleteRange(anchorKey(t, 0), anchorKey(t, anchor+1), nil)
	}
	// Leaf i is of anchor i, and leaf 0 of the genesis.
	for level, complete := uint8(0), anchor+1; complete > 1; level, complete = level+1, complete/2 {
		_ = b.DeleteRange(nodeKey(level, 0), nodeKey(level, complete-1), nil)
	}
}

// dropRounds deletes what is known of the witnesses of epoch 0 below a round, but
// for the newest own one, which must never be forgotten.
func (s *Store) dropRounds(b *pebble.Batch, round uint64) {
	_ = b.DeleteRange(roundKey(0, 0, message.ID{}), roundKey(0, round, message.ID{}), nil)
	if newest := s.witness.Load(); newest != nil && newest.Epoch == 0 {
		round = min(round, newest.Round)
	}
	_ = b.DeleteRange(witnessKey(OwnWitness{}), witnessKey(OwnWitness{Round: round}), nil)
}
