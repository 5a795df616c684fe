package node

import (
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a node's disk and the plan of its next crash.
type disk struct {
	fs *vfs.MemFS

	mu   sync.Mutex
	left int // synced writes of the store's log until the power fails; 0 is no plan
	deep int // or: at which one of a step of the loop
	step int // how many there were in this step
	kept int // percent of what was not synced then that stays
	rng  *rand.Rand
	// found is what the machine finds when it starts again; nil before the crash.
	// The process runs on for the rest of its step, and nobody hears of it.
	found *vfs.MemFS
}

func newDisk() *disk { return &disk{fs: vfs.NewCrashableMem()} }

// view is the file system for a store. It has the power fail.
func (d *disk) view() vfs.FS { return errorfs.Wrap(d.fs, d) }

func (d *disk) String() string { return "disk" }

// MaybeError never fails: it is where the writes pass.
func (d *disk) MaybeError(op errorfs.Op) error {
	if op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData || !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step++
	switch {
	case d.found != nil:
	case d.left > 0:
		if d.left--; d.left == 0 {
			d.failLocked()
		}
	case d.deep > 0 && d.step == d.deep:
		d.failLocked()
	}
	return nil
}

// plan has the power fail at the n-th synced write from now on or, if n is zero,
// at the deep-th of a step of the loop: the first are messages, then comes an
// anchor after the other. The write is not on the disk then or, with 100 percent
// kept, it is.
func (d *disk) plan(n, deep, kept int, seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.deep, d.kept, d.rng = n, deep, kept, rand.New(rand.NewPCG(seed, 7))
}

// rest ends a step.
func (d *disk) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.step = 0
}

// fail is the power failing now, between writes.
func (d *disk) fail(kept int, seed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found != nil {
		return
	}
	d.kept, d.rng = kept, rand.New(rand.NewPCG(seed, 7))
	d.failLocked()
}

func (d *disk) failLocked() {
	d.found = d.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: d.kept, RNG: d.rng})
}

func (d *disk) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found != nil
}

// turnOn makes what was found the disk.
func (d *disk) turnOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.found != nil {
		d.fs, d.found, d.left, d.deep = d.found, nil, 0, 0
	}
}
