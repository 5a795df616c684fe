package tipselect

import "time"

// Stats is what a Selector holds and has done, for metrics.
type Stats struct {
	// Fresh, SemiLazy and Lazy are the tips in the pool by class.
	Fresh, SemiLazy, Lazy int
	// Added counts tips that entered the pool; each of them left it as one of
	// Removed (approved), Expired (over 60 s) or Evicted (over MaxTips), or is
	// in it. Duplicates counts what was added while it was in the pool.
	Added, Removed, Expired, Evicted, Duplicates uint64
	// Delay is h, Rate the arrivals a second that are not lazy, Ideal the pool
	// L0 that these two account for, Parents the tips Pick chooses now.
	Delay   time.Duration
	Rate    float64
	Ideal   float64
	Parents int
}

// counters is the part of Stats that is kept, not looked up.
type counters struct {
	added, removed, expired, evicted, duplicates uint64
}

// Stats tells the state at now.
func (s *Selector) Stats(now time.Time) Stats {
	s.clock.tell(now)
	return Stats{
		Fresh:      len(s.pools[fresh].tips),
		SemiLazy:   len(s.pools[semiLazy].tips),
		Lazy:       len(s.pools[lazy].tips),
		Added:      s.count.added,
		Removed:    s.count.removed,
		Expired:    s.count.expired,
		Evicted:    s.count.evicted,
		Duplicates: s.count.duplicates,
		Delay:      s.Delay(),
		Rate:       s.rate.perSecond(s.clock.now, s.Delay()),
		Ideal:      s.ideal(),
		Parents:    s.parents(),
	}
}
