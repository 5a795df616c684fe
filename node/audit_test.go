package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// quiet keeps Pebble's notes on its own doings out of the test's output.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, _ ...any) { panic(format) }

// editStore changes rows of a closed node's store.
func editStore(t *testing.T, opts Options, edit func(db *pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open(opts.storeDir(), &pebble.Options{FS: opts.FS, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := edit(db); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// damageMessage changes a byte of a stored message's content.
func damageMessage(id message.ID) func(*pebble.DB) error {
	return func(db *pebble.DB) error {
		key := append([]byte{'m'}, id[:]...)
		value, closer, err := db.Get(key)
		if err != nil {
			return err
		}
		changed := slices.Clone(value)
		if err := closer.Close(); err != nil {
			return err
		}
		changed[len(changed)-80] ^= 1
		return db.Set(key, changed, pebble.Sync)
	}
}

// audited is what n finds when it compares itself with another.
func audited(t *testing.T, n, other *Node) AuditReport {
	t.Helper()
	var done, total uint64
	report, err := n.Audit(t.Context(), other.gossip.ID(), func(d, all uint64) { done, total = d, all })
	if err != nil {
		t.Fatalf("Audit: %v", err)
	}
	if want := 2 * (report.Last - report.First + 1); done != want || total != want {
		t.Errorf("told %d of %d, want %d", done, total, want)
	}
	return report
}

// twoArchives are permanodes with an equal history that is signed, and the readings
// in it; what of them a test damages lies behind the live part.
func twoArchives(t *testing.T, w *world) (opts [2]Options, a, b *Node, ids []message.ID) {
	t.Helper()
	w.seated(1)
	w.genesis.Window = 10 * time.Second
	opts = [2]Options{w.first(0, vfs.NewMem()), w.options(1, vfs.NewMem())}
	for i := range opts {
		opts[i].Dir, opts[i].Role = t.TempDir(), Permanode
	}
	a, b = w.open(opts[0]), w.open(opts[1])
	w.meet(a, b)
	ids = live(t, []*Node{a, b}, 120, 200*time.Millisecond)
	time.Sleep(20 * time.Second) // for the signatures over the last
	return opts, a, b, ids
}

// TestAudit: two permanodes are compared; one damaged message is told by its anchor,
// and on whose side, and is fetched again from the other.
func TestAudit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		opts, a, b, ids := twoArchives(t, w)
		report := audited(t, a, b)
		if report.First != 1 || report.Last+3 < a.LastAnchor() || report.Messages < uint64(len(ids)) || len(report.Differ) > 0 || report.More {
			t.Fatalf("of two equal ones: %+v", report)
		}

		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		victim := ids[40]
		editStore(t, opts[1], damageMessage(victim))
		anchor, ok, err := a.store.Final(victim)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		b = w.open(opts[1])
		until(t, time.Minute, "connected", func() bool { return a.isConnected(b.gossip.ID()) && b.isConnected(a.gossip.ID()) })
		report = audited(t, a, b)
		if len(report.Differ) != 1 || report.Differ[0].Anchor != anchor.Anchor || report.Differ[0].Here != "" || report.Differ[0].There == "" {
			t.Errorf("damaged at the other: %+v, want anchor %d", report.Differ, anchor.Anchor)
		}
		// Asking for it was enough to have it mended there.
		until(t, time.Minute, "the other has it again", func() bool { return has(b, victim) })
		if report = audited(t, b, a); len(report.Differ) > 0 {
			t.Errorf("mended: %+v", report.Differ)
		}

		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		editStore(t, opts[0], damageMessage(victim))
		a = w.open(opts[0])
		until(t, time.Minute, "connected", func() bool { return a.isConnected(b.gossip.ID()) && b.isConnected(a.gossip.ID()) })
		report = audited(t, a, b)
		if len(report.Differ) != 1 || report.Differ[0].Anchor != anchor.Anchor || !strings.Contains(report.Differ[0].Here, victim.String()) || report.Differ[0].There != "" {
			t.Errorf("damaged here: %+v, want anchor %d", report.Differ, anchor.Anchor)
		}
		until(t, time.Minute, "it is here again", func() bool { return has(a, victim) })
	})
}

// TestAuditOfNobody: the peer must be connected.
func TestAuditOfNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		if _, err := n.Audit(t.Context(), n.gossip.ID(), nil); err != ErrNoPeer {
			t.Errorf("audit: %v", err)
		}
		if _, err := n.FetchSnapshot(t.Context(), n.gossip.ID(), nil); err != ErrNoPeer {
			t.Errorf("fetch: %v", err)
		}
	})
}

// TestCheckMends: what a check of the whole store cannot read is fetched again.
func TestCheckMends(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		w.genesis.Window = 10 * time.Second // what is damaged lies behind the live part
		opts := w.options(1, vfs.NewMem())
		opts.Dir = t.TempDir()
		a, b := w.open(w.first(0, vfs.NewMem())), w.open(opts)
		w.meet(a, b)
		ids := live(t, []*Node{a, b}, 60, 200*time.Millisecond)
		time.Sleep(20 * time.Second)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		editStore(t, opts, damageMessage(ids[7]))
		b = w.open(opts)
		report, err := b.CheckStore(t.Context(), nil)
		if err != nil || report.Damaged == 0 || report.Damages[0].Table != 'm' {
			t.Fatalf("%+v, %v", report, err)
		}
		time.Sleep(2 * mendPause)
		if report, err = b.CheckStore(t.Context(), nil); err != nil || report.Damaged > 0 {
			t.Errorf("after it was mended: %+v, %v", report, err)
		}
	})
}
