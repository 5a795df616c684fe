package node

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/snapshot"
)

// TestTrust: a node takes over the history that its operator vouches for, and no
// other, whoever signed it: anchor by anchor, from a snapshot, and from its own disk.
func TestTrust(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		w.genesis.Window = 10 * time.Second
		opts := w.first(0, vfs.NewMem())
		opts.Retention, opts.SnapshotInterval = 20*time.Second, 5*time.Second
		source := w.open(opts)
		w.meet(source, w.node(9)) // somebody has to approve
		permanode := w.options(1, vfs.NewMem())
		permanode.Role = Permanode
		archive := w.open(permanode)
		w.meet(source, archive)
		live(t, []*Node{source}, 45, 2*time.Second)
		until(t, time.Minute, "the first anchors are pruned", func() bool { return source.CompleteFrom() > 10 })

		word := func(of *Node, index uint64, right bool) *snapshot.Trust {
			a, err := of.Anchor(index)
			if err != nil {
				t.Fatal(err)
			}
			trust := &snapshot.Trust{Index: index, Commitment: a.Commitment.Hash()}
			if !right {
				trust.Commitment[7] ^= 1
			}
			return trust
		}
		next := 2
		joins := func(from *Node, role Role, trust *snapshot.Trust) (*Node, Options) {
			opts := w.options(next, vfs.NewMem())
			next++
			opts.Dir = t.TempDir()
			if opts.Role, opts.Trust = role, trust; role == Middle {
				opts.Retention, opts.SnapshotInterval = 20*time.Second, 5*time.Second
			}
			n := w.open(opts)
			w.meet(n, from)
			return n, opts
		}
		const anchor = 20 // neither the first of a run nor the last
		right, rightOptions := joins(archive, Permanode, word(archive, anchor, true))
		until(t, time.Minute, "caught up with the right word", caughtUp(right, archive))
		wrong, _ := joins(archive, Permanode, word(archive, anchor, false))
		covered := source.LastAnchor() - 3
		fromSnapshot, _ := joins(source, Middle, word(source, covered, true))
		until(t, time.Minute, "caught up from a snapshot with the right word", caughtUp(fromSnapshot, source))
		snapshots, err := source.Snapshots()
		if err != nil || len(snapshots) == 0 {
			t.Fatal(len(snapshots), err)
		}
		alien, _ := joins(source, Middle, word(source, snapshots[len(snapshots)-1].Anchor, false))
		time.Sleep(time.Minute)
		// What it is not given it works out message by message, as far as the others
		// have them, and comes to the same.
		if last := wrong.lastTrusted(); last != anchor-1 {
			t.Errorf("against its operator's word a node trusts anchor %d, want %d", last, anchor-1)
		}
		if last := alien.LastAnchor(); last != 0 {
			t.Errorf("against its operator's word a node began at a snapshot, and is at anchor %d", last)
		}

		if err := right.Close(); err != nil {
			t.Fatal(err)
		}
		rightOptions.Trust = word(archive, anchor, false)
		if _, err := Open(t.Context(), rightOptions); !errors.Is(err, ErrUntrusted) {
			t.Errorf("Open with another history on disk: %v, want ErrUntrusted", err)
		}
	})
}
