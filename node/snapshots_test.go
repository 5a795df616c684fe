package node

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/merkle"
)

// TestFirstLeaf: the way from the first anchor to a later one leads by the genesis.
func TestFirstLeaf(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		n := w.open(w.first(0, vfs.NewMem()))
		issue(t, n, reading(1))
		until(t, time.Minute, "three anchors", func() bool { return n.LastAnchor() >= 3 })
		first, err := n.commitment(1)
		if err != nil {
			t.Fatal(err)
		}
		third, err := n.commitment(3)
		if err != nil {
			t.Fatal(err)
		}
		path, err := merkle.PathOf(1, 3, n.treeNode)
		if err != nil {
			t.Fatal(err)
		}
		leaf := first.Hash()
		if err := merkle.Verify(third.Tree, 3, 1, leaf[:], path); err != nil {
			t.Error(err)
		}
	})
}
