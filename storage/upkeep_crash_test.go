package storage_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/storage"
)

// upkeep is something that goes through much of a store of nine anchors.
type upkeep struct {
	begin  func(t *testing.T, c chain, s *storage.Store)
	do     func(t *testing.T, c chain, s *storage.Store) error
	stages bool // in several batches: a crash may leave it half done
}

func upkeeps() map[string]upkeep {
	seeded := func(t *testing.T, c chain, s *storage.Store) {
		if err := s.Seed(t.Context(), c.seed()); err != nil {
			t.Fatal(err)
		}
	}
	told := func(t *testing.T, c chain, s *storage.Store) { c.tell(t, s, 1) }
	return map[string]upkeep{
		"prune": {begin: told, do: func(t *testing.T, c chain, s *storage.Store) error {
			p := pruning(5)
			p.Keep = func(r storage.Record) (bool, []byte, error) { return true, []byte("proof"), nil }
			p.KeepTopics = func(topic string) bool { return topic == "held" }
			return second(s.Prune(t.Context(), p))
		}},
		"drop": {begin: told, do: func(t *testing.T, c chain, s *storage.Store) error {
			return second(s.DropTopic(t.Context(), "city/a", linkTime(7)))
		}},
		"fill":    {begin: seeded, do: func(t *testing.T, c chain, s *storage.Store) error { return s.Fill(c.filled(8)) }},
		"restore": {begin: seeded, do: func(t *testing.T, c chain, s *storage.Store) error { return s.Restore(c[8].records[1]) }},
		"seed_new": {stages: true, begin: func(*testing.T, chain, *storage.Store) {}, do: func(t *testing.T, c chain, s *storage.Store) error {
			return s.Seed(t.Context(), c.seed())
		}},
		"seed_away": {stages: true, begin: func(t *testing.T, c chain, s *storage.Store) {
			c[:3].tell(t, s, 1)
			pending := c[7].records[2]
			pending.Own = true
			mustCommit(t, s, []storage.Record{pending})
		}, do: func(t *testing.T, c chain, s *storage.Store) error { return s.Seed(t.Context(), c.seed()) }},
		"seed_again": {stages: true, begin: func(t *testing.T, c chain, s *storage.Store) {
			c[:3].tell(t, s, 1)
			if err := s.Seed(t.Context(), failingSeed(c[:8], 2)); !errors.Is(err, errTampered) {
				t.Fatal(err)
			}
		}, do: func(t *testing.T, c chain, s *storage.Store) error { return s.Seed(t.Context(), c.seed()) }},
	}
}

// upkeepRun is one piece of upkeep with what the store holds before and after it.
type upkeepRun struct {
	upkeep
	c             chain
	base          *vfs.MemFS // before it, durable
	before, after map[string]string
}

func newUpkeepRun(t *testing.T, u upkeep) upkeepRun {
	r := upkeepRun{upkeep: u, c: newChain(t, 9), base: vfs.NewCrashableMem()}
	s := mustOpen(t, r.base, dir)
	u.begin(t, r.c, s)
	mustClose(t, s)
	done := r.disk()
	s = mustOpen(t, done, dir)
	if err := u.do(t, r.c, s); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	r.before, r.after = dump(t, r.disk()), dump(t, done)
	if maps.Equal(r.before, r.after) {
		t.Fatal("it changes nothing")
	}
	return r
}

// disk is a copy of the store as it was before.
func (r upkeepRun) disk() *vfs.MemFS { return r.base.CrashClone(vfs.CrashCloneCfg{}) }

// verify checks what a crash left: what was there before or what is there after,
// or, of several batches, a store that the same upkeep makes whole.
func (r upkeepRun) verify(t *testing.T, fs *vfs.MemFS, acked bool) {
	t.Helper()
	s := mustOpen(t, fs, dir)
	r.c.verify(t, s)
	_, seeding := s.Seeding()
	mustClose(t, s)
	rows := dump(t, fs)
	done := maps.Equal(rows, r.after)
	switch {
	case done:
	case acked:
		sameRows(t, "acknowledged", rows, r.after)
	case r.stages && seeding:
	default:
		sameRows(t, "not acknowledged", rows, r.before)
	}
	if done {
		return
	}
	s = mustOpen(t, fs, dir)
	if err := r.do(t, r.c, s); err != nil {
		t.Fatalf("again: %v", err)
	}
	r.c.verify(t, s)
	mustClose(t, s)
	sameRows(t, "again", dump(t, fs), r.after)
}

// The plug is pulled before every write operation of each piece of upkeep, and
// after it.
func TestCrashUpkeep(t *testing.T) {
	for name, u := range upkeeps() {
		t.Run(name, func(t *testing.T) {
			r := newUpkeepRun(t, u)
			disk := r.disk()
			var on atomic.Bool // Pebble writes in the background too
			c := &crasher{fs: disk, rng: rand.New(rand.NewPCG(7, 8)), when: func(errorfs.Op) bool { return on.Load() }}
			s := mustOpen(t, errorfs.Wrap(disk, c), dir)
			on.Store(true)
			if err := r.do(t, r.c, s); err != nil {
				t.Fatal(err)
			}
			c.ack(1)
			c.crash("the end", true)
			on.Store(false)
			mustClose(t, s)
			if len(c.crashes) < 5 {
				t.Fatalf("only %d crashes", len(c.crashes))
			}
			for _, crash := range c.crashes {
				t.Logf("crash before %s", crash.at)
				r.verify(t, crash.fs, crash.acked == 1)
			}
		})
	}
}

// Every write operation of each piece of upkeep fails, alone or with all that
// follow. After an error there are only errors until the store is opened again.
func TestEveryWriteOfUpkeepFails(t *testing.T) {
	for name, u := range upkeeps() {
		t.Run(name, func(t *testing.T) {
			r := newUpkeepRun(t, u)
			failures := 0
			for _, count := range []int{1, 1 << 30} {
				for i := 0; ; i++ {
					f := &failing{first: i, count: count}
					if r.failAt(t, f) {
						failures++
					}
					if !f.reached() {
						break
					}
				}
			}
			if failures < 2 {
				t.Errorf("only %d runs failed", failures)
			}
		})
	}
}

// failAt runs the upkeep on a disk that fails, and tells whether it did.
func (r upkeepRun) failAt(t *testing.T, f *failing) bool {
	t.Helper()
	disk := r.disk()
	f.pause(true)
	s := mustOpen(t, errorfs.Wrap(disk, f), dir)
	f.pause(false)
	err := r.do(t, r.c, s)
	f.pause(true)
	if err != nil {
		if !strings.Contains(err.Error(), "injected error") || s.Err() == nil {
			t.Errorf("%v; the store: %v", err, s.Err())
		}
		if err := s.Commit(nil); err == nil {
			t.Error("a commit after a failure returned nil")
		}
		if err := r.do(t, r.c, s); err == nil {
			t.Error("upkeep after a failure returned nil")
		}
	}
	r.verify(t, disk.CrashClone(vfs.CrashCloneCfg{}), err == nil)
	_ = s.Close() // it may tell the failure once more
	return err != nil
}

// Reads fail while a piece of upkeep works out what to do: it says so, and nothing
// is changed but that a seed is cut short.
func TestUpkeepOnAnUnreadableDisk(t *testing.T) {
	for name, u := range upkeeps() {
		if name == "seed_new" || name == "restore" {
			continue // nothing to read; a body that cannot be read is restored
		}
		t.Run(name, func(t *testing.T) {
			r := newUpkeepRun(t, u)
			disk := r.disk()
			// One table: nothing compacts it while it cannot be read.
			withPebble(t, disk, dir, func(db *pebble.DB) error { return db.Compact(t.Context(), []byte{0}, []byte{0xff}, false) })
			broken := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpOpen || op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt {
					return errorfs.ErrInjected
				}
				return nil
			})}
			s, err := storage.Open(dir, network, storage.Options{FS: errorfs.Wrap(disk, broken), CacheBytes: -1})
			if err != nil {
				t.Fatal(err)
			}
			broken.On()
			err = r.do(t, r.c, s)
			broken.Off()
			// Pebble reads in the background too, and may fail the store by itself.
			if !errors.Is(err, errorfs.ErrInjected) {
				t.Errorf("%v, want the error of the disk", err)
			}
			mustClose(t, s)
			r.verify(t, disk, false)
		})
	}
}
