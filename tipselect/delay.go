package tipselect

import (
	"slices"
	"time"
)

const (
	minDelay   = 50 * time.Millisecond
	maxDelay   = 5 * time.Second
	startDelay = 200 * time.Millisecond
	// delayWindow is how many messages the percentile looks back: 0.1 s of
	// traffic at 10,000 a second, and still a matter of minutes at 5 a second.
	delayWindow = 1024
	// startWeight is how many observations of startDelay the window starts
	// with. They stop a single straggler from setting h, and no more: a network
	// slower than startDelay would have its first honest messages taken for
	// lazy for as long as they prevail, and a class is for good.
	startWeight = 16
)

// delays is the exact 90th percentile over a sliding window.
//
// The window is kept in order beside its ring: an observation moves 4 KiB on
// average, 0.3 us in all, and spares the error and the tuning of a quantile sketch.
type delays struct {
	ring   [delayWindow]time.Duration // by order of observation
	next   int                        // in ring: where the next goes, the oldest once it is full
	sorted []time.Duration            // the same by size
}

func newDelays() *delays {
	d := &delays{sorted: make([]time.Duration, 0, delayWindow)}
	for range startWeight {
		d.observe(startDelay)
	}
	return d
}

// observe adds delay, in the place of the oldest where the window is full.
func (d *delays) observe(delay time.Duration) {
	delay = min(max(delay, minDelay), maxDelay)
	if len(d.sorted) == delayWindow {
		i, _ := slices.BinarySearch(d.sorted, d.ring[d.next])
		d.sorted = slices.Delete(d.sorted, i, i+1)
	}
	i, _ := slices.BinarySearch(d.sorted, delay)
	d.sorted = slices.Insert(d.sorted, i, delay)
	d.ring[d.next] = delay
	d.next = (d.next + 1) % delayWindow
}

// p90 is h: the least delay that at least 90 % of the window do not exceed.
func (d *delays) p90() time.Duration { return d.sorted[(len(d.sorted)*9+9)/10-1] }
