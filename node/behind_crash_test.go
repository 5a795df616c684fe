package node

import (
	"os"
	"path/filepath"
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

// some are n of the pictures, evenly apart, the first and the last among them.
func (p *photographer) some(n int) []*vfs.MemFS {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.clones) <= n {
		return p.clones
	}
	var picked []*vfs.MemFS
	for i := range n {
		picked = append(picked, p.clones[i*(len(p.clones)-1)/(n-1)])
	}
	return picked
}

// TestCrashWhileCatchingUp: a node that begins at a snapshot, because the others
// have pruned, and then takes over what came after, may crash at any moment of it:
// it begins again by itself and comes as far as the others.
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
		ids := live(t, []*Node{n}, 100, time.Second)
		until(t, time.Minute, "the first reading is pruned", func() bool { return !has(n, ids[0]) })

		camera := &photographer{disk: vfs.NewCrashableMem()}
		opts := middle(1, errorfs.Wrap(camera.disk, camera))
		opts.Dir, opts.FirstStart = t.TempDir(), false
		joiner := w.open(opts)
		camera.shoot(true)
		w.meet(joiner, n)
		until(t, time.Minute, "caught up", caughtUp(joiner, n))
		camera.shoot(false)
		if err := joiner.Close(); err != nil {
			t.Fatal(err)
		}
		clones := camera.some(8)
		if len(clones) < 8 {
			t.Fatalf("only %d writes", len(clones))
		}
		snapshots, err := filepath.Glob(filepath.Join(opts.snapshotDir(), "*"))
		if err != nil || len(snapshots) == 0 {
			t.Fatal(snapshots, err)
		}
		for i, clone := range clones {
			again := opts
			again.FS, again.Dir = clone, t.TempDir()
			// The file was synced before the first byte of it went into the store.
			copyFiles(t, snapshots, again.snapshotDir())
			joiner := w.open(again)
			w.meet(joiner, n)
			until(t, time.Minute, "caught up after a crash", caughtUp(joiner, n))
			id := issue(t, joiner, reading(i))
			until(t, time.Minute, "it takes part", allFinal([]*Node{n, joiner}, id))
			sameAnchorsFrom(t, []*Node{n, joiner}, max(n.CompleteFrom(), joiner.CompleteFrom()))
			if report, err := joiner.CheckStore(t.Context(), nil); err != nil || report.Damaged > 0 {
				t.Errorf("crash %d: %+v, %v", i, report, err)
			}
			if err := joiner.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func copyFiles(t *testing.T, paths []string, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
