package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/storage"
)

// verifyStory opens what is left of a story and checks that it holds the first
// steps, at least those acknowledged, each whole, and can be written on.
func verifyStory(t *testing.T, fs vfs.FS, st story, acked int) {
	t.Helper()
	s := openFor(t, fs, dir)
	n := 0
	for ; n < len(st); n++ {
		if shorter := st[:n+1]; s.Count() < uint64(len(shorter.messages())) || s.LastAnchor() < uint64(len(shorter.anchors())) {
			break
		}
	}
	if n < acked {
		t.Fatalf("%d steps found, %d were acknowledged", n, acked)
	}
	verifyOneWitness(t, s, st[:n])
	st[:n].verify(t, s, st) // the refusals have changed nothing
	for _, next := range st[n:] {
		if err := next.do(s); err != nil {
			t.Fatalf("going on from step %d: %v", n, err)
		}
	}
	st.verify(t, s, st)
}

// verifyOneWitness offers a second witness for each round that has one.
func verifyOneWitness(t *testing.T, s *storage.Store, st story) {
	t.Helper()
	for w, has := range st.witnesses() {
		second := newRecord(t, 3, 5_000, "second", fmt.Append(nil, w))
		second.Witness = &w
		err := s.Commit([]storage.Record{newRecord(t, 9, 5_000, "new topic", nil), second})
		var e *storage.WitnessError
		if !errors.As(err, &e) || e.Epoch != w.Epoch || e.Round != w.Round || e.Has != has || e.New != second.Message.ID() {
			t.Fatalf("second witness for %+v: %v, want a WitnessError", w, err)
		}
		if err := s.Err(); err != nil {
			t.Fatalf("a refused witness fails the store: %v", err)
		}
	}
}

// The plug is pulled before every write operation and after every step, between
// batches of messages and anchors.
func TestCrashStory(t *testing.T) {
	fs := vfs.NewCrashableMem()
	c := &crasher{fs: fs, rng: rand.New(rand.NewPCG(5, 6)), when: func(errorfs.Op) bool { return true }}
	st := newStory(t, 5)
	wrapped := errorfs.Wrap(fs, c)
	for i := 0; i < len(st); {
		s := mustOpen(t, wrapped, dir)
		for range 5 {
			if err := st[i].do(s); err != nil {
				t.Fatal(err)
			}
			i++
			c.ack(i)
			c.crash(fmt.Sprintf("after step %d", i), true)
		}
		mustClose(t, s)
	}
	if len(c.crashes) < 100 {
		t.Fatalf("only %d crashes", len(c.crashes))
	}
	for i, crash := range c.crashes {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Logf("crash before %s, %d steps acknowledged", crash.at, crash.acked)
			verifyStory(t, crash.fs, st, crash.acked)
		})
	}
}

// Every write operation of a story fails, alone or with all that follow. What was
// acknowledged is on the disk; after an error there are only errors.
func TestEveryWriteOfAStoryFails(t *testing.T) {
	st := newStory(t, 4)
	for _, count := range []int{1, 1 << 30} {
		failures := 0
		for i := 0; ; i++ {
			f := &failing{first: i, count: count}
			fs := vfs.NewCrashableMem()
			acked, err := tellUntilFailure(t, fs, f, st)
			if err != nil {
				failures++
				if !errors.Is(err, errorfs.ErrInjected) && !strings.Contains(err.Error(), "injected error") {
					t.Errorf("write %d fails: the error is %v", i, err)
				}
			}
			verifyStory(t, fs.CrashClone(vfs.CrashCloneCfg{}), st, acked)
			if !f.reached() {
				break
			}
		}
		if failures < 2*len(st) {
			t.Errorf("only %d runs failed", failures)
		}
	}
}

// tellUntilFailure is runUntilFailure for a story, in one sitting.
func tellUntilFailure(t *testing.T, disk *vfs.MemFS, f *failing, st story) (acked int, err error) {
	s, err := openOrDie(errorfs.Wrap(disk, f))
	if err != nil {
		return 0, err
	}
	for ; acked < len(st); acked++ {
		if err = st[acked].do(s); err != nil {
			break
		}
	}
	if err != nil {
		if s.Err() == nil {
			t.Error("Err is nil after a failed step")
		}
		for _, step := range st {
			if err := step.do(s); err == nil {
				t.Error("a step after a failed one returned nil")
			}
		}
		if err := s.SetSignatures(1, nil); err == nil {
			t.Error("SetSignatures after a failed step returned nil")
		}
		verifyStory(t, disk.CrashClone(vfs.CrashCloneCfg{}), st, acked)
	}
	return acked, errors.Join(err, s.Close())
}
