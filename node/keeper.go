package node

import (
	"context"
	"errors"
	"os"
	"time"

	"tangled/snapshot"
)

// keepEvery is how often the keeper looks whether topics or the size of the store
// want something deleted, and leastKeepEvery how often where retention is short.
const (
	keepEvery      = time.Minute
	leastKeepEvery = time.Second
)

// runKeeper writes the snapshots that are due and deletes what need not stay,
// until the node closes.
func (n *Node) runKeeper() {
	defer n.workers.Done()
	if err := snapshot.Clean(n.opts.snapshotDir()); err != nil && !errors.Is(err, os.ErrNotExist) {
		n.opts.Logger.Error("left-over snapshots not removed", "error", err)
	}
	tick := time.NewTicker(n.keepPause())
	defer tick.Stop()
	for {
		select {
		case f := <-n.snapshotTurn:
			n.keepSnapshot(n.ctx, f)
			n.keepRetention(n.ctx)
		case <-tick.C:
			n.keepRetention(n.ctx)
		case <-n.ctx.Done():
			<-n.done // until then the loop may freeze the store once more
			select {
			case f := <-n.snapshotTurn:
				f.Close() // the store waits for it
			default:
			}
			return
		}
	}
}

func (n *Node) keepPause() time.Duration {
	if n.opts.Retention == 0 {
		return keepEvery
	}
	return max(leastKeepEvery, min(keepEvery, n.opts.Retention/10))
}

// keepSnapshot writes a snapshot and removes those beyond SnapshotKeep.
func (n *Node) keepSnapshot(ctx context.Context, f frozenAnchor) {
	if _, err := n.writeSnapshot(ctx, f); err != nil {
		if ctx.Err() == nil {
			n.opts.Logger.Error("snapshot not written", "error", err)
		}
		return
	}
	entries, err := snapshot.List(n.opts.snapshotDir())
	for len(entries) > n.opts.SnapshotKeep && err == nil {
		err = os.Remove(entries[0].Path)
		entries = entries[1:]
	}
	if err != nil {
		n.opts.Logger.Error("old snapshots not removed", "error", err)
	}
}

// keepRetention deletes what is older than the retention of its topic or of all,
// and more where the store has become too large.
func (n *Node) keepRetention(ctx context.Context) {
	if n.opts.Retention == 0 || n.catching.Load() || !n.pruning.TryLock() {
		return
	}
	defer n.pruning.Unlock()
	if err := n.applyRetention(ctx); err != nil && ctx.Err() == nil {
		n.opts.Logger.Error("old messages not deleted", "error", err)
	}
}

func (n *Node) applyRetention(ctx context.Context) error {
	snapshots, err := n.Snapshots()
	if err != nil || len(snapshots) == 0 {
		return err // never without a snapshot
	}
	now := n.ledgerTime.Load()
	limit, _, err := n.pruneLimit(ctx, false)
	if err != nil {
		return err
	}
	before := min(limit, now-min(now, uint64(n.opts.Retention)))
	if n.opts.MaxDisk > 0 {
		before = max(before, n.beforeSize(n.opts.MaxDisk, limit))
	}
	// A hundredth of the retention at a time: each pruning costs a compaction.
	if oldest := n.firstTimestamp(); oldest > 0 && oldest+uint64(n.opts.Retention)/100 < before {
		if _, err := n.prune(ctx, PruneRequest{Before: time.Unix(0, int64(before))}); err != nil {
			return err
		}
	}
	return n.dropTopics(ctx, now)
}

// dropTopics deletes the messages of topics that are kept for a shorter time than
// the rest.
func (n *Node) dropTopics(ctx context.Context, now uint64) error {
	for _, r := range n.opts.Topics {
		if r.Keep >= n.opts.Retention {
			continue
		}
		for _, topic := range n.store.Topics(r.Filter) {
			if n.held(topic) || n.ownRetention(topic) > r.Keep {
				continue
			}
			done, err := n.store.DropTopic(ctx, topic, now-min(now, uint64(r.Keep)))
			if err != nil {
				return err
			}
			n.metrics.pruned.Add(float64(done.Messages))
		}
	}
	return nil
}

// firstTimestamp is the timestamp of the oldest stored message that pruning has to
// look at; zero for none.
func (n *Node) firstTimestamp() uint64 {
	c, err := n.commitment(n.store.CompleteFrom())
	if err != nil {
		return 0
	}
	return c.Time - min(c.Time, uint64(n.opts.Genesis.Window))
}
