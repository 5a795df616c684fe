package tipselect

import (
	"time"

	"tangled/message"
)

// tip is one tip in its class's pool.
type tip struct {
	id         message.ID
	arrived    time.Duration // on the Selector's clock
	s          float64       // freshness
	class      class
	at         int  // its place in pool.tips
	prev, next *tip // its neighbours in pool's list
}

// place is a tip in the slice of its pool, with what a draw has to know of it: most
// candidates are turned down, and need not be fetched from where they are.
type place struct {
	*tip
	arrived time.Duration
	s       float64
}

// pool holds the tips of one class, each in two orders: a slice in no order, to
// draw from at random, and a list by arrival, to expire from.
//
// Drawing by weight works by rejection, so there is nothing to keep up to date
// as weights grow with age, and no time bucket to round them to.
type pool struct {
	tips           []place
	oldest, newest *tip
}

// insert adds t. It is O(1) for a tip that arrived last, as all do but those
// found at start.
func (p *pool) insert(t *tip) {
	t.at = len(p.tips)
	p.tips = append(p.tips, place{t, t.arrived, t.s})
	before := p.newest
	for before != nil && before.arrived > t.arrived {
		before = before.prev
	}
	p.linkAfter(before, t)
}

// linkAfter puts t into the list after before, or first where that is nil.
func (p *pool) linkAfter(before, t *tip) {
	after := p.oldest
	if before != nil {
		after = before.next
	}
	t.prev, t.next = before, after
	*p.nextOf(before), *p.prevOf(after) = t, t
}

// remove takes t out, which is in p.
func (p *pool) remove(t *tip) {
	last := len(p.tips) - 1
	p.swap(t.at, last)
	p.tips[last] = place{}
	p.tips = p.tips[:last]
	*p.nextOf(t.prev), *p.prevOf(t.next) = t.next, t.prev
}

// nextOf is the link that leads on from t, from the list's start where t is
// nil.
func (p *pool) nextOf(t *tip) **tip {
	if t == nil {
		return &p.oldest
	}
	return &t.next
}

// prevOf is nextOf backwards.
func (p *pool) prevOf(t *tip) **tip {
	if t == nil {
		return &p.newest
	}
	return &t.prev
}

// swap exchanges the places i and j of the slice.
func (p *pool) swap(i, j int) {
	p.tips[i], p.tips[j] = p.tips[j], p.tips[i]
	p.tips[i].at, p.tips[j].at = i, j
}
