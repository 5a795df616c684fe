package tipselect

import (
	"math/rand/v2"
	"testing"
	"time"
)

const rateDelay = 200 * time.Millisecond

func TestRateSteady(t *testing.T) {
	for _, perSecond := range []float64{20, 1000, 10_000} {
		random := rand.New(rand.NewPCG(1, 2))
		var r rate
		var now time.Duration
		var sum float64
		count := int(60 * perSecond)
		for i := range count {
			now += time.Duration(random.ExpFloat64() / perSecond * float64(time.Second))
			r.add(now, rateDelay)
			if i >= count/2 {
				sum += r.perSecond(now, rateDelay)
			}
		}
		within(t, "mean rate", sum/float64(count-count/2), perSecond, 0.25)
	}
}

// From the first message on, L0 must not fall behind the pool of a network
// that has just been switched on, or the start looks like tip inflation.
func TestRateFollowsOnset(t *testing.T) {
	const perSecond = 1000
	var r rate
	for i := 1; i <= perSecond; i++ {
		now := time.Duration(i) * time.Second / perSecond
		r.add(now, rateDelay)
		pool := min(float64(i), perSecond*rateDelay.Seconds())
		if limit := inflatedFrom * 2 * r.perSecond(now, rateDelay) * rateDelay.Seconds(); limit < pool {
			t.Fatalf("after %v: 1.5 L0 = %.0f, pool %.0f", now, limit, pool)
		}
	}
}

func TestRateFades(t *testing.T) {
	var r rate
	for i := range 20_000 {
		r.add(time.Duration(i)*time.Millisecond, rateDelay)
	}
	if got := r.perSecond(21*time.Second, rateDelay); got < 500 {
		t.Errorf("rate %.0f after a stall of 1 s, want it carried over", got)
	}
	if got := r.perSecond(80*time.Second, rateDelay); got > 5 {
		t.Errorf("rate %.0f a minute after the last message", got)
	}
	if got := r.perSecond(0, rateDelay); got > 1100 {
		t.Errorf("rate %.0f at an earlier time", got)
	}
	if got := (&rate{}).perSecond(time.Hour, rateDelay); got != 0 {
		t.Errorf("rate %.0f without messages", got)
	}
}
