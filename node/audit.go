package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/catchup"
	"tangled/merkle"
	"tangled/proof"
	"tangled/storage"
)

const (
	// maxDifferences bounds an AuditReport.
	maxDifferences = 100
	// auditStretch is how many anchors a peer is asked for at a time.
	auditStretch = 256
)

// errManyDifferences ends an audit that has found enough.
var errManyDifferences = errors.New("enough differences")

// audit is one comparison of this node's history with a peer's.
type audit struct {
	n        *Node
	client   *catchup.Client
	report   AuditReport
	differ   map[uint64]*Difference
	done     uint64 // anchors read, here and there
	progress func(done, total uint64)
	previous [32]byte // hash of the commitment before the next one here; zero if unknown
}

// Audit compares what is final here with what a connected peer has, in the anchors
// that both have whole: commitments, lists and messages, each against the other by
// the hashes in between. progress, if not nil, is told of anchors. What of our own
// cannot be read is mended afterwards, if a peer has it. The error is ErrNoPeer,
// ErrClosed, ctx's, or that the peer does not answer.
func (n *Node) Audit(ctx context.Context, of peer.ID, progress func(done, total uint64)) (AuditReport, error) {
	if !n.isConnected(of) {
		return AuditReport{}, ErrNoPeer
	}
	a := audit{n: n, client: n.syncClient(of), differ: make(map[uint64]*Difference), progress: progress}
	err := a.run(ctx)
	if errors.Is(err, errManyDifferences) {
		a.report.More, err = true, nil
	}
	for _, index := range slices.Sorted(maps.Keys(a.differ)) {
		a.report.Differ = append(a.report.Differ, *a.differ[index])
	}
	return a.report, err
}

func (n *Node) isConnected(id peer.ID) bool { return slices.Contains(n.connectedPeers(), id) }

func (a *audit) run(ctx context.Context) error {
	status, err := a.client.Status(ctx)
	if errors.Is(err, catchup.ErrNotHere) {
		return nil // nothing is final there
	}
	if err != nil {
		return err
	}
	first, last := max(a.n.store.CompleteFrom(), status.CompleteFrom, 1), min(a.n.lastTrusted(), status.Commitment.Index)
	if first > last {
		return nil
	}
	a.report.First, a.report.Last = first, last
	for from := first; from <= last; from += auditStretch {
		until := min(last, from+auditStretch-1)
		for index := from; index <= until; index++ {
			if err := a.here(ctx, index); err != nil {
				return err
			}
		}
		if err := a.there(ctx, from, until); err != nil {
			return err
		}
	}
	return nil
}

// tell counts one more anchor that was read, here or there.
func (a *audit) tell() {
	a.done++
	if total := 2 * (a.report.Last - a.report.First + 1); a.progress != nil {
		a.progress(min(a.done, total), total)
	}
}

// blame takes note of what is wrong with an anchor.
func (a *audit) blame(index uint64, set func(*Difference)) error {
	d, ok := a.differ[index]
	if !ok {
		if len(a.differ) == maxDifferences {
			return errManyDifferences
		}
		d = &Difference{Anchor: index}
		a.differ[index] = d
	}
	set(d)
	return nil
}

// here checks an anchor of our own.
func (a *audit) here(ctx context.Context, index uint64) error {
	defer a.tell()
	err := a.checkOwn(ctx, index)
	damaged := new(storage.CorruptionError)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case index < a.n.store.CompleteFrom():
		return nil // pruned meanwhile
	case errors.As(err, &damaged), errors.Is(err, ErrNotFound), errors.Is(err, errInconsistent):
		a.n.wantMended(index)
		return a.blame(index, func(d *Difference) { d.Here = err.Error() })
	}
	return err
}

// errInconsistent tells that what is stored of an anchor does not fit together.
var errInconsistent = errors.New("does not fit its commitment")

// checkOwn reads an anchor with all that it included.
func (a *audit) checkOwn(ctx context.Context, index uint64) error {
	previous := a.previous
	a.previous = [32]byte{}
	c, err := a.n.commitment(index)
	if err != nil {
		return fmt.Errorf("commitment: %w", err)
	}
	a.previous = c.Hash()
	if c.Index != index || previous != [32]byte{} && c.Previous != previous {
		return fmt.Errorf("chain of commitments: %w", errInconsistent)
	}
	leaves := make([][]byte, 0, c.Count)
	var unreadable error
	for p, err := range a.n.store.Order(ctx, index, 0) {
		if err != nil {
			return err
		}
		if p.Anchor != index {
			break
		}
		leaves = append(leaves, proof.Leaf(p.ID, p.Outcome))
		if _, err := a.n.Get(p.ID); err != nil {
			unreadable = fmt.Errorf("message %v: %w", p.ID, err)
		}
	}
	if uint64(len(leaves)) != c.Count || merkle.Root(leaves) != c.Included {
		return fmt.Errorf("list of messages: %w", errInconsistent)
	}
	a.report.Messages += c.Count
	return unreadable
}

// there has the peer show anchors, which must be those of our commitments. A
// stretch that it cannot show is halved until the anchors are found that it lacks.
func (a *audit) there(ctx context.Context, first, last uint64) error {
	next := first
	end, err := a.n.endOf(last)
	if err == nil {
		for v, showErr := range a.client.Backfill(ctx, first, last, end) {
			if err = showErr; err != nil {
				break
			}
			next = v.Commitment.Index + 1
			a.tell()
		}
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case next == last:
		a.tell()
		return a.notThere(ctx, last, err)
	}
	middle := next + (last-next)/2
	if err := a.there(ctx, next, middle); err != nil {
		return err
	}
	return a.there(ctx, middle+1, last)
}

// notThere judges why a peer does not show an anchor.
func (a *audit) notThere(ctx context.Context, index uint64, why error) error {
	if _, err := a.n.endOf(index); err != nil {
		return nil // it is ours that is not there, which is known already
	}
	if invalid := new(catchup.InvalidError); !errors.As(why, &invalid) {
		status, err := a.client.Status(ctx)
		if err != nil {
			return err // it shows nothing at all any more
		}
		if index < status.CompleteFrom {
			return nil // pruned meanwhile
		}
	}
	return a.blame(index, func(d *Difference) { d.There = why.Error() })
}
