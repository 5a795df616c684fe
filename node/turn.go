package node

import (
	"sync"
	"time"
)

// turnFor is how long one link alone may read its peer's history: that of three
// exchanges, so that a peer that answers slowly, or with nothing new, does not keep
// the others from being asked.
const turnFor = 3 * exchangeEvery

// turn lets one link at a time read a history: all peers have the same, mostly.
type turn struct {
	mu    sync.Mutex
	until time.Time // when it ends, if nobody gives it back before
}

// take reports whether it is the caller's turn, until it calls end.
func (t *turn) take(now time.Time) (end func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.until) {
		return nil, false
	}
	until := now.Add(turnFor)
	t.until = until
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.until.Equal(until) { // nobody else's by now
			t.until = time.Time{}
		}
	}, true
}
