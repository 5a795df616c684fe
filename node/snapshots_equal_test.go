package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/snapshot"
)

// TestSnapshotsAreEqual: nodes that took part in other ways, and one that prunes,
// write the same body of one anchor; whoever fetches it has it verified.
func TestSnapshotsAreEqual(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		w.genesis.Window = 10 * time.Second
		var nodes []*Node
		for i := range 3 {
			opts := w.first(i, vfs.NewMem())
			switch i {
			case 1:
				opts.Retention, opts.SnapshotInterval = 20*time.Second, 5*time.Second
			case 2:
				opts.Role = Permanode
			}
			nodes = append(nodes, w.open(opts))
		}
		for i := range nodes {
			w.meet(nodes[i], nodes[(i+1)%3])
		}
		for _, readings := range []int{10, 30} { // the first reaches back to the genesis
			live(t, nodes, readings, 2*time.Second)
			infos := snapshotAt(t, nodes, nodes[0].LastAnchor()+3)
			for i, info := range infos {
				if info.Digest != infos[0].Digest || info.Commitment != infos[0].Commitment || info.Messages == 0 {
					t.Errorf("node %d of %d readings: %+v\nwant %+v", i, readings, info, infos[0])
				}
				if _, err := nodes[(i+1)%3].readSnapshot(info.Path, snapshot.Sink{}); err != nil {
					t.Errorf("node %d's read by another: %v", i, err)
				}
			}
		}
		if nodes[1].CompleteFrom() <= 1 || nodes[2].CompleteFrom() != 1 {
			t.Errorf("complete from %d and %d", nodes[1].CompleteFrom(), nodes[2].CompleteFrom())
		}
		sameAnchorsFrom(t, nodes, nodes[1].CompleteFrom())

		_, err := nodes[0].CreateSnapshot(t.Context(), 1)
		if !errors.Is(err, ErrPassed) {
			t.Errorf("snapshot of what has passed: %v", err)
		}
		fetched, err := nodes[2].FetchSnapshot(t.Context(), nodes[1].gossip.ID(), nil)
		if err != nil || fetched.Anchor == 0 {
			t.Errorf("fetched: %+v, %v", fetched, err)
		}
	})
}

// snapshotAt has all nodes write a snapshot of one anchor.
func snapshotAt(t *testing.T, nodes []*Node, anchor uint64) []SnapshotInfo {
	t.Helper()
	infos := make([]SnapshotInfo, len(nodes))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i, n := range nodes {
		all.Go(func() {
			var err error
			if infos[i], err = n.CreateSnapshot(ctx, anchor); err != nil {
				t.Errorf("snapshot of node %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return infos
}
