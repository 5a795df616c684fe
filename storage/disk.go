package storage

import (
	"context"
	"fmt"

	"tangled/message"
)

// prunedSpans is what was deleted since Open and may take up room still.
type prunedSpans struct {
	upTo   message.ID // messages below
	anchor uint64     // anchors up to it
}

func (p *prunedSpans) add(upTo message.ID, anchor uint64) {
	if upTo.Compare(p.upTo) > 0 {
		p.upTo = upTo
	}
	p.anchor = max(p.anchor, anchor)
}

// spans are the stretches of keys to compact: those that lost most rows, and small
// tables whole. Where nothing was deleted since Open, it is everything.
func (p prunedSpans) spans() [][2][]byte {
	if p == (prunedSpans{}) {
		return [][2][]byte{{{0}, {0xff}}}
	}
	var out [][2][]byte
	for _, t := range []byte{tableMessage, tableFinal, tablePending, tableReplaced, tableHeld} {
		out = append(out, [2][]byte{{t}, idKey(t, p.upTo)})
	}
	for _, t := range []byte{tableOrder, tableCommitment, tableSignatures} {
		out = append(out, [2][]byte{{t}, anchorKey(t, p.anchor+1)})
	}
	for _, t := range []byte{tableTopic, tableIssuer, tableNode, tableHistory, tableTransfer, tableRound, tableWitness} {
		out = append(out, [2][]byte{{t}, {t + 1}})
	}
	return out
}

// Compact rewrites the tables so that what was deleted since Open takes up no room
// any more; all tables where nothing was. It may take minutes, while everything
// else goes on. What a Frozen still shows stays.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	for _, span := range s.pruned.spans() {
		if err := s.db.Compact(ctx, span[0], span[1], false); err != nil {
			return fmt.Errorf("compact %x to %x: %w", span[0], span[1], err)
		}
	}
	s.pruned = prunedSpans{}
	return nil
}

// DiskUsage is how many bytes the store takes on the disk: tables and logs, with
// those about to be removed. It is zero after Close.
func (s *Store) DiskUsage() uint64 {
	if s.enter() != nil {
		return 0
	}
	defer s.readers.Done()
	return s.db.Metrics().DiskSpaceUsage()
}
