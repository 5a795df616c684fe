package bench

import (
	"context"
	"sync"
	"time"

	"tangled/node"
)

// anchorTimes are when a node applied its anchors.
type anchorTimes struct {
	mu   sync.Mutex
	last uint64
	at   map[uint64]time.Time
}

// newAnchorTimes begins behind an anchor.
func newAnchorTimes(last uint64) *anchorTimes {
	return &anchorTimes{last: last, at: make(map[uint64]time.Time)}
}

// watch notes the anchors of a node until ctx ends.
func (t *anchorTimes) watch(ctx context.Context, n *node.Node) {
	for {
		next := n.NextAnchor() // before the look: an anchor that comes between rings
		t.note(n.LastAnchor(), time.Now())
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// note says that the anchors up to newest have been applied by now.
func (t *anchorTimes) note(newest uint64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ; t.last < newest; t.last++ {
		t.at[t.last+1] = now
	}
}

// of is when an anchor was applied.
func (t *anchorTimes) of(index uint64) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.at[index]
	return at, ok
}

// settle waits until all nodes have made final what they have, and have come equally
// far; without seats, until all have the same. Where that goes no further it is
// given up: what is missing then shows as lost.
func (r *rig) settle(ctx context.Context, tell func(waiting int)) error {
	var s settling
	for now := time.Now(); ; now = time.Now() {
		infos, err := r.infos(ctx)
		if err != nil {
			return err
		}
		tell(infos[0].Waiting)
		done := s.equal(infos)
		if r.seats() > 0 {
			done = s.final(infos)
		}
		if done || s.stuck(now) {
			return nil
		}
		pause(ctx, askEvery)
	}
}

// settling is how far the nodes have come.
type settling struct {
	best    uint64 // the most that was seen of what grows
	target  uint64 // the anchor that fixed the last reading
	moved   time.Time
	growing uint64
}

// final tells whether nothing waits on any node and all have applied the anchor by
// which that was so on the first.
func (s *settling) final(infos []node.Info) bool {
	waiting, furthest, behind := 0, uint64(0), infos[0].Anchor
	for _, info := range infos {
		waiting += info.Waiting
		furthest, behind = max(furthest, info.Anchor), min(behind, info.Anchor)
	}
	if waiting > 0 {
		s.growing = 1<<32 - min(uint64(waiting), 1<<32)
		return false
	}
	if s.target == 0 {
		s.target = furthest
	}
	s.growing = 1<<32 + behind
	return behind >= s.target
}

// equal tells whether all nodes have equally many messages.
func (s *settling) equal(infos []node.Info) bool {
	same := true
	s.growing = 0
	for _, info := range infos {
		same = same && info.Messages == infos[0].Messages
		s.growing += info.Messages
	}
	return same
}

// stuck tells whether it is long ago that anything moved.
func (s *settling) stuck(now time.Time) bool {
	if s.growing > s.best || s.moved.IsZero() {
		s.best, s.moved = s.growing, now
	}
	return now.Sub(s.moved) >= settlePatience
}
