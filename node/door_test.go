package node

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// TestBadInputIsRefusedCountedAndHarmless offers everything a sender can get
// wrong, between good messages.
func TestBadInputIsRefusedCountedAndHarmless(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		for i := range 3 {
			issue(t, n, reading(i))
		}
		bits := w.genesis.DataBits
		good := func() message.Draft { return draft(n, reading(7)) }
		raw := func(d message.Draft) []byte { return signed(t, keyOf(9), bits, d).Bytes() }
		flip := func(b []byte, i int) []byte {
			b = bytes.Clone(b)
			b[(i+len(b))%len(b)] ^= 0x80
			return b
		}
		cases := map[message.Reason][]byte{
			message.ReasonTruncated: raw(good())[:60],
			message.ReasonTrailing:  append(raw(good()), 0),
			message.ReasonTooLarge:  make([]byte, message.MaxSize+1),
			message.ReasonVersion:   flip(raw(good()), 0),
			message.ReasonNetwork: func() []byte {
				d := good()
				d.Network[0] ^= 1
				return raw(d)
			}(),
			message.ReasonSignature: mined(t, bits, flip(raw(good()), -9-1)),
			message.ReasonWork:      unmined(raw(good()), bits),
			message.ReasonParents: func() []byte {
				d := good()
				d.Parents = d.Parents[:1]
				return raw(d)
			}(),
		}
		for reason, b := range cases {
			_, err := n.Submit(t.Context(), b)
			var invalid *message.InvalidError
			if !errors.As(err, &invalid) || invalid.Reason != reason {
				t.Errorf("Submit: %v, want reason %q", err, reason)
			}
			if got := testutil.ToFloat64(n.metrics.invalid.WithLabelValues(string(reason))); got != 1 {
				t.Errorf("%s counted %v times, want once", reason, got)
			}
		}
		for _, d := range []message.Data{{}, {Topic: "a/+/b"}, {Topic: strings.Repeat("a", 300)}, {Topic: "a", Content: make([]byte, message.MaxSize)}} {
			var invalid *message.InvalidError
			if _, err := n.Issue(t.Context(), d); !errors.As(err, &invalid) {
				t.Errorf("Issue of %.20q: %v, want *message.InvalidError", d.Topic, err)
			}
		}
		if got := info(t, n); got.Messages != 3 || got.Orphans != 0 || got.Held != 0 {
			t.Errorf("bad input left something behind: %+v", got)
		}
		if r, err := n.Submit(t.Context(), raw(good())); err != nil || r.State != Durable {
			t.Errorf("a good message after all that: %v, %v", r.State, err)
		}
	})
}

// mined stamps new work on damaged bytes, so that the damage is what is found.
func mined(t *testing.T, bits int, b []byte) []byte {
	m, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	for nonce := uint64(0); m.Work() < bits; nonce++ {
		m.SetNonce(nonce)
	}
	return m.Bytes()
}

// unmined stamps a nonce that carries too little work.
func unmined(b []byte, bits int) []byte {
	m, _ := message.Decode(b)
	for nonce := uint64(0); m.Work() >= bits; nonce++ {
		m.SetNonce(nonce)
	}
	return m.Bytes()
}

// TestBadNonceDoesNotMarkTheID: a copy with a bad nonce is refused, the right
// one is still taken.
func TestBadNonceDoesNotMarkTheID(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		b := signed(t, keyOf(9), w.genesis.DataBits, draft(n, reading(1))).Bytes()
		if _, err := n.Submit(t.Context(), unmined(b, w.genesis.DataBits)); err == nil {
			t.Fatal("a copy without work was taken")
		}
		if r, err := n.Submit(t.Context(), b); err != nil || r.State != Durable {
			t.Fatalf("the real one: %v, %v", r.State, err)
		}
		if r, err := n.Submit(t.Context(), b); err != nil || r.State != Duplicate {
			t.Fatalf("again: %v, %v", r.State, err)
		}
	})
}

// TestClockAhead: 5..60 s ahead is held and then taken; further is dropped;
// nobody is penalised.
func TestClockAhead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		at := func(ahead time.Duration) *message.Message {
			d := draft(n, reading(1))
			d.Timestamp = uint64(time.Now().Add(ahead).UnixNano())
			return signed(t, keyOf(9), w.genesis.DataBits, d)
		}
		near, far, beyond := at(4*time.Second), at(30*time.Second), at(2*time.Minute)
		for _, c := range []struct {
			m    *message.Message
			want State
		}{{near, Durable}, {far, Held}, {far, Held}, {beyond, Ahead}} {
			if r, err := n.Submit(t.Context(), c.m.Bytes()); err != nil || r.State != c.want {
				t.Errorf("%v ahead: %v, %v, want %v", time.Until(c.m.ID().Time()), r.State, err, c.want)
			}
		}
		if has(n, far.ID()) || info(t, n).Held != 1 {
			t.Error("the held message is not held")
		}
		// Nothing more than a second ahead is approved.
		if id := issue(t, n, reading(2)); id.Time().After(time.Now().Add(approveAhead)) {
			t.Errorf("our own message is stamped %v ahead", time.Until(id.Time()))
		}
		time.Sleep(26 * time.Second)
		if !has(n, far.ID()) || info(t, n).Held != 0 {
			t.Error("the held message was not taken when its time had come")
		}
		if r, err := n.Submit(t.Context(), beyond.Bytes()); err != nil || r.State == Duplicate {
			t.Errorf("the dropped one left a mark: %v, %v", r.State, err)
		}
	})
}

// TestClockSetBack: a clock that was an hour ahead, or is before the genesis, is
// no reason to stop issuing, let alone to panic.
func TestClockSetBack(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		n.lastStamp.Store(uint64(time.Now().Add(time.Hour).UnixNano()))
		if id := issue(t, n, reading(1)); time.Until(id.Time()) > time.Second {
			t.Errorf("stamped %v ahead", time.Until(id.Time()))
		}
		if parents, _ := n.selectParents(w.genesis.Start.Add(-time.Hour)); len(parents) != 1 || parents[0] != w.genesis.ID() {
			t.Errorf("before the genesis: parents %v, want the genesis alone", parents)
		}
	})
}

func TestHoldIsBounded(t *testing.T) {
	var h hold
	id := func(i int) *message.Message {
		d := message.Draft{
			Timestamp: uint64(1000 + i), Parents: []message.ID{{}}, Kind: message.KindData,
			Payload: (&message.Data{Topic: "t"}).Append(nil),
		}
		m, err := d.Sign(keyOf(1))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	taken := 0
	for i := range holdSenderLimit + 10 {
		if h.add(id(i), "flooder") {
			taken++
		}
	}
	if taken != holdSenderLimit {
		t.Errorf("one sender holds %d, want %d", taken, holdSenderLimit)
	}
	if !h.add(id(1e6), "other") {
		t.Error("a flood by one sender kept out another")
	}
	if due := h.due(time.Unix(0, math.MaxInt64)); len(due) != holdSenderLimit+1 || len(h.bySender) != 0 {
		t.Errorf("%d due, %d senders left", len(due), len(h.bySender))
	}
}

// TestStaleIsKept: a permanode has what came too late, and says so.
func TestStaleIsKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		opts := w.first(0, vfs.NewMem())
		opts.Role, opts.Dir = Permanode, t.TempDir()
		n, middle := w.open(opts), w.node(1)
		w.meet(n, middle)
		d := draft(n, reading(3))
		d.Parents = []message.ID{w.genesis.ID()}
		late := signed(t, keyOf(9), w.genesis.DataBits, d)
		for range 30 {
			time.Sleep(w.genesis.Window / 20)
			issue(t, n, reading(4))
		}
		for range 2 {
			for _, at := range []*Node{n, middle} {
				if r, err := at.Submit(t.Context(), late.Bytes()); err != nil || r.State != Stale && r.State != Duplicate {
					t.Fatalf("%v, %v, want stale", r.State, err)
				}
			}
		}
		time.Sleep(time.Minute)
		if !has(n, late.ID()) || has(middle, late.ID()) {
			t.Errorf("permanode %v, middle node %v: want it at the permanode alone", has(n, late.ID()), has(middle, late.ID()))
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n = w.open(opts)
		if md, err := n.Metadata(t.Context(), late.ID()); err != nil || !md.Stale || md.Final != nil || md.Measured {
			t.Errorf("%+v, %v, want stale", md, err)
		}
	})
}

// TestStaleIsRefused: older than the window, and only then.
func TestStaleIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		old := signed(t, keyOf(9), w.genesis.DataBits, draft(n, reading(1)))
		time.Sleep(w.genesis.Window)
		issue(t, n, reading(2))
		if r, err := n.Submit(t.Context(), old.Bytes()); err != nil || r.State != Durable {
			t.Fatalf("as old as the window: %v, %v, want durable", r.State, err)
		}
		d := draft(n, reading(3))
		d.Timestamp, d.Parents = old.Timestamp, []message.ID{w.genesis.ID()}
		older := signed(t, keyOf(9), w.genesis.DataBits, d)
		time.Sleep(10 * time.Second)
		issue(t, n, reading(4))
		if r, err := n.Submit(t.Context(), older.Bytes()); err != nil || r.State != Stale {
			t.Fatalf("older than the window: %v, %v, want stale", r.State, err)
		}
		if r, err := n.Submit(t.Context(), old.Bytes()); err != nil || r.State != Duplicate {
			t.Errorf("a stored old message again: %v, %v, want duplicate", r.State, err)
		}
	})
}

// TestConcurrentIssue: many issuers at once, each message once, parents always
// older, and equal readings are two messages.
func TestConcurrentIssue(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		var mu sync.Mutex
		seen := map[message.ID]bool{}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 20 {
					id, err := n.Issue(t.Context(), reading(1))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					seen[id] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(seen) != 400 || info(t, n).Messages != 400 {
			t.Errorf("%d IDs, %d stored, want 400", len(seen), info(t, n).Messages)
		}
	})
}

func TestMetadata(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		first := issue(t, n, reading(0))
		for i := range 30 {
			issue(t, n, reading(i))
		}
		time.Sleep(confidenceAge)
		md, err := n.Metadata(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if !md.Solid || !md.Measured || !md.Exact || md.Tips == 0 || md.Confidence() != 1 {
			t.Errorf("the first of 30: %+v, want all tips to reach it", md)
		}
		if _, err := n.Metadata(t.Context(), message.ID{1}); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown message: %v, want ErrNotFound", err)
		}
		d := draft(n, reading(5))
		d.Parents = []message.ID{message.NewID(d.Timestamp-1, [32]byte{1}), message.NewID(d.Timestamp-2, [32]byte{2})}
		orphan := signed(t, keyOf(9), w.genesis.DataBits, d)
		if r, err := n.Submit(t.Context(), orphan.Bytes()); err != nil || r.State != Orphan {
			t.Fatalf("Submit: %v, %v, want orphan", r.State, err)
		}
		if r, err := n.Submit(t.Context(), orphan.Bytes()); err != nil || r.State != Orphan {
			t.Errorf("an orphan again: %v, %v; it is not on disk and must not be called a duplicate", r.State, err)
		}
		if md, err := n.Metadata(t.Context(), orphan.ID()); err != nil || md.Solid || md.Measured {
			t.Errorf("an orphan: %+v, %v", md, err)
		}
	})
}

func TestMetricsAreRegistered(t *testing.T) {
	reg := prometheus.NewRegistry()
	newMetrics(reg).outcomes.WithLabelValues("durable").Inc()
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

// TestWorkThatTakesLong: a reading that needs more than a second approves tips that
// came meanwhile, and is dated when they were selected.
func TestWorkThatTakesLong(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = longBits
		n := w.node(0)
		begun, between := time.Now(), message.ID{}
		mine, searches := n.mine, 0
		n.mine = func(ctx context.Context, hash [32]byte, bits int) (uint64, error) {
			switch searches++; searches {
			case 1:
				between = issue(t, n, reading(1))
				fallthrough
			case 3, 4: // 2 is the one between
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return mine(ctx, hash, bits)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		id, err := n.Issue(ctx, reading(0))
		if err != nil {
			t.Fatalf("Issue: %v", err)
		}
		if searches != 5 {
			t.Errorf("%d searches, want the first, one between, two more without luck and the last", searches)
		}
		m, err := n.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(m.Message.Parents, between) {
			t.Errorf("it approves %v, want %v too, which came while the work was done", m.Message.Parents, between)
		}
		if age := id.Time().Sub(begun); age < 3*renewAfter {
			t.Errorf("it is dated %v after it was begun, want when the tips were selected, %v after", age, 3*renewAfter)
		}
	})
}

// TestWorkOfWhatIsSignedOnce: what must not be signed a second time, as a witness, is
// searched for until its caller gives up.
func TestWorkOfWhatIsSignedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = longBits
		n := w.node(0)
		searches := 0
		n.mine = func(ctx context.Context, _ [32]byte, _ int) (uint64, error) {
			searches++
			<-ctx.Done()
			return 0, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*renewAfter)
		defer cancel()
		data := reading(0)
		draft := message.Draft{Network: n.rules.Network, Kind: message.KindData, Payload: data.Append(nil)}
		draft.Parents, draft.Timestamp = n.selectParents(time.Now())
		if _, err := n.seal(ctx, &draft, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("seal: %v, want the context's error", err)
		}
		if searches != 1 {
			t.Errorf("%d searches, want one", searches)
		}
	})
}

// TestWorkEndsWithItsCaller: that newer tips are selected does not keep a search
// going that nobody waits for.
func TestWorkEndsWithItsCaller(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = longBits
		n := w.node(0)
		n.mine = func(ctx context.Context, _ [32]byte, _ int) (uint64, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*renewAfter/2)
		defer cancel()
		begun := time.Now()
		if _, err := n.Issue(ctx, reading(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Issue: %v, want the context's error", err)
		}
		if took := time.Since(begun); took != 5*renewAfter/2 {
			t.Errorf("Issue took %v, its context %v", took, 5*renewAfter/2)
		}
	})
}
