package storage_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/storage"
)

// A backup is a store like this one, and survives a crash.
func TestBackup(t *testing.T) {
	mem := vfs.NewCrashableMem()
	c := newChain(t, 9)
	s := c[:6].store(t, mem)
	mustPrune(t, s, pruning(3))
	if err := s.Backup(t.Context(), "backups/one"); err != nil {
		t.Fatal(err)
	}
	c.tell(t, s, 7)
	if err := s.Backup(t.Context(), "backups/one"); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "backups/one") {
		t.Errorf("over another: %v", err)
	}
	if err := s.Backup(t.Context(), dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over itself: %v", err)
	}
	for _, disk := range []vfs.FS{mem, mem.CrashClone(vfs.CrashCloneCfg{})} {
		b := mustOpen(t, disk, "backups/one")
		if b.LastAnchor() != 6 || gapsOf(t, b) != "1-5 pruned " {
			t.Errorf("anchor %d, gaps %s", b.LastAnchor(), gapsOf(t, b))
		}
		c.verify(t, b)
		c.tell(t, b, 7)
		c.verify(t, b)
		mustClose(t, b)
	}
	c.verify(t, s)
	mustClose(t, s)
	if err := s.Backup(t.Context(), "backups/two"); err == nil {
		t.Error("backup of a closed store")
	}
}

// What was acknowledged before is in a backup taken beside a writer, and what
// comes later is in it whole or not at all.
func TestBackupBesideAWriter(t *testing.T) {
	base := t.TempDir()
	c := newChain(t, 60)
	s := mustOpen(t, vfs.Default, filepath.Join(base, "store"))
	c[:10].tell(t, s, 1)
	var wg sync.WaitGroup
	wg.Go(func() { c.tell(t, s, 11) })
	for _, name := range []string{"one", "two"} {
		before := s.LastAnchor()
		if err := s.Backup(t.Context(), filepath.Join(base, "backups", name)); err != nil {
			t.Fatal(err)
		}
		b := mustOpen(t, vfs.Default, filepath.Join(base, "backups", name))
		if b.LastAnchor() < before {
			t.Errorf("anchor %d of %d", b.LastAnchor(), before)
		}
		c.verify(t, b)
		mustClose(t, b)
	}
	wg.Wait()
	c.verify(t, s)
	mustClose(t, s)
}

// Whatever fails, the store goes on or says why not, and no half a backup is left.
func TestBackupFails(t *testing.T) {
	c := newChain(t, 3)
	mem := vfs.NewMem()
	mustClose(t, c.store(t, mem))
	failures := 0
	for i := 0; ; i++ {
		f := &failing{first: i, count: 1}
		f.pause(true)
		s, err := storage.Open(dir, network, storage.Options{FS: errorfs.Wrap(mem, onlyIn{"backups", f})})
		if err != nil {
			t.Fatal(err)
		}
		f.pause(false)
		err = s.Backup(t.Context(), "backups/one")
		f.pause(true)
		_, statErr := mem.Stat("backups/one")
		if (err == nil) != (statErr == nil) {
			t.Errorf("write %d fails: %v, and the folder: %v", i, err, statErr)
		}
		c.verify(t, s)
		mustClose(t, s)
		if err == nil {
			b := mustOpen(t, mem, "backups/one")
			c.verify(t, b)
			mustClose(t, b)
			if err := mem.RemoveAll("backups"); err != nil {
				t.Fatal(err)
			}
		} else {
			failures++
		}
		if !f.reached() {
			break
		}
	}
	if failures < 3 {
		t.Errorf("%d backups failed", failures)
	}
}

// onlyIn injects errors in one folder.
type onlyIn struct {
	folder string
	errorfs.Injector
}

func (o onlyIn) MaybeError(op errorfs.Op) error {
	if !strings.HasPrefix(op.Path, o.folder) {
		return nil
	}
	return o.Injector.MaybeError(op)
}
