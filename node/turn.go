package node

import (
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// turnFor is how long a peer alone is read the history of without bringing
	// anything new, and how long a link keeps its place in the queue without asking
	// again: the time of three exchanges.
	turnFor = 3 * exchangeEvery
	// turnMost is how long a peer alone is read at most: one that brings little on
	// purpose does not keep the others from being asked.
	turnMost = time.Minute
)

// turn lets links read a history one at a time, since all peers have the same,
// mostly: first come, first served.
type turn struct {
	mu     sync.Mutex
	queue  []waiter
	holder peer.ID // empty if it is nobody's
	began  time.Time
	until  time.Time // when it ends, if it is not given back before
}

// waiter is a link that was told to wait.
type waiter struct {
	id    peer.ID
	asked time.Time // last
}

// take reports whether it is the turn of the link to a peer, until it gives it back.
// One that it is not may ask again later, and keeps its place meanwhile.
func (t *turn) take(id peer.ID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = slices.DeleteFunc(t.queue, func(w waiter) bool { return w.id != id && now.Sub(w.asked) > turnFor })
	if at := t.place(id); at >= 0 {
		t.queue[at].asked = now
	} else {
		t.queue = append(t.queue, waiter{id, now})
	}
	if t.holder != "" && now.Before(t.until) || t.queue[0].id != id {
		return false
	}
	t.queue = t.queue[1:]
	t.holder, t.began, t.until = id, now, now.Add(turnFor)
	return true
}

// goOn is told that a peer brought something new, whether it is its turn or not.
func (t *turn) goOn(id peer.ID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder != id {
		return
	}
	t.until = now.Add(turnFor)
	if most := t.began.Add(turnMost); t.until.After(most) {
		t.until = most
	}
}

// leave gives the turn back, or the place in the queue.
func (t *turn) leave(id peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.holder == id { // or it is somebody else's by now
		t.holder = ""
	}
	if at := t.place(id); at >= 0 {
		t.queue = slices.Delete(t.queue, at, at+1)
	}
}

func (t *turn) place(id peer.ID) int {
	return slices.IndexFunc(t.queue, func(w waiter) bool { return w.id == id })
}
