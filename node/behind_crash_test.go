package node

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// photographer keeps what a crash would leave before each write to a disk: only
// what was synced.
type photographer struct {
	disk *vfs.MemFS

	mu     sync.Mutex
	on     bool
	clones []*vfs.MemFS
}

func (p *photographer) String() string { return "photographer" }

func (p *photographer) MaybeError(op errorfs.Op) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		p.clones = append(p.clones, p.disk.CrashClone(vfs.CrashCloneCfg{}))
	}
	return nil
}

func (p *photographer) shoot(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
}

// some are the first n pictures and n of the others, evenly apart.
func (p *photographer) some(n int) []*vfs.MemFS {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clones) < 2*n {
		return p.clones
	}
	picked := slices.Clone(p.clones[:n])
	rest := p.clones[n:]
	for i := range n {
		picked = append(picked, rest[i*(len(rest)-1)/(n-1)])
	}
	return picked
}

// TestCrashWhileCatchingUp: a node that was away begins again at a snapshot, because
// the others have pruned, and then takes over what came after. It may crash at any
// moment of that: it begins anew by itself and comes as far as the others.
func TestCrashWhileCatchingUp(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		w.genesis.Window = 10 * time.Second
		middle := func(i int, fs vfs.FS) Options {
			opts := w.first(i, fs)
			opts.Retention, opts.SnapshotInterval = 20*time.Second, 5*time.Second
			return opts
		}
		n := w.open(middle(0, vfs.NewMem()))
		camera := &photographer{disk: vfs.NewCrashableMem()}
		opts := middle(1, errorfs.Wrap(camera.disk, camera))
		opts.Dir, opts.FirstStart = t.TempDir(), false
		away := w.open(opts)
		w.meet(away, n)
		live(t, []*Node{n, away}, 15, time.Second)
		if err := away.Close(); err != nil {
			t.Fatal(err)
		}
		live(t, []*Node{n}, 120, time.Second)
		until(t, time.Minute, "what it lacks first is pruned", func() bool { return n.CompleteFrom() > away.LastAnchor()+1 })

		away = w.open(opts)
		camera.shoot(true)
		w.meet(away, n)
		until(t, time.Minute, "caught up", caughtUp(away, n))
		camera.shoot(false)
		if err := away.Close(); err != nil {
			t.Fatal(err)
		}
		clones := camera.some(8) // the first writes are those of the snapshot
		if len(clones) < 5 {
			t.Fatalf("only %d writes", len(clones))
		}
		for i, clone := range clones {
			again := opts
			again.FS, again.Dir = clone, t.TempDir()
			if err := os.CopyFS(again.Dir, os.DirFS(opts.Dir)); err != nil { // its snapshots: another life deletes old ones
				t.Fatal(err)
			}
			back := w.open(again)
			w.meet(back, n)
			until(t, time.Minute, "caught up after a crash", caughtUp(back, n))
			id := issue(t, back, reading(i))
			until(t, time.Minute, "it takes part", allFinal([]*Node{n, back}, id))
			sameAnchorsFrom(t, []*Node{n, back}, max(n.CompleteFrom(), back.CompleteFrom()))
			if report, err := back.CheckStore(t.Context(), nil); err != nil || report.Damaged > 0 {
				t.Errorf("crash %d: %+v, %v", i, report, err)
			}
			if err := back.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
