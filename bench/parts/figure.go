package parts

import (
	"slices"
	"time"
)

// runs is how often what is short is measured; the median counts.
const runs = 3

// median runs measure a few times.
func median(measure func() float64) float64 {
	figures := make([]float64, runs)
	for i := range figures {
		figures[i] = measure()
	}
	slices.Sort(figures)
	return figures[runs/2]
}

// percentiles are of times in milliseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// percentilesOf sorts took, which is not empty.
func percentilesOf(took []time.Duration) percentiles {
	slices.Sort(took)
	at := func(percent int) float64 {
		return float64(took[min(len(took)-1, len(took)*percent/100)]) / float64(time.Millisecond)
	}
	return percentiles{at(50), at(99)}
}
