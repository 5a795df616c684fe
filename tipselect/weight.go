package tipselect

import (
	"math"
	"time"
)

// The rule of freshness: what a message's choice of parents says about it.
const (
	// freshGrace is how many delays h after it stopped being a tip a parent may
	// be approved at no loss: the approver may have seen it as a tip.
	freshGrace = 2
	// freshDecay is how fast freshness falls beyond that, per delay h.
	freshDecay = 2
	// freshFloor is the least freshness.
	freshFloor = 0.1
	// freshFrom is the least freshness of the class fresh.
	freshFrom = 0.5
)

// The rule of age: how waiting raises a tip's chance.
const (
	ageSlope = 0.5 // per delay h
	ageMax   = 8
)

// freshness is the factor s of a message whose parents stopped being tips
// delays before it arrived: 0.1 to 1. No parents at all (the genesis) is fresh;
// a negative delay counts as none.
func freshness(delays []time.Duration, h time.Duration) float64 {
	if len(delays) == 0 {
		return 1
	}
	var sum float64
	for _, d := range delays {
		late := float64(d)/float64(h) - freshGrace
		sum += math.Exp(-freshDecay * max(0, late))
	}
	return max(freshFloor, sum/float64(len(delays)))
}

// age is the factor a of a tip that has waited for wait: 1 to 8. A slope of 0
// makes all ages equal.
func age(wait, h time.Duration, slope float64) float64 {
	return min(ageMax, 1+slope*float64(max(0, wait))/float64(h))
}

// class sorts tips by freshness, the best first.
type class int

const (
	fresh class = iota
	semiLazy
	lazy
	classes // how many there are
)

// classOf is the class of a tip of freshness s.
func classOf(s float64) class {
	switch {
	case s >= freshFrom:
		return fresh
	case s > freshFloor:
		return semiLazy
	default:
		return lazy
	}
}

// maxFreshness is the largest s in class c.
func (c class) maxFreshness() float64 {
	return [classes]float64{fresh: 1, semiLazy: freshFrom, lazy: freshFloor}[c]
}
