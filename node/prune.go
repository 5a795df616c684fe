package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"tangled/message"
	"tangled/storage"
)

// TopicRetention keeps the messages of some topics for a time of their own.
type TopicRetention struct {
	Filter message.Filter
	Keep   time.Duration // by timestamp, at least two windows
}

// Prune deletes old messages, or tells what it would delete, and lets the disk
// have the room. The error is ErrForever, ErrTooRecent, ErrBusy, ErrClosed, ctx's,
// or the store's. What it deleted before an error stays deleted: each step leaves
// a whole store.
func (n *Node) Prune(ctx context.Context, req PruneRequest) (PruneReport, error) {
	if n.opts.Retention == 0 {
		return PruneReport{}, ErrForever
	}
	if !n.pruning.TryLock() {
		return PruneReport{}, ErrBusy
	}
	defer n.pruning.Unlock()
	return n.prune(ctx, req)
}

func (n *Node) prune(ctx context.Context, req PruneRequest) (PruneReport, error) {
	report := PruneReport{DiskBefore: n.store.DiskUsage()}
	limit, behind, err := n.pruneLimit(ctx, req.DryRun)
	if err != nil {
		return report, err
	}
	report.Snapshot = behind
	before := uint64(req.Before.UnixNano())
	if req.ToSize > 0 {
		before = n.beforeSize(req.ToSize, limit)
	} else if before > limit {
		return report, fmt.Errorf("%w: before %v at most", ErrTooRecent, time.Unix(0, int64(limit)).UTC())
	}
	report.Before = time.Unix(0, int64(before)).UTC()
	p, err := n.pruningBefore(ctx, before)
	if err != nil {
		return report, err
	}
	if req.DryRun {
		return report, n.planPrune(ctx, p, &report)
	}
	done, err := n.store.Prune(ctx, p)
	report.Messages, report.Bytes, report.Anchors, report.Kept = done.Messages, done.Bytes, done.Anchors, done.Kept
	if err != nil {
		return report, fmt.Errorf("prune messages before %v: %w", report.Before, err)
	}
	n.metrics.pruned.Add(float64(done.Messages))
	if req.Progress != nil {
		req.Progress(0.5) // what is left is to give the room back
	}
	if done.Messages > 0 {
		if err := n.store.Compact(ctx); err != nil {
			return report, fmt.Errorf("compact the store: %w", err)
		}
	}
	report.DiskAfter, report.CompleteFrom = n.store.DiskUsage(), n.store.CompleteFrom()
	n.opts.Logger.Info("pruned", "before", report.Before, "messages", report.Messages, "kept", report.Kept,
		"disk_before", report.DiskBefore, "disk_after", report.DiskAfter)
	return report, nil
}

func (n *Node) planPrune(ctx context.Context, p storage.Pruning, report *PruneReport) error {
	plan, err := n.store.PlanPrune(ctx, p)
	if err != nil {
		return err
	}
	report.Messages, report.Bytes, report.Anchors, report.Kept = plan.Messages, plan.Bytes, plan.Anchors, plan.Kept
	for _, t := range plan.Topics {
		report.Topics = append(report.Topics, TopicUse{Topic: t.Topic, Messages: t.Messages, Bytes: t.Bytes})
	}
	report.DiskAfter, report.CompleteFrom = report.DiskBefore, plan.CompleteFrom
	return nil
}

// pruneLimit is the timestamp from which on everything stays: the oldest snapshot
// that is kept can be gone on from with what is newer than its window, and two
// windows are never touched. Without a snapshot one is written first, but for a
// dry run.
func (n *Node) pruneLimit(ctx context.Context, dry bool) (limit, behind uint64, err error) {
	snapshots, err := n.Snapshots()
	if err != nil {
		return 0, 0, err
	}
	if len(snapshots) == 0 && !dry {
		info, err := n.CreateSnapshot(ctx, 0)
		if err != nil {
			return 0, 0, err
		}
		snapshots = append(snapshots, info)
	}
	window := uint64(n.opts.Genesis.Window)
	now := n.ledgerTime.Load()
	limit = now - min(now, 2*window)
	if len(snapshots) == 0 {
		return limit, 0, nil
	}
	behind = snapshots[0].Anchor
	c, err := n.commitment(behind)
	if err != nil {
		return 0, 0, fmt.Errorf("anchor %d of the oldest snapshot: %w", behind, err)
	}
	return min(limit, c.Time-min(c.Time, window)), behind, nil
}

// pruningBefore is what goes with the messages before a timestamp: the anchors
// that included nothing younger, and the rounds before them.
func (n *Node) pruningBefore(ctx context.Context, before uint64) (storage.Pruning, error) {
	p := storage.Pruning{Before: before, Keep: n.keeps(ctx), KeepTopics: n.mayKeep}
	first, last := n.store.CompleteFrom(), n.store.LastAnchor()
	var failed error
	count := sort.Search(int(last+1-min(last+1, first)), func(i int) bool {
		c, err := n.commitment(first + uint64(i))
		failed = errors.Join(failed, err)
		return err != nil || c.Time+includeAhead >= before
	})
	if failed != nil || count == 0 {
		return p, failed
	}
	p.Anchor = first + uint64(count) - 1
	c, err := n.commitment(p.Anchor)
	if err != nil {
		return p, err
	}
	anchor, err := n.store.Get(c.Anchor)
	if errors.Is(err, storage.ErrNotFound) {
		return p, nil // began behind it
	}
	if err != nil {
		return p, err
	}
	w, err := anchor.Message.Witness()
	p.Round = w.Round
	return p, err
}

// sizeSteps is how finely the time of a size is looked for.
const sizeSteps = 1 << 12

// beforeSize is the timestamp before which messages must go for the store to take
// no more than size bytes, at most limit; zero where it takes no more. All tables
// are taken to have the same share of old and new as that of the messages.
func (n *Node) beforeSize(size, limit uint64) uint64 {
	used, all := n.store.DiskUsage(), n.store.SizeBefore(math.MaxUint64)
	if used <= size || all == 0 {
		return 0
	}
	goal := uint64(float64(all) * float64(used-size) / float64(used))
	first := min(limit, n.firstTimestamp())
	step := (limit - first) / sizeSteps
	steps := sort.Search(sizeSteps, func(i int) bool { return n.store.SizeBefore(first+step*uint64(i)) >= goal })
	return first + step*uint64(steps)
}

// mayKeep tells whether messages of a topic may be kept beyond the retention.
func (n *Node) mayKeep(topic string) bool {
	return n.held(topic) || n.ownRetention(topic) > n.opts.Retention
}

// held tells whether a topic is under a legal hold.
func (n *Node) held(topic string) bool {
	return slices.ContainsFunc(n.opts.LegalHold, func(f message.Filter) bool { return f.Match(topic) })
}

// ownRetention is the longest that a rule of its own keeps a topic; zero without
// one.
func (n *Node) ownRetention(topic string) (keep time.Duration) {
	for _, r := range n.opts.Topics {
		if r.Filter.Match(topic) {
			keep = max(keep, r.Keep)
		}
	}
	return keep
}

// keeps judges what the pruning comes upon: what is under a hold stays with its
// proof, what its topic keeps stays as it is.
func (n *Node) keeps(ctx context.Context) func(storage.Record) (bool, []byte, error) {
	now := n.ledgerTime.Load()
	return func(r storage.Record) (bool, []byte, error) {
		d, err := r.Message.Data()
		if err != nil {
			return false, nil, nil // no data, no topic
		}
		if n.held(d.Topic) {
			p, err := n.Prove(ctx, r.Message.ID())
			if errors.Is(err, ErrNotFinal) || errors.Is(err, ErrNotFound) {
				return true, nil, nil // never became final, or was proven before
			}
			if err != nil {
				return false, nil, err
			}
			return true, p.Encode(), nil
		}
		keep := uint64(n.ownRetention(d.Topic))
		return keep > 0 && r.Message.Timestamp+keep > now, nil, nil
	}
}
