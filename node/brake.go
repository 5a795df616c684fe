package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrOverloaded is returned to a client that did not want to wait until the network
// has worked off what it took in: later.
var ErrOverloaded = errors.New("node: the network is behind with what it took in: try later")

const (
	// longBacklog is how many messages that are not final are no load to speak of.
	longBacklog = 1 << 14
	// brakeFrom is how far the ledger time may be behind with a long backlog before
	// clients have to wait, brakeUntil how near it must come for them to go on.
	brakeFrom  = 4 * time.Second
	brakeUntil = 3 * time.Second
	// brakeLimit is how long clients wait where nothing becomes final at all: a
	// network without a quorum takes readings too.
	brakeLimit = 20 * time.Second
	// tellHeldEvery is how often it is logged at most.
	tellHeldEvery = time.Minute
)

// brake makes this node's own clients wait while more comes in than becomes final.
// Without it what waits on the way to the neighbours grows with every second of
// overload, a witness has to wait behind it, and in the end nothing becomes final.
// What peers send is not held: it is in the network already.
//
// The loop tells it how things are; whoever brings something waits.
type brake struct {
	mu   sync.Mutex
	held chan struct{} // closed once clients may go on; nil while they may

	// The loop's own.
	long    time.Time // since when the backlog is; zero while it is not
	anchor  uint64    // the last
	moved   time.Time // when that changed, or clients began to wait
	givenUp bool      // nothing becomes final: they are not held until something does
}

// wait returns once clients need not wait. The error wraps ErrOverloaded and ctx's,
// or is nil once closed is: what comes next tells.
func (b *brake) wait(ctx context.Context, closed <-chan struct{}) error {
	for {
		b.mu.Lock()
		held := b.held
		b.mu.Unlock()
		if held == nil {
			return nil
		}
		select {
		case <-held:
		case <-closed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrOverloaded, ctx.Err())
		}
	}
}

// update is told how many messages are not final, the last anchor and the ledger
// time, which stands while anchors include what is older. It reports whether clients
// are held.
func (b *brake) update(now time.Time, open int, anchor, ledgerTime uint64) (held bool) {
	if anchor != b.anchor {
		b.anchor, b.moved, b.givenUp = anchor, now, false
	}
	if open < longBacklog {
		b.long = time.Time{}
		b.set(false)
		return false
	}
	if b.long.IsZero() {
		b.long = now
	}
	// After an idle hour the ledger time is old, which says nothing.
	behind := min(now.Sub(b.long), now.Sub(time.Unix(0, int64(ledgerTime))))
	switch held = b.held != nil; {
	case held && now.Sub(b.moved) > brakeLimit:
		held, b.givenUp = false, true
	case held:
		held = behind > brakeUntil
	case behind > brakeFrom && !b.givenUp:
		held, b.moved = true, now
	}
	b.set(held)
	return held
}

func (b *brake) set(held bool) {
	if held == (b.held != nil) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if held {
		b.held = make(chan struct{})
		return
	}
	close(b.held)
	b.held = nil
}

// checkPace has clients wait while the network is behind.
func (l *loop) checkPace(now time.Time) {
	if l.finality.committee == nil {
		return // nothing becomes final
	}
	n, open := l.n, len(l.open)
	if n.ready() != nil {
		open = 0 // nothing is taken, which clients are to hear at once
	}
	was := n.brake.held != nil
	held := n.brake.update(now, open, l.finality.index, l.finality.time)
	switch {
	case held && !was:
		n.metrics.holding.Set(1)
		n.metrics.held.Inc()
		if now.Sub(l.heldTold) >= tellHeldEvery {
			l.heldTold = now
			n.opts.Logger.Warn("more comes in than becomes final: clients have to wait", "not_final", open, "final_until", time.Unix(0, int64(l.finality.time)))
		}
	case was && !held:
		n.metrics.holding.Set(0)
		if n.brake.givenUp {
			n.opts.Logger.Warn("nothing becomes final: clients wait no longer", "not_final", open)
		}
	}
}
