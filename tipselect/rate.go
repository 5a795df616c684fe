package tipselect

import (
	"math"
	"time"
)

const (
	// quickDelays is the memory of the quick estimate, in delays h. With 2 the
	// estimate rises as fast as the pool can when traffic sets in: after t <= h
	// the pool has r t tips and 1.5 L0 is at least 1.5 r t (1 - t/4h).
	quickDelays = 2
	// slowMemory is the memory of the slow estimate. It carries the rate over a
	// stall of the disk, after which the pool is what it was.
	slowMemory = 10 * time.Second
)

// rate estimates arrivals a second: the larger of two exponentially fading
// counts. A count of memory m adds 1/m an arrival and fades by exp(-t/m), so it
// is right in the mean once m has passed.
//
// The quick one follows a sudden rise, or every burst would look like tip
// inflation; the slow one outlives a pause. When traffic stops both fade, L0
// falls to 0, and tips that are left are then gathered by more parents.
type rate struct {
	quick, slow float64
	at          time.Duration // of quick and slow
}

// add counts an arrival at t. Earlier than the last one counts as with it.
func (r *rate) add(t, h time.Duration) {
	r.quick, r.slow = r.faded(t, h)
	r.quick += 1 / (quickDelays * h.Seconds())
	r.slow += 1 / slowMemory.Seconds()
	r.at = max(r.at, t)
}

// perSecond is the estimate at t.
func (r *rate) perSecond(t, h time.Duration) float64 { return max(r.faded(t, h)) }

func (r *rate) faded(t, h time.Duration) (quick, slow float64) {
	passed := max(0, t-r.at).Seconds()
	quick = r.quick * math.Exp(-passed/(quickDelays*h.Seconds()))
	slow = r.slow * math.Exp(-passed/slowMemory.Seconds())
	return quick, slow
}
