package storage_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/storage"
)

func TestExists(t *testing.T) {
	fs := vfs.NewMem()
	wantExists := func(dir string, want bool) {
		t.Helper()
		if got, err := storage.Exists(dir, fs); err != nil || got != want {
			t.Errorf("a store in %s: %v, %v; want %v", dir, got, err, want)
		}
	}
	wantExists(dir, false)
	if err := fs.MkdirAll("empty", 0o700); err != nil {
		t.Fatal(err)
	}
	wantExists("empty", false)
	s := mustOpen(t, fs, dir)
	wantExists(dir, true) // while it is open
	mustClose(t, s)
	wantExists(dir, true)
	if _, err := fs.Stat("empty"); err != nil {
		t.Error(err)
	}
	if list, err := fs.List("empty"); err != nil || len(list) > 0 {
		t.Errorf("looking left %v, %v", list, err)
	}
}

// TestLock: one lock keeps out another and Open, and an open store keeps out locks.
func TestLock(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	locked := new(storage.LockedError)
	if _, err := storage.Lock(dir, fs); !errors.As(err, &locked) {
		t.Errorf("an open store was locked: %v", err)
	}
	mustClose(t, s)
	lock, err := storage.Lock(dir, fs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(dir, network, storage.Options{FS: fs}); !errors.As(err, &locked) {
		t.Errorf("a locked store was opened: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, openFor(t, fs, dir))
}

// TestForgetWitnesses: no own witness is remembered, at once and after a crash; the
// messages stay, and a round may be written anew.
func TestForgetWitnesses(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, fs, dir)
	m := model{newWitness(t, 0, 5, "a"), newWitness(t, 1, 2, "b"), newRecord(t, 1, 3_000, "fresh", nil)}
	mustCommit(t, s, m)
	if err := s.ForgetWitnesses(); err != nil {
		t.Fatal(err)
	}
	check := func(s *storage.Store) {
		t.Helper()
		if _, round, id, ok := s.OwnWitness(); ok {
			t.Errorf("own witness %v of round %d is remembered", id, round)
		}
		m.verify(t, s)
	}
	check(s)
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	mustClose(t, s)
	s = openFor(t, crashed, dir)
	check(s)
	again := newWitness(t, 0, 5, "other")
	mustCommit(t, s, []storage.Record{again})
	checkOwnWitness(t, s, again)
	mustClose(t, s)
	if err := s.ForgetWitnesses(); err == nil {
		t.Error("a closed store forgets")
	}
}
