package main

import (
	"math"
	"sync"
	"time"
)

// percentiles are in milliseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// distribution counts durations in buckets that grow by 2 %, from 10 us to
// some minutes: its memory does not grow with the run, and a percentile is
// off by 1 % at most.
type distribution struct {
	mu      sync.Mutex
	buckets [1024]uint64
	total   uint64
}

const (
	bucketFirst  = float64(10 * time.Microsecond)
	bucketGrowth = 1.02
)

func newDistribution() *distribution { return new(distribution) }

func (d *distribution) add(v time.Duration) {
	i := int(math.Log(max(float64(v)/bucketFirst, 1)) / math.Log(bucketGrowth))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buckets[min(i, len(d.buckets)-1)]++
	d.total++
}

// quantile is the duration that a share q of all does not exceed; zero when
// there is none.
func (d *distribution) quantile(q float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	rank, seen := uint64(math.Ceil(q*float64(d.total))), uint64(0)
	for i, n := range d.buckets {
		if seen += n; n > 0 && seen >= rank {
			return time.Duration(bucketFirst * math.Pow(bucketGrowth, float64(i)+0.5))
		}
	}
	return 0
}

func (d *distribution) percentiles() percentiles {
	ms := func(v time.Duration) float64 { return math.Round(float64(v)/float64(time.Microsecond)) / 1000 }
	return percentiles{P50: ms(d.quantile(0.50)), P95: ms(d.quantile(0.95)), P99: ms(d.quantile(0.99))}
}
