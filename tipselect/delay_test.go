package tipselect

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestDelayStart(t *testing.T) {
	s := New(Options{})
	if got := s.Delay(); got != 200*time.Millisecond {
		t.Errorf("h = %v at start, want 200ms", got)
	}
	s.Observe(time.Second)
	if got := s.Delay(); got != 200*time.Millisecond {
		t.Errorf("h = %v after one straggler, want 200ms", got)
	}
	s.Observe(time.Second)
	if got := s.Delay(); got != time.Second {
		t.Errorf("h = %v after two slow messages, want 1s", got)
	}
}

func TestDelayBounds(t *testing.T) {
	for _, test := range []struct{ observed, want time.Duration }{
		{-time.Hour, 50 * time.Millisecond},
		{0, 50 * time.Millisecond},
		{49 * time.Millisecond, 50 * time.Millisecond},
		{51 * time.Millisecond, 51 * time.Millisecond},
		{4 * time.Second, 4 * time.Second},
		{1 << 62, 5 * time.Second},
	} {
		s := New(Options{})
		for range 2 * delayWindow {
			s.Observe(test.observed)
		}
		if got := s.Delay(); got != test.want {
			t.Errorf("h = %v after observing %v, want %v", got, test.observed, test.want)
		}
	}
}

// The percentile is that of a sorted copy of the last 1,024, and a tenth of the
// messages does not move it.
func TestDelayPercentile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	s := New(Options{})
	all := slices.Repeat([]time.Duration{startDelay}, startWeight)
	for range 5000 {
		d := minDelay + time.Duration(random.Int64N(int64(time.Second)))
		all = append(all, d)
		s.Observe(d)
		window := slices.Clone(all[max(0, len(all)-1024):])
		slices.Sort(window)
		atMost := 0
		for atMost*10 < len(window)*9 {
			atMost++
		}
		if got := s.Delay(); got != window[atMost-1] {
			t.Fatalf("after %d: h = %v, want %v", len(all), got, window[atMost-1])
		}
	}
	quiet := New(Options{})
	for i := range 10_000 {
		if i%10 == 0 {
			quiet.Observe(time.Hour)
		} else {
			quiet.Observe(300 * time.Millisecond)
		}
	}
	if got := quiet.Delay(); got > 300*time.Millisecond {
		t.Errorf("h = %v although nine of ten took 300ms", got)
	}
}
