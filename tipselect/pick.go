package tipselect

import (
	"math"
	"time"

	"tangled/message"
)

const (
	// minParents and maxParents bound an ordinary message's parents.
	minParents = 2
	maxParents = 8
	// semiLazyShare is the part of the draws that goes to semi-lazy tips.
	semiLazyShare = 0.05
	// inflatedFrom is how many times L0 the pool may be, and inflatedAbove how
	// many tips it may hold, before issuers approve more of them.
	inflatedFrom  = 1.5
	inflatedAbove = 16
)

// Pick chooses the tips that a new message should approve: two of them, up to
// eight under tip inflation, fewer where the pool holds fewer, nil where it is
// empty. They are distinct and in no order, and stay in the pool until Remove.
// The caller owns the slice.
func (s *Selector) Pick(now time.Time) []message.ID {
	s.clock.tell(now)
	return s.pick(s.parents())
}

// PickN is Pick with the number of tips chosen by the caller: a witness
// approves more than an ordinary message.
func (s *Selector) PickN(now time.Time, n int) []message.ID {
	s.clock.tell(now)
	return s.pick(n)
}

// Eligible returns up to n tips, chosen uniformly, of those that count for the
// confidence of a message, and how many these are: the fresh ones at most 60 s
// old. The caller owns the slice.
func (s *Selector) Eligible(now time.Time, n int) (ids []message.ID, total int) {
	s.clock.tell(now)
	p := &s.pools[fresh]
	total = len(p.tips)
	for t := p.oldest; s.expired(t); t = t.next {
		total--
	}
	if n = min(n, total); n <= 0 {
		return nil, total
	}
	ids = make([]message.ID, 0, n)
	for left := len(p.tips); len(ids) < n; left-- {
		i := s.rand.IntN(left)
		if t := p.tips[i].tip; !s.expired(t) {
			ids = append(ids, t.id)
		}
		p.swap(i, left-1)
	}
	return ids, total
}

// ideal is L0 for two parents: the pool that arrivals and delay account for.
func (s *Selector) ideal() float64 {
	h := s.Delay()
	return minParents * s.rate.perSecond(s.clock.now, h) * h.Seconds() / (minParents - 1)
}

// parents is how many tips a message should approve now. Lazy tips count only
// where a pick could reach them; the package comment tells why.
func (s *Selector) parents() int {
	inflated := len(s.tips) - len(s.pools[lazy].tips)
	if inflated < maxParents {
		inflated = len(s.tips)
	}
	ideal := s.ideal()
	if inflated <= inflatedAbove || float64(inflated) <= inflatedFrom*ideal {
		return minParents
	}
	return int(min(maxParents, math.Ceil(2*float64(inflated)/ideal)))
}

// pick draws n distinct tips, or all where there are no more. What is drawn
// moves behind the undrawn in its pool's slice, so nothing is drawn twice and
// no draw is wasted on what was.
func (s *Selector) pick(n int) []message.ID {
	if n = min(n, len(s.tips)); n <= 0 {
		return nil
	}
	var left [classes]int
	for c := range s.pools {
		left[c] = len(s.pools[c].tips)
	}
	ids := make([]message.ID, 0, n)
	for range n {
		c := s.drawClass(left)
		p := &s.pools[c]
		t := s.draw(p, left[c], c.maxFreshness())
		left[c]--
		p.swap(t.at, left[c])
		ids = append(ids, t.id)
	}
	return ids
}

// drawClass chooses a class with tips left.
func (s *Selector) drawClass(left [classes]int) class {
	switch {
	case left[semiLazy] > 0 && (left[fresh] == 0 || s.rand.Float64() < semiLazyShare):
		return semiLazy
	case left[fresh] > 0:
		return fresh
	default:
		return lazy
	}
}

// draw chooses by weight among the first n tips of p, whose freshness is at
// most maxS. A candidate is kept with the probability of its weight over the
// largest that p can hold, that of its oldest tip; on average after 16
// candidates at worst among fresh tips (s = 0.5, all young but one), usually
// after 4.
func (s *Selector) draw(p *pool, n int, maxS float64) *tip {
	h := s.Delay()
	most := maxS * s.age(p.oldest.arrived, h)
	for n > 1 {
		t := &p.tips[s.rand.IntN(n)]
		if s.rand.Float64()*most < t.s*s.age(t.arrived, h) {
			return t.tip
		}
	}
	return p.tips[0].tip
}

// age is the factor a now of a tip that arrived then.
func (s *Selector) age(arrived, h time.Duration) float64 {
	return age(s.clock.now-arrived, h, s.ageSlope)
}
