package storage_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/storage"
)

// crash is what a machine might find on its disk after it lost power, and how
// many batches had been acknowledged then.
type crash struct {
	fs    *vfs.MemFS
	acked int
	at    string
}

// crasher pulls the plug before write operations of a run: it keeps a copy of
// the disk and lets the run go on.
type crasher struct {
	fs   *vfs.MemFS
	when func(errorfs.Op) bool

	mu      sync.Mutex
	rng     *rand.Rand
	acked   int
	crashes []crash
}

func (c *crasher) String() string { return "crasher" }

func (c *crasher) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && c.when(op) {
		c.crash(fmt.Sprintf("operation %d on %s", op.Kind, op.Path), strings.HasSuffix(op.Path, ".log"))
	}
	return nil
}

// crash keeps what is surely on the disk, all that was written and, where torn
// is set, something in between. Pebble makes a MANIFEST and its marker durable
// by one sync of the directory: it relies on a file system that does not keep
// the later entry and lose the earlier, which a MemFS may do.
func (c *crasher) crash(at string, torn bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	percents := []int{0, 100}
	if torn {
		percents = append(percents, 1+c.rng.IntN(99))
	}
	for _, percent := range percents {
		fs := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: c.rng})
		c.crashes = append(c.crashes, crash{fs, c.acked, fmt.Sprintf("%s, %d%% of the rest", at, percent)})
	}
}

func (c *crasher) ack(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked = n
}

// verifyCrash opens what is left and checks that it holds the first batches, at
// least those acknowledged, all whole, and that it can be written to.
func verifyCrash(t *testing.T, fs vfs.FS, batches [][]storage.Record, acked int) {
	t.Helper()
	s := openFor(t, fs, dir)
	var m model
	n := 0
	for ; n < len(batches) && s.Count() > uint64(len(m)); n++ {
		m = append(m, batches[n]...)
	}
	if n < acked {
		t.Fatalf("%d batches found, %d were acknowledged", n, acked)
	}
	m.verify(t, s)
	for _, batch := range batches[n:] {
		for _, r := range batch {
			if s.Has(r.Message.ID()) {
				t.Fatalf("a message of a batch that is not there: %v", r.Message.ID())
			}
		}
	}
	// A name whose number was lost or given twice shows when topics and
	// issuers, old and new, are written again.
	for i := range 2 {
		var more []storage.Record
		for b := range batches {
			r := newRecord(t, byte(b+i), uint64(9_000+10*b+i), fmt.Sprintf("batch/%d/%d", b, 1+2*i), nil)
			more = append(more, r)
		}
		mustCommit(t, s, more)
		m = append(m, more...)
	}
	m.verify(t, s)
}

func TestCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := &crasher{fs: fs, rng: rand.New(rand.NewPCG(1, 2)), when: func(errorfs.Op) bool { return true }}
	batches := newBatches(t, 9, 6)
	wrapped := errorfs.Wrap(fs, c)
	for i := 0; i < len(batches); {
		s := mustOpen(t, wrapped, dir)
		for range 3 {
			mustCommit(t, s, batches[i])
			i++
			c.ack(i)
			c.crash(fmt.Sprintf("after commit %d", i), true)
		}
		mustClose(t, s)
	}
	if len(c.crashes) < 100 {
		t.Fatalf("only %d crashes", len(c.crashes))
	}
	for i, crash := range c.crashes {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Logf("crash before %s, %d batches acknowledged", crash.at, crash.acked)
			verifyCrash(t, crash.fs, batches, crash.acked)
		})
	}
}

// Batches so large that they fill memtables, which begin at 256 KiB and double:
// the plug is pulled while tables are written and the log is cut.
func TestCrashWhileFlushing(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := &crasher{fs: fs, rng: rand.New(rand.NewPCG(3, 4))}
	c.when = func(op errorfs.Op) bool {
		synced := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpRemove
		return synced && !strings.HasSuffix(op.Path, ".log") && !strings.HasSuffix(op.Path, ".dbtmp")
	}
	s := mustOpen(t, errorfs.Wrap(fs, c), dir)
	c.crashes = nil // opening is not what is tested here
	const size = 8
	batches := make([][]storage.Record, 24)
	for b := range batches {
		for r := range size {
			content := bytes.Repeat([]byte{byte(b), byte(r)}, 15_000)
			batches[b] = append(batches[b], newRecord(t, byte(b), uint64(100+b*size+r), fmt.Sprintf("batch/%d/1", b), content))
		}
		mustCommit(t, s, batches[b])
		c.ack(b + 1)
	}
	mustClose(t, s)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.crashes) < 4 {
		t.Fatalf("only %d crashes: nothing was flushed", len(c.crashes))
	}
	for _, crash := range c.crashes {
		t.Logf("crash before %s, %d batches acknowledged", crash.at, crash.acked)
		s := mustOpen(t, crash.fs, dir)
		n := int(s.Count()) / size
		if n < crash.acked {
			t.Fatalf("%d batches found, %d were acknowledged", n, crash.acked)
		}
		model(slices.Concat(batches[:n]...)).verify(t, s)
		mustClose(t, s)
	}
}

// failing fails write operations from the i-th on.
type failing struct {
	mu     sync.Mutex
	writes int
	first  int
	count  int // how many in a row fail
	paused bool
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paused {
		return nil
	}
	f.writes++
	if n := f.writes - 1 - f.first; n >= 0 && n < f.count {
		return errorfs.ErrInjected
	}
	return nil
}

func (f *failing) pause(paused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paused = paused
}

func (f *failing) reached() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes > f.first
}

// Every write operation of a short run fails once: alone, with the next, and
// with all that follow. What Commit returned nil for is on the disk as it was at that moment
// and after Close; after an error there are only errors.
func TestEveryWriteFails(t *testing.T) {
	batches := newBatches(t, 8, 6)
	for _, count := range []int{1, 2, 1 << 30} {
		failures := 0
		for i := 0; ; i++ {
			f := &failing{first: i, count: count}
			fs := vfs.NewCrashableMem()
			acked, err := runUntilFailure(t, fs, f, batches)
			if err != nil {
				failures++
				if !errors.Is(err, errorfs.ErrInjected) && !strings.Contains(err.Error(), "injected error") {
					t.Errorf("write %d fails: the error is %v", i, err)
				}
			}
			verifyCrash(t, fs.CrashClone(vfs.CrashCloneCfg{}), batches, acked)
			if !f.reached() {
				if acked != len(batches) {
					t.Fatalf("nothing failed and %d of %d batches were acknowledged", acked, len(batches))
				}
				break
			}
		}
		if failures < 2*len(batches) {
			t.Errorf("only %d runs failed", failures)
		}
	}
}

// runUntilFailure commits batches in two sittings until something fails, and
// checks what must hold from then on.
func runUntilFailure(t *testing.T, disk *vfs.MemFS, f *failing, batches [][]storage.Record) (acked int, err error) {
	fs := errorfs.Wrap(disk, f)
	for acked < len(batches) {
		// Opened on a log that is not empty, Pebble goes on trying to make a
		// table of it: see TestOpenOnABrokenDisk.
		f.pause(acked > 0)
		s, err := openOrDie(fs)
		f.pause(false)
		if err != nil {
			return acked, err
		}
		for range len(batches) / 2 {
			if err = s.Commit(batches[acked]); err != nil {
				break
			}
			acked++
		}
		if err != nil {
			checkFailed(t, s, batches[acked])
			verifyCrash(t, disk.CrashClone(vfs.CrashCloneCfg{}), batches, acked)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return acked, err
		}
	}
	return acked, nil
}

// openOrDie makes an error of the panic by which Pebble, on purpose, ends a
// process that cannot sync the directory with a new MANIFEST.
func openOrDie(fs vfs.FS) (s *storage.Store, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the process ends: %v", r)
		}
	}()
	return storage.Open(dir, network, storage.Options{FS: fs})
}

func checkFailed(t *testing.T, s *storage.Store, batch []storage.Record) {
	t.Helper()
	if s.Err() == nil {
		t.Error("Err is nil after a failed commit")
	}
	for range 3 {
		if err := s.Commit(batch); err == nil {
			t.Error("a commit after a failed one returned nil")
		}
	}
	if err := s.Commit(nil); err == nil {
		t.Error("an empty commit after a failed one returned nil")
	}
}

// A disk that takes no more tables, full for example, when there is a log to
// make one of: Open gives up, it does not try for ever. The disk gets well after
// so many tries, for this test to end either way.
func TestOpenOnABrokenDisk(t *testing.T) {
	const tries = 1_000
	mem := vfs.NewCrashableMem()
	batches := newBatches(t, 3, 4)
	s := mustOpen(t, mem, dir)
	for _, batch := range batches {
		mustCommit(t, s, batch)
	}
	mustClose(t, s)
	before := mem.CrashClone(vfs.CrashCloneCfg{})

	var failed atomic.Int64
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") && failed.Add(1) <= tries {
			return errorfs.ErrInjected
		}
		return nil
	}))
	s, err := storage.Open(dir, network, storage.Options{FS: fs})
	if err == nil {
		t.Errorf("open: no error after %d failed tries", failed.Load()-1)
		mustClose(t, s)
	}
	verifyCrash(t, before, batches, len(batches))
}
