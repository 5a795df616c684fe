package seat

import (
	"testing"
	"time"
)

func TestLateness(t *testing.T) {
	const s = time.Second
	type arrival struct {
		stamp         uint64
		elapsed, late time.Duration
	}
	for _, test := range []struct {
		name     string
		arrivals []arrival
		now      time.Duration
		late     time.Duration
		slots    int
	}{
		{"none", nil, s, 0, 0},
		{"the least of a second", []arrival{{1, s, 9 * s}, {2, s + s/2, 3 * s}, {3, s + s/2, 4 * s}}, 2 * s, 3 * s, 1},
		{"the least of the window", []arrival{{1, s, 9 * s}, {2, 2 * s, 3 * s}, {3, 7 * s, 4 * s}}, 7 * s, 3 * s, 3},
		{"also below zero", []arrival{{1, s, -s}, {2, 2 * s, 3 * s}}, 3 * s, -s, 2},
		{"a window of ten seconds", []arrival{{1, 0, s}, {2, s, 3 * s}}, 10 * s, 3 * s, 1},
		{"and not less", []arrival{{1, 0, s}, {2, s, 3 * s}}, 10*s - 1, s, 2},
		{"a slot again", []arrival{{1, 0, s}, {2, 10 * s, 3 * s}}, 10 * s, 3 * s, 1},
		{"old timestamps", []arrival{{2, s, 3 * s}, {2, 2 * s, s}, {1, 2 * s, s}}, 3 * s, 3 * s, 1},
	} {
		var l lateness
		for _, a := range test.arrivals {
			l.add(a.stamp, a.elapsed, a.late)
		}
		if late, slots := l.least(test.now); late != test.late || slots != test.slots {
			t.Errorf("%s: %v in %d slots, want %v in %d", test.name, late, slots, test.late, test.slots)
		}
	}
}
