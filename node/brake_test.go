package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// TestBrake: clients wait while a long backlog is far behind, until it has come
// near, and not for ever where nothing becomes final.
func TestBrake(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	type step struct {
		at    float64 // in seconds
		open  int
		final float64 // ledger time, in seconds
		held  bool
	}
	const few, many = longBacklog - 1, longBacklog
	for name, steps := range map[string][]step{
		"few, however far behind": {{0, few, -100, false}, {60, few, -100, false}},
		"many and near":           {{0, many, -2, false}, {10, many, 7, false}, {20, many, 16.1, false}},
		"a burst after an idle hour": {
			{0, many, -3600, false}, {3.9, many, -3600, false}, {4.1, many, -3600, true}, {5, many, 4, false},
		},
		"behind, until it has come near": {
			{0, many, 0, false}, {4.1, many, 0, true}, {5, many, 1.5, true}, {6, many, 2.9, true}, {7, many, 4.1, false}, {8, many, 4.1, false}, {8.2, many, 4.1, true},
		},
		"behind, until little is left": {{0, many, 0, false}, {4.1, many, 0, true}, {4.2, few, 0, false}},
		"nothing becomes final": {
			{0, many, 0, false}, {4.1, many, 0, true}, {24, many, 0, true}, {24.2, many, 0, false}, {100, many, 0, false},
			{101, many, 1, true}, // it does again, and is behind
		},
		"it becomes final slowly": {
			{0, many, 0, false}, {4.1, many, 0, true}, {20, many, 1, true}, {39, many, 2, true}, {58, many, 3, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b brake
			for _, s := range steps {
				ledgerTime := uint64(at(s.final).UnixNano())
				if held := b.update(at(s.at), s.open, ledgerTime, ledgerTime); held != s.held {
					t.Fatalf("after %v s, %d open, final until %v: held %v", s.at, s.open, s.final, held)
				}
			}
		})
	}
}

// TestBrakeWhileLedgerTimeStands: anchors that include what is older than the ledger
// time are progress.
func TestBrakeWhileLedgerTimeStands(t *testing.T) {
	var b brake
	start, ledgerTime := time.Unix(1_000_000, 0), uint64(time.Unix(1_000_000, 0).UnixNano())
	for s := range 100 {
		held := b.update(start.Add(time.Duration(s)*time.Second), longBacklog, uint64(s/10), ledgerTime)
		if want := s > 4; held != want {
			t.Fatalf("after %d s and %d anchors: held %v, want %v", s, s/10, held, want)
		}
	}
	if b.update(start.Add(90*time.Second+brakeLimit+1), longBacklog, 9, ledgerTime) {
		t.Error("held though no anchor comes any more")
	}
}

// TestClientsWaitForTheBrake: all that clients bring waits, as long as they like;
// what seats say to each other does not.
func TestClientsWaitForTheBrake(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		ready := signed(t, keyOf(9), w.genesis.DataBits, draft(n, reading(1)))
		bring := map[string]func(ctx context.Context) error{
			"Issue":  func(ctx context.Context) error { _, err := n.Issue(ctx, reading(2)); return err },
			"Submit": func(ctx context.Context) error { _, err := n.Submit(ctx, ready.Bytes()); return err },
			"Transfer": func(ctx context.Context) error {
				transfer := message.Transfer{
					Nonce: 1, ValidUntil: uint64(time.Now().Add(time.Minute).UnixNano()),
					Outputs: []message.Output{{Address: message.AddressOf([32]byte{1}), Amount: 1}},
				}
				transfer.Sign(n.rules.Network, keyOf(3))
				_, err := n.Transfer(ctx, transfer)
				return err
			},
		}
		hold := func(held bool) {
			if err := n.ask(t.Context(), func(l *loop) { n.brake.set(held) }); err != nil {
				t.Fatal(err)
			}
		}
		for name, f := range bring {
			hold(true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := f(ctx)
			cancel()
			if !errors.Is(err, ErrOverloaded) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s that waited a minute: %v", name, err)
			}
			done := make(chan error, 1)
			go func() { done <- f(t.Context()) }()
			time.Sleep(time.Minute)
			hold(false)
			if err := <-done; err != nil {
				t.Errorf("%s that went on: %v", name, err)
			}
		}
		hold(true)
		held := make(chan error, 1)
		go func() { _, err := n.Submit(t.Context(), ready.Bytes()); held <- err }()
		time.Sleep(time.Second)
		n.leaving.Store(true)
		hold(false)
		if err := <-held; !errors.Is(err, ErrClosed) {
			t.Errorf("Submit that goes on when the node leaves: %v", err)
		}
		n.leaving.Store(false)

		hold(true)
		if _, err := n.issueData(t.Context(), reading(4)); err != nil {
			t.Errorf("what the node itself says: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- bring["Issue"](t.Context()) }()
		time.Sleep(time.Second)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("one that waits while the node closes: %v", err)
		}
	})
}

// TestLoopBrakes: the loop sees that nothing becomes final of very much, and after a
// while that nothing will.
func TestLoopBrakes(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(2) // the other is down: no quorum
		n := w.open(w.first(0, vfs.NewMem()))
		issue(t, n, reading(1))
		backlog(t, n)
		start := time.Now()
		time.Sleep(brakeFrom + time.Second)
		id := issue(t, n, reading(2))
		if waited := time.Since(start); waited < brakeLimit || waited > brakeFrom+brakeLimit+time.Second {
			t.Errorf("a client waited until %v after the backlog came", waited)
		}
		if !has(n, id) {
			t.Error("it is not here")
		}
	})
}

// TestLoopBrakesWhileAnchorsCome: as long as there is a new anchor every now and then,
// whatever the ledger time.
func TestLoopBrakesWhileAnchorsCome(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(2) // the other is down: none but these anchors
		n := w.open(w.first(0, vfs.NewMem()))
		backlog(t, n)
		time.Sleep(brakeFrom + time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 3*brakeLimit)
		defer cancel()
		done := make(chan error, 1)
		go func() { _, err := n.Issue(ctx, reading(1)); done <- err }()
		for range 6 {
			time.Sleep(brakeLimit / 2)
			if err := n.ask(t.Context(), func(l *loop) { l.finality.index++ }); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; !errors.Is(err, ErrOverloaded) {
			t.Errorf("Issue: %v, want ErrOverloaded", err)
		}
	})
}

// TestBrakeOnALowDisk: who waits is told at once that nothing is taken any more.
func TestBrakeOnALowDisk(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(2) // the other is down: no quorum
		disk := &smallDisk{FS: vfs.NewMem(), free: 2 << 30}
		n := w.open(w.first(0, disk))
		backlog(t, n)
		time.Sleep(brakeFrom + time.Second)
		done := make(chan error, 1)
		go func() { _, err := n.Issue(t.Context(), reading(1)); done <- err }()
		time.Sleep(time.Second)
		start := time.Now()
		disk.set(1 << 20)
		if err := <-done; !errors.Is(err, ErrDiskLow) {
			t.Errorf("Issue: %v, want ErrDiskLow", err)
		}
		if waited := time.Since(start); waited > brakeLimit/4 {
			t.Errorf("it waited for %v", waited)
		}
	})
}

// backlog has a node hold as much that is not final as is long.
func backlog(t *testing.T, n *Node) {
	t.Helper()
	if err := n.ask(t.Context(), func(l *loop) {
		for i := range longBacklog {
			l.open[message.NewID(uint64(time.Now().UnixNano()), [32]byte{byte(i), byte(i >> 8), 1})] = struct{}{}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
