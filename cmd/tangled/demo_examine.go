package main

import (
	"bytes"
	"context"
	"fmt"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

// examine asks the nodes, when no more is published and nothing befalls them any
// more, what they have. It fails if one does not answer, does not come as far as
// the permanode, or shows another ledger.
func (d *demo) examine(ctx context.Context) (f findings, err error) {
	permanode := d.city.permanode()
	for _, n := range d.city.running() {
		if err := n.await(ctx, "did not answer", func(*tangledv1.InfoResponse) bool { return true }); err != nil {
			return f, err
		}
	}
	if f.found, err = d.audit(ctx, permanode.history); err != nil {
		return f, fmt.Errorf("read the history back: %w", err)
	}
	if f.twoWitnessRounds, err = twoWitnessRounds(ctx, permanode.history); err != nil {
		return f, fmt.Errorf("read the witnesses: %w", err)
	}
	if f.anchors, err = d.city.agree(ctx); err != nil {
		return f, err
	}
	if f.stored, err = d.city.stored(ctx); err != nil {
		return f, err
	}
	logged, err := d.city.faults()
	if err != nil {
		return f, fmt.Errorf("read the nodes' logs: %w", err)
	}
	f.faults, f.firstFault = logged.soFar()
	return f, nil
}

// agree waits until every node has the anchors that the permanode has now, and
// returns how many these are, or an error where a node shows another commitment.
func (c *city) agree(ctx context.Context) (anchors uint64, err error) {
	permanode := c.permanode()
	info, err := permanode.info.Info(ctx, &tangledv1.InfoRequest{})
	if err != nil {
		return 0, err
	}
	anchors = info.GetAnchor()
	for _, n := range c.running() {
		err := n.await(ctx, "did not come as far as the permanode", func(i *tangledv1.InfoResponse) bool {
			return i.GetAnchor() >= anchors
		})
		if err != nil {
			return 0, err
		}
		at, err := firstDifference(ctx, permanode.proofs, n.proofs, anchors)
		if err != nil {
			return 0, fmt.Errorf("compare the anchors of %s: %w", n.name, err)
		}
		if at > 0 {
			return 0, fmt.Errorf("%s has another commitment at anchor %d than %s", n.name, at, permanode.name)
		}
	}
	return anchors, nil
}

// stored asks how much the nodes have.
func (c *city) stored(ctx context.Context) (s storedNow, err error) {
	for _, n := range c.running() {
		info, err := n.info.Info(ctx, &tangledv1.InfoRequest{})
		if err != nil {
			return s, fmt.Errorf("ask %s: %w", n.name, err)
		}
		if n.role == node.Middle {
			s.MiddleMax = max(s.MiddleMax, info.GetMessages())
		} else if n == c.permanode() {
			s.Permanode = info.GetMessages()
		}
	}
	return s, nil
}

// anchorsPage is how many anchors are compared at once.
const anchorsPage = 1000

// firstDifference is the number of the first anchor up to last whose commitment two
// nodes both have and do not agree on, 0 for none. The first of the two has all.
func firstDifference(ctx context.Context, a, b tangledv1.ProofsServiceClient, last uint64) (uint64, error) {
	for from := uint64(1); from <= last; from += anchorsPage {
		request := &tangledv1.ListAnchorsRequest{From: from, Limit: uint32(min(anchorsPage, last-from+1))}
		mine, err := a.ListAnchors(ctx, request)
		if err != nil {
			return 0, err
		}
		theirs, err := b.ListAnchors(ctx, request)
		if err != nil {
			return 0, err
		}
		commitments := make(map[uint64][]byte)
		for _, anchor := range mine.GetAnchors() {
			commitments[anchor.GetIndex()] = anchor.GetCommitment()
		}
		for _, anchor := range theirs.GetAnchors() {
			if i := anchor.GetIndex(); !bytes.Equal(commitments[i], anchor.GetCommitment()) {
				return i, nil
			}
		}
	}
	return 0, nil
}
