package node

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// live lets nodes issue for a while and returns what they issued.
func live(t *testing.T, nodes []*Node, readings int, every time.Duration) (ids []message.ID) {
	t.Helper()
	for i := range readings {
		ids = append(ids, issue(t, nodes[i%len(nodes)], reading(i)))
		time.Sleep(every)
	}
	until(t, 20*time.Second, "the newest are final on all nodes", allFinal(nodes, ids[len(ids)-10:]...))
	return ids
}

// caughtUp tells whether a node has the same last anchor as another, or nearly.
func caughtUp(n, other *Node) func() bool {
	return func() bool { return n.Health() == nil && n.LastAnchor()+5 >= other.LastAnchor() }
}

// TestAJoinerCatchesUp: a node that has nothing takes over what is final, all of
// it, and then takes part.
func TestAJoinerCatchesUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		w.genesis.Window = 10 * time.Second
		nodes := w.ring(4)
		ids := live(t, nodes, 200, 200*time.Millisecond)
		opts := w.options(4, vfs.NewMem())
		opts.Role = Permanode
		joiner := w.open(opts)
		w.meet(joiner, nodes[0])
		until(t, time.Minute, "caught up", caughtUp(joiner, nodes[0]))
		until(t, 20*time.Second, "all that is final is here", func() bool { return hasAll(joiner, ids) })
		if from := joiner.CompleteFrom(); from != 1 {
			t.Errorf("complete from %d, want 1", from)
		}
		all := append(nodes, joiner)
		id := issue(t, joiner, reading(1000))
		until(t, 20*time.Second, "a reading of the joiner is final", allFinal(all, id))
		sameAnchors(t, all)
	})
}

// TestAJoinerBeginsAtASnapshot: the others have pruned what came first.
func TestAJoinerBeginsAtASnapshot(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		w.genesis.Window = 10 * time.Second
		middle := func(i int) Options {
			opts := w.first(i, vfs.NewMem())
			opts.Retention, opts.SnapshotInterval = 20*time.Second, 5*time.Second
			return opts
		}
		var nodes []*Node
		for i := range 4 {
			nodes = append(nodes, w.open(middle(i)))
		}
		for i := range nodes {
			w.meet(nodes[i], nodes[(i+1)%4])
		}
		ids := live(t, nodes, 45, 2*time.Second) // 90 s: beyond where the snapshot reaches
		until(t, time.Minute, "the first reading is pruned", func() bool { return !has(nodes[0], ids[0]) })
		joiner := w.open(middle(4))
		w.meet(joiner, nodes[0])
		until(t, time.Minute, "caught up", caughtUp(joiner, nodes[0]))
		if joiner.CompleteFrom() <= 1 {
			t.Error("it has all from the first anchor on, which nobody has")
		}
		all := append(nodes, joiner)
		id := issue(t, joiner, reading(1000))
		until(t, 20*time.Second, "a reading of the joiner is final", allFinal(all, id))
		for _, n := range all {
			a, errA := nodes[0].Anchor(joiner.LastAnchor() - 5)
			b, errB := n.Anchor(joiner.LastAnchor() - 5)
			if errA != nil || errB != nil || a.Commitment != b.Commitment {
				t.Fatalf("%v %v\n%+v\n%+v", errA, errB, a.Commitment, b.Commitment)
			}
		}
	})
}

// TestAJoinerOfDamagedPeers: what one peer cannot read the other gives, in one go.
func TestAJoinerOfDamagedPeers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		opts, a, b, ids := twoArchives(t, w)
		for i, n := range []*Node{a, b} {
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			for at := 10 * i; at < 60; at += 20 {
				editStore(t, opts[i], damageMessage(ids[at]))
			}
		}
		a, b = w.open(opts[0]), w.open(opts[1])
		newcomer := w.options(2, vfs.NewMem())
		newcomer.Role = Permanode
		joiner := w.open(newcomer)
		w.meet(joiner, a)
		w.meet(joiner, b)
		until(t, mendPause/2, "all is here before anything is mended", func() bool { return hasAll(joiner, ids) })
		if from := joiner.CompleteFrom(); from != 1 {
			t.Errorf("complete from %d, want 1", from)
		}
	})
}
