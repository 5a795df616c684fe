package main

import (
	"testing"
	"time"
)

func TestDistribution(t *testing.T) {
	d := newDistribution()
	if got := d.quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %v", got)
	}
	for i := range 1000 {
		d.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := d.quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %v: %v, want %v within 2 %%", q, got, want)
		}
	}
	d.add(-time.Second)
	d.add(24 * time.Hour)
	if got := d.quantile(1); got < time.Hour {
		t.Errorf("the largest is %v", got)
	}
}
