package tipselect

import (
	"math/rand/v2"
	"time"

	"tangled/message"
)

// expiry is the age up to which a tip stays in the pool.
const expiry = 60 * time.Second

// Tip is a message as it enters the pool.
type Tip struct {
	ID message.ID
	// Arrived is when the message came to be a tip here, by the clock that the
	// other methods are told: not its timestamp. A time.Time with a monotonic
	// reading makes the Selector indifferent to a clock that is set.
	Arrived time.Time
	// Delays holds, per parent, how long before Arrived that parent stopped
	// being a tip by being approved: 0 where this message is the first to
	// approve it. Add does not keep it.
	Delays []time.Duration
}

// Selector is the pool of tips and the rule by which they are chosen. Every
// tip is in exactly one class, fixed when it was added. It is not safe for
// concurrent use.
type Selector struct {
	rand     *rand.Rand
	maxTips  int
	ageSlope float64 // the rule's; 0 in simulations of equal weights

	clock  clock
	delays *delays
	rate   rate // of tips that are not lazy

	tips  map[message.ID]*tip
	pools [classes]pool
	free  *tip // spent tips, by next, for Add to use again
	count counters
}

// New makes an empty Selector.
func New(opts Options) *Selector {
	opts.ensureDefaults()
	return &Selector{
		rand:     opts.Rand,
		maxTips:  opts.MaxTips,
		ageSlope: ageSlope,
		delays:   newDelays(),
		tips:     make(map[message.ID]*tip),
	}
}

// Observe counts how late a message was: its arrival minus its timestamp.
// A negative delay, from an issuer whose clock is ahead, counts as none.
func (s *Selector) Observe(delay time.Duration) { s.delays.observe(delay) }

// Delay is h: the 90th percentile of the delays observed, 50 ms to 5 s.
func (s *Selector) Delay() time.Duration { return s.delays.p90() }

// Len is the number of tips in the pool.
func (s *Selector) Len() int { return len(s.tips) }

// Add puts a tip into the pool. An ID that is in it stays as it is. A pool
// above MaxTips loses the oldest tip of its laziest class, which may be this
// one. Adding a message that some other message approves already is the
// caller's mistake: it stays until it expires.
func (s *Selector) Add(t Tip) {
	if _, ok := s.tips[t.ID]; ok {
		s.count.duplicates++
		return
	}
	h := s.Delay()
	entry := s.spare()
	*entry = tip{id: t.ID, arrived: s.clock.arrival(t.Arrived), s: freshness(t.Delays, h)}
	entry.class = classOf(entry.s)
	if entry.class != lazy {
		s.rate.add(s.clock.now, h)
	}
	s.tips[t.ID] = entry
	s.pools[entry.class].insert(entry)
	s.count.added++
	s.maybeEvict()
}

// Remove takes a message out of the pool because it was approved. It reports
// whether it was there.
func (s *Selector) Remove(id message.ID) bool {
	t, ok := s.tips[id]
	if !ok {
		return false
	}
	s.drop(t)
	s.count.removed++
	return true
}

// Expire takes the tips older than 60 s out of the pool and returns them, nil
// where there are none. They are in no order. The caller owns the slice.
func (s *Selector) Expire(now time.Time) []message.ID {
	s.clock.tell(now)
	var ids []message.ID
	for c := range s.pools {
		for t := s.pools[c].oldest; s.expired(t); t = s.pools[c].oldest {
			ids = append(ids, t.id)
			s.drop(t)
		}
	}
	s.count.expired += uint64(len(ids))
	return ids
}

// expired tells whether t is a tip and over age.
func (s *Selector) expired(t *tip) bool { return t != nil && s.clock.now-t.arrived > expiry }

// maybeEvict holds the pool to maxTips, laziest class first, oldest first.
func (s *Selector) maybeEvict() {
	for c := lazy; c >= fresh && len(s.tips) > s.maxTips; c-- {
		if t := s.pools[c].oldest; t != nil {
			s.drop(t)
			s.count.evicted++
		}
	}
}

// drop takes t out and keeps its memory.
func (s *Selector) drop(t *tip) {
	s.pools[t.class].remove(t)
	delete(s.tips, t.id)
	*t = tip{next: s.free}
	s.free = t
}

// spare is a tip's worth of memory. At 10,000 messages a second a new one each
// would be 1 MB/s of garbage that outlives a collection.
func (s *Selector) spare() *tip {
	t := s.free
	if t == nil {
		return new(tip)
	}
	s.free = t.next
	return t
}
