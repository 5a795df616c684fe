package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/storage"
)

func TestIssuedIsDurableAndSurvivesRestart(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := vfs.NewMem()
		opts := w.options(0, fs)
		n := w.open(opts)
		opts.Dir = n.opts.Dir
		var ids []message.ID
		for i := range 50 {
			ids = append(ids, issue(t, n, reading(i)))
		}
		before := info(t, n)
		if before.Messages != 50 || before.Vertices != 50 || before.Orphans != 0 {
			t.Fatalf("before the restart: %+v", before)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Issue(t.Context(), reading(0)); !errors.Is(err, ErrClosed) {
			t.Fatalf("Issue after Close: %v, want ErrClosed", err)
		}
		n2, err := Open(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer n2.Close()
		for i, id := range ids {
			if got, want := string(content(t, n2, id)), fmt.Sprintf(`{"seq":%d}`, i); got != want {
				t.Errorf("content %s, want %s", got, want)
			}
		}
		after := info(t, n2)
		if after.Messages != before.Messages || after.Tips != before.Tips || after.Newest != before.Newest || after.Vertices != before.Vertices {
			t.Errorf("after the restart %+v, before %+v", after, before)
		}
		// The DAG goes on where it was: the next message stands on the tips.
		id := issue(t, n2, reading(99))
		r, err := n2.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.Message.Parents {
			if p == w.genesis.ID() {
				t.Errorf("parent is the genesis, want tips")
			}
		}
	})
}

// TestCrashLosesNothingAcknowledged cuts the power at every tenth message.
func TestCrashLosesNothingAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := vfs.NewCrashableMem()
		n := w.open(w.options(0, fs))
		var ids []message.ID
		for round := range 5 {
			for i := range 10 {
				ids = append(ids, issue(t, n, reading(round*10+i)))
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{})
			opts := w.options(round+1, crashed)
			opts.Dir = n.opts.Dir
			after := w.open(opts)
			if !hasAll(after, ids) {
				t.Fatalf("round %d: an acknowledged message is gone", round)
			}
			if got := info(t, after).Messages; got != uint64(len(ids)) {
				t.Fatalf("round %d: %d messages, want %d", round, got, len(ids))
			}
		}
	})
}

// TestFailedStoreStopsTheNode checks that nothing is acknowledged once a write
// did not reach the disk, that the node says so, and that a fresh start on the
// healed disk has all that was acknowledged.
func TestFailedStoreStopsTheNode(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		mem := vfs.NewCrashableMem()
		var broken errorfs.Toggle
		broken.Injector = errorfs.ErrInjected.If(errorfs.Writes)
		n := w.open(w.options(0, errorfs.Wrap(mem, &broken)))
		ok := issue(t, n, reading(1))
		broken.On()
		if _, err := n.Issue(t.Context(), reading(2)); err == nil {
			t.Fatal("Issue on a broken disk: nil error")
		}
		if err := n.Health(); err == nil || errors.Is(err, ErrDiskLow) {
			t.Fatalf("Health: %v, want the store's failure", err)
		}
		if _, err := n.Issue(t.Context(), reading(3)); !errors.Is(err, ErrClosed) {
			t.Fatalf("Issue after the failure: %v, want ErrClosed", err)
		}
		broken.Off()
		opts := w.options(1, mem.CrashClone(vfs.CrashCloneCfg{}))
		opts.Dir = n.opts.Dir
		after := w.open(opts)
		if !has(after, ok) {
			t.Error("the acknowledged message is gone")
		}
	})
}

func TestDiskLowRefusesAndRecovers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := &smallDisk{FS: vfs.NewMem(), free: 2 << 30}
		opts := w.options(0, fs)
		var log strings.Builder
		opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		n := w.open(opts)
		kept := issue(t, n, reading(1))
		fs.set(512 << 20)
		until(t, 5*time.Second, "a warning", n.diskShort.Load)
		bubbletest.Wait() // the log is written
		if n.Health() != nil || !strings.Contains(log.String(), "little room") {
			t.Errorf("health %v, log %q; want a warning and no more", n.Health(), &log)
		}
		fs.set(1 << 20)
		until(t, 5*time.Second, "unhealthy", func() bool { return errors.Is(n.Health(), ErrDiskLow) })
		if _, err := n.Issue(t.Context(), reading(2)); !errors.Is(err, ErrDiskLow) {
			t.Fatalf("Issue: %v, want ErrDiskLow", err)
		}
		if !has(n, kept) {
			t.Error("reads are not served while the disk is low")
		}
		fs.set(1 << 30)
		until(t, 5*time.Second, "healthy", func() bool { return n.Health() == nil })
		issue(t, n, reading(3))
	})
}

func TestOpenRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := vfs.NewMem()
		opts := w.options(0, fs)
		n := w.open(opts)
		opts.Dir = n.opts.Dir

		var locked *storage.LockedError
		if _, err := Open(t.Context(), opts); !errors.As(err, &locked) {
			t.Errorf("directory in use: %v, want *storage.LockedError", err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		other := *w.genesis
		other.Name = "other"
		opts.Genesis = &other
		var foreign *storage.NetworkError
		if _, err := Open(t.Context(), opts); !errors.As(err, &foreign) {
			t.Errorf("directory of another network: %v, want *storage.NetworkError", err)
		}
		opts.Role = "inner"
		if _, err := Open(t.Context(), opts); err == nil {
			t.Error("unknown role: nil error")
		}
	})
}

func TestTail(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := n.Tail(ctx)
		var want, got []message.ID
		for i := range 20 {
			want = append(want, issue(t, n, reading(i)))
		}
		for e, err := range events {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				break
			}
			if got = append(got, e.Message.ID()); len(got) == len(want) {
				cancel()
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("tail gave %v, want %v", got, want)
		}
		// A reader that does not read is cut off, told, and holds nobody up.
		lagging := n.Tail(t.Context())
		for i := range tailBuffer + 1 {
			n.tail.publish([]storage.Record{{Message: mustGet(t, n, want[i%20])}}, time.Now())
		}
		var last error
		for _, err := range lagging {
			last = err
		}
		if !errors.Is(last, ErrLagging) {
			t.Errorf("a reader that lags got %v, want ErrLagging", last)
		}
	})
}

func mustGet(t *testing.T, n *Node, id message.ID) *message.Message {
	t.Helper()
	r, err := n.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Message
}
