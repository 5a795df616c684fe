package tipselect

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	at := func(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }
	for _, test := range []struct {
		name  string
		steps []time.Time
		want  time.Duration // passed since the first step
	}{
		{"forward", []time.Time{at(0), at(1), at(2.5)}, 2500 * time.Millisecond},
		{"stands still", []time.Time{at(0), at(1), at(1)}, time.Second},
		{"small step back", []time.Time{at(0), at(1), at(0.5)}, time.Second},
		{"small step back, caught up", []time.Time{at(0), at(1), at(0.5), at(1.2)}, 1200 * time.Millisecond},
		{"two callers racing", []time.Time{at(0), at(1), at(0.9), at(1), at(0.9), at(1), at(0.9), at(1)}, time.Second},
		{"set back", []time.Time{at(0), at(1), at(-3600), at(-3599)}, 2 * time.Second},
		{"set forward", []time.Time{at(0), at(1), at(3600)}, time.Second + maxStep},
		{"set forward and back", []time.Time{at(0), at(3600), at(1), at(2)}, maxStep + time.Second},
		{"absurd", []time.Time{at(0), time.Unix(1<<55, 0), {}, time.Unix(1<<55, 0), at(0), at(1)}, 2*maxStep + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c clock
			last := time.Duration(0)
			for _, step := range test.steps {
				if c.tell(step); c.now < last {
					t.Fatalf("clock went back from %v to %v", last, c.now)
				}
				last = c.now
			}
			if got := c.now - maxStep; got != test.want {
				t.Errorf("%v passed, want %v", got, test.want)
			}
		})
	}
}

func TestClockArrival(t *testing.T) {
	var c clock
	c.tell(epoch)
	for _, test := range []struct {
		name      string
		at        time.Time
		age, tick time.Duration
	}{
		{"now", epoch, 0, 0},
		{"earlier", epoch.Add(-30 * time.Second), 30 * time.Second, 0},
		{"long ago", time.Time{}, maxStep, 0},
		{"later", epoch.Add(time.Second), 0, time.Second},
		{"far future", time.Unix(1<<55, 0), 0, maxStep},
	} {
		c := c
		arrived := c.arrival(test.at)
		if got := c.now - arrived; got != test.age {
			t.Errorf("%s: age %v, want %v", test.name, got, test.age)
		}
		if got := c.now - maxStep; got != test.tick {
			t.Errorf("%s: clock moved by %v, want %v", test.name, got, test.tick)
		}
	}
}
