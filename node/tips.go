package node

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tangled/message"
	"tangled/tangle"
	"tangled/tipselect"
)

// approveAhead is how far ahead of our clock a message may be and still be
// approved: our own message would have to be stamped later still.
const approveAhead = time.Second

// longAgo is the age from which a message tells nothing about the network's
// delay: it comes late because this node was away.
const longAgo = time.Minute

// tipPool guards the selector, which issuers use from many goroutines, and
// knows what to approve when the selector has too little.
type tipPool struct {
	genesis message.ID
	rand    *rand.Rand

	mu       sync.Mutex
	selector *tipselect.Selector
	spares   []message.ID // newest tip, newest approved message
	// own has our messages that nobody approved yet; again those of them that
	// left the pool by age, to be approved by our own next message.
	own      map[message.ID]struct{}
	again    []message.ID
	approved bell // the last of own was approved
	// early are messages too far ahead to be approved, ascending by ID.
	early []approver
}

// approver is a message as it changes the pool.
type approver struct {
	tangle.Solid
	own bool
}

func newTipPool(genesis message.ID, r *rand.Rand) *tipPool {
	p := &tipPool{genesis: genesis, rand: r}
	p.clear()
	return p
}

// clear empties the pool.
func (p *tipPool) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.selector = tipselect.New(tipselect.Options{Rand: p.rand})
	p.own = make(map[message.ID]struct{})
	p.spares, p.again, p.early = nil, nil, nil
}

// approveUntil is the timestamp up to which messages may be approved at a time.
func approveUntil(now time.Time) uint64 { return uint64(now.Add(approveAhead).UnixNano()) }

// replace takes the parents of s out and s in, once s may be approved itself.
// Otherwise a chain of messages that are always a little too far ahead would take
// all tips away and give none in exchange: what it approves would be in nobody's
// past.
func (p *tipPool) replace(s tangle.Solid, now time.Time, own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(now)
	a := approver{s, own}
	if s.Message.Timestamp <= approveUntil(now) {
		p.approve(a, now)
		return
	}
	at, _ := slices.BinarySearchFunc(p.early, s.Message.ID(), func(e approver, id message.ID) int { return e.Message.ID().Compare(id) })
	p.early = slices.Insert(p.early, at, a)
}

func (p *tipPool) approve(a approver, now time.Time) {
	had := len(p.own) > 0
	for _, id := range a.Approves {
		p.selector.Remove(id)
		delete(p.own, id)
	}
	if had && len(p.own) == 0 && !a.own {
		p.approved.tell()
	}
	id := a.Message.ID()
	p.selector.Add(tipselect.Tip{ID: id, Arrived: now, Delays: a.Delays})
	if a.own {
		p.own[id] = struct{}{}
	}
}

// catchUp does what had to wait until now, parents first.
func (p *tipPool) catchUp(now time.Time) {
	due := 0
	for due < len(p.early) && p.early[due].Message.Timestamp <= approveUntil(now) {
		p.approve(p.early[due], now)
		due++
	}
	p.early = slices.Delete(p.early, 0, due)
}

// arrived measures the network's delay by a message that just came in by itself.
// When it becomes solid does not count: that is how long its past was waited for,
// and since the delay says how long to wait, the two would keep each other up.
func (p *tipPool) arrived(id message.ID, now time.Time) {
	delay := now.Sub(id.Time())
	if delay >= longAgo {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.selector.Observe(delay)
}

func (p *tipPool) setSpares(ids ...message.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spares = append(p.spares[:0], ids...)
}

func (p *tipPool) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(now)
	for _, id := range p.selector.Expire(now) {
		if _, ok := p.own[id]; ok {
			p.again = append(p.again, id)
		}
	}
}

// pick returns 1 to 8 distinct messages to approve, never one that is further
// ahead than approveAhead but the genesis. One alone is the genesis. The caller
// owns the slice.
func (p *tipPool) pick(now time.Time) []message.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(now)
	picked := slices.DeleteFunc(p.selector.Pick(now), func(id message.ID) bool {
		return id.Timestamp() > approveUntil(now)
	})
	if id, ok := p.nextAgain(); ok && len(picked) < message.MaxParents {
		picked = append(picked, id)
	}
	if len(picked) >= message.MinParents {
		return picked
	}
	for _, id := range append(p.spares[:len(p.spares):len(p.spares)], p.genesis) {
		if len(picked) >= message.MinParents {
			break
		}
		if (id.Timestamp() <= approveUntil(now) || id == p.genesis) && !slices.Contains(picked, id) {
			picked = append(picked, id)
		}
	}
	return picked
}

// nextAgain takes the oldest of our own messages that left the pool and that
// still nobody approves.
func (p *tipPool) nextAgain() (message.ID, bool) {
	for len(p.again) > 0 {
		id := p.again[0]
		p.again = p.again[1:]
		if _, ok := p.own[id]; ok {
			// Whoever asked may give up: it has its turn again.
			p.again = append(p.again, id)
			return id, true
		}
	}
	return message.ID{}, false
}

// hasOwn tells whether there are messages of ours that nobody approved.
func (p *tipPool) hasOwn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.own) > 0
}

// eligible samples at most n fresh tips, and says how many there are.
func (p *tipPool) eligible(now time.Time, n int) ([]message.ID, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(now)
	return p.selector.Eligible(now, n)
}

// delay is the network's delay as the selector measures it.
func (p *tipPool) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.selector.Delay()
}

func (p *tipPool) stats(now time.Time) tipselect.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.selector.Stats(now)
}
