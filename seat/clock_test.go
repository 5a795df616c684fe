package seat

import (
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"
)

// bench is a seat 0 whose clock is set by hand, among others whose clocks are
// right.
type bench struct {
	tb    testing.TB
	clock *Clock
	start time.Time     // with its monotonic reading
	now   time.Duration // that has passed since
	wrong time.Duration // what the wall clock is ahead
	// suspended is how long the machine was: its monotonic clock did not run.
	suspended time.Duration
}

// newBench starts with a clock that is ahead.
func newBench(tb testing.TB, ahead time.Duration, weights ...uint64) *bench {
	b := &bench{tb: tb, start: time.Now(), wrong: ahead}
	b.clock = NewClock(newCommittee(tb, weights...), 0, b.read())
	return b
}

// read is what time.Now returns here: it moves the wall clock and the monotonic
// one apart, for which package time has no function.
func (b *bench) read() time.Time {
	t := b.start.Add(b.now - b.suspended)
	monotonic := t.Sub(b.start)
	t = t.Add(b.suspended + b.wrong)
	type instant struct { // the layout of time.Time
		_         uint64
		monotonic int64
		_         *time.Location
	}
	(*instant)(unsafe.Pointer(&t)).monotonic -= int64(b.suspended + b.wrong)
	if got := t.Sub(b.start); got != monotonic {
		b.tb.Fatalf("the monotonic clock shows %v, want %v", got, monotonic)
	}
	if got, want := t.UnixNano(), b.start.UnixNano()+int64(b.now+b.wrong); got != want {
		b.tb.Fatalf("the wall clock shows %d, want %d", got, want)
	}
	return t
}

// truth is the timestamp that a right clock shows.
func (b *bench) truth() uint64 { return uint64(b.start.UnixNano()) + uint64(b.now) }

// hear lets seconds pass in which the seats are heard each 500 ms, after a delay.
func (b *bench) hear(seconds int, delay time.Duration, seats ...int) {
	for range 2 * seconds {
		b.now += 500 * time.Millisecond
		for _, seat := range seats {
			b.clock.Observe(seat, b.truth()-uint64(delay), b.read())
		}
	}
}

// want checks that the clock is ahead, about, against what is named; nothing
// named is a clock that is right.
func (b *bench) want(against string, ahead time.Duration) {
	b.tb.Helper()
	err := b.clock.Check(b.read())
	var clock *ClockError
	switch {
	case against == "" && err != nil:
		b.tb.Errorf("at %v: %v, want no error", b.now, err)
	case against == "":
	case !errors.As(err, &clock):
		b.tb.Errorf("at %v: %v, want %v ahead of the %s", b.now, err, ahead, against)
	case clock.Against != against || (clock.Ahead-ahead).Abs() > time.Second:
		b.tb.Errorf("at %v: %v, want %v ahead of the %s", b.now, err, ahead, against)
	}
}

const (
	byMonotonic = "monotonic clock"
	bySeats     = "other seats"
)

func TestClockAlone(t *testing.T) {
	b := newBench(t, time.Hour, equal(1)...)
	b.now = time.Hour
	b.want("", 0)
	for _, test := range []struct {
		wrong   time.Duration
		against string
	}{
		{5 * time.Second, ""},
		{5*time.Second + 1, byMonotonic},
		{-5 * time.Second, ""},
		{-5*time.Second - 1, byMonotonic},
		{10 * time.Second, byMonotonic},
		{time.Second, ""},
		{-100 * 365 * 24 * time.Hour, byMonotonic},
	} {
		b.now += time.Second
		b.wrong = time.Hour + test.wrong
		want := max(test.wrong, -maxOffset)
		b.want(test.against, want)
	}
	// It goes on once the clock is set back, whatever happened.
	b.wrong = time.Hour
	b.want("", 0)
}

func TestClockError(t *testing.T) {
	for _, test := range []struct {
		err  ClockError
		want string
	}{
		{ClockError{bySeats, 7 * time.Second}, "seat: the clock is 7s ahead of the other seats"},
		{ClockError{byMonotonic, -time.Minute}, "seat: the clock is 1m0s behind the monotonic clock"},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A clock that is wrong at start is found by the others, and again right once it
// is corrected, although that is a step.
func TestClockWrongAtStart(t *testing.T) {
	for _, wrong := range []time.Duration{-8 * time.Second, 8 * time.Second} {
		b := newBench(t, wrong, equal(4)...)
		b.want("", 0)
		b.hear(4, 0, 1, 2, 3)
		b.want(bySeats, wrong)
		b.hear(60, 0, 1, 2, 3)
		b.want(bySeats, wrong)
		b.wrong = 0
		b.want("", 0)
		// That was noted: it is against this time that steps are measured now.
		b.now += time.Hour
		b.want("", 0)
		b.wrong = wrong
		b.want(byMonotonic, wrong)
	}
}

// The machine slept for an hour. The others say that the wall clock, which ran
// on, is right.
func TestClockSuspended(t *testing.T) {
	b := newBench(t, 0, equal(4)...)
	b.hear(20, 0, 1, 2, 3)
	b.want("", 0)
	b.now += time.Hour
	b.suspended = time.Hour
	b.want(bySeats, time.Hour) // by what they said before
	b.hear(1, 0, 1)
	b.want(bySeats, time.Hour)
	b.hear(1, 0, 1, 2, 3)
	b.want("", 0)
	// Alone it would have to be stopped.
	alone := newBench(t, 0, equal(1)...)
	alone.now, alone.suspended = time.Hour, time.Hour
	alone.want(byMonotonic, time.Hour)
}

// A step of the wall clock shows at once in what was heard before it.
func TestClockStep(t *testing.T) {
	for _, wrong := range []time.Duration{-7 * time.Second, 7 * time.Second} {
		b := newBench(t, 0, equal(4)...)
		b.hear(20, 100*time.Millisecond, 1, 2, 3)
		b.want("", 0)
		b.wrong = wrong
		b.want(bySeats, wrong)
		// When the others are no longer heard the monotonic clock still knows.
		b.now += time.Minute
		b.want(byMonotonic, wrong)
		b.wrong = 0
		b.want("", 0)
	}
}

// What the median takes: more than half of what is known, and an honest seat.
func TestClockMedian(t *testing.T) {
	type said struct {
		seat  int
		wrong time.Duration // what this seat's clock is ahead
	}
	const off = 8 * time.Second
	for _, test := range []struct {
		name    string
		weights []uint64
		said    []said
		wrong   bool
	}{
		{"all", equal(4), []said{{1, off}, {2, off}, {3, off}}, true},
		{"two of three", equal(4), []said{{1, off}, {2, off}, {3, 0}}, true},
		{"one of three", equal(4), []said{{1, off}, {2, 0}, {3, 0}}, false},
		{"two, one not heard", equal(4), []said{{1, off}, {2, off}}, true},
		{"one of two", equal(4), []said{{1, off}, {2, 0}}, false},
		{"one alone", equal(4), []said{{1, off}}, false},
		{"no more than a third", equal(6), []said{{1, off}, {2, off}}, false},
		{"more than a third", equal(6), []said{{1, off}, {2, off}, {3, off}}, true},
		{"half of the known", equal(7), []said{{1, off}, {2, off}, {3, off}, {4, 0}, {5, 0}, {6, 0}}, false},
		{"in both directions", equal(7), []said{{1, off}, {2, off}, {3, off}, {4, -off}, {5, -off}, {6, -off}}, false},
		{"by weight", []uint64{1, 3, 1, 1}, []said{{1, off}, {2, 0}, {3, 0}}, true},
		{"and not by number", []uint64{1, 3, 1, 1}, []said{{1, 0}, {2, off}, {3, off}}, false},
		{"at the limit", equal(4), []said{{1, 5 * time.Second}, {2, 5 * time.Second}, {3, 5 * time.Second}}, false},
		{"beyond the limit", equal(4), []said{{1, 5*time.Second + 1}, {2, 5*time.Second + 1}, {3, 5*time.Second + 1}}, true},
		{"one's own word", []uint64{3, 1, 1, 1}, []said{{0, off}, {1, off}, {2, 0}, {3, 0}}, false},
		{"no seat", equal(4), []said{{4, off}, {5, off}, {-1, off}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, sign := range []time.Duration{1, -1} {
				b := newBench(t, 0, test.weights...)
				for range 8 {
					b.now += time.Second
					for _, said := range test.said {
						b.clock.Observe(said.seat, b.truth()+uint64(sign*said.wrong), b.read())
					}
				}
				if err := b.clock.Check(b.read()); (err != nil) != test.wrong {
					t.Errorf("%v, want an error: %v", err, test.wrong)
				}
			}
		})
	}
}

// A witness that is late says nothing of the clock.
func TestClockLate(t *testing.T) {
	b := newBench(t, 0, equal(4)...)
	all := []int{1, 2, 3}
	// One and the same moment of all, a minute late.
	b.hear(1, time.Minute, all...)
	b.want("", 0)
	// A backlog, faster than it was written, and then live.
	b.now += time.Minute
	backlog := func(step time.Duration) {
		for behind := time.Minute; behind > 0; behind -= 10 * time.Second {
			b.now += step
			for _, seat := range all {
				b.clock.Observe(seat, b.truth()-uint64(behind), b.read())
			}
		}
	}
	backlog(200 * time.Millisecond)
	b.want("", 0)
	b.hear(10, 100*time.Millisecond, all...)
	b.want("", 0)
	// One that takes longer looks like a clock that is ahead, but not for long.
	b.now += time.Minute
	backlog(time.Second)
	b.want(bySeats, 10*time.Second)
	b.hear(1, 100*time.Millisecond, all...)
	b.want("", 0)
	// Among witnesses in time late ones are ignored, and replayed ones always.
	for range 40 {
		b.hear(1, 0, all...)
		b.now += 600 * time.Millisecond
		stamp := b.truth() - 1
		for _, seat := range all {
			b.clock.Observe(seat, stamp, b.read())
		}
		b.now += 8 * time.Second
		for _, seat := range all {
			b.clock.Observe(seat, stamp+1, b.read())
		}
		b.want("", 0)
	}
	for range 40 {
		b.now += time.Second
		for _, seat := range all {
			b.clock.Observe(seat, 1, b.read())
			b.clock.Observe(seat, b.truth()-uint64(time.Hour), b.read())
		}
		b.want("", 0)
	}
}

// Three separate seconds in which a seat was late are taken for our clock, and
// forgotten with the window.
func TestClockAheadTakesTime(t *testing.T) {
	b := newBench(t, 8*time.Second, equal(4)...)
	heard := func() {
		for _, seat := range []int{1, 2, 3} {
			b.clock.Observe(seat, b.truth(), b.read())
		}
	}
	heard()
	b.now += 2 * time.Second
	heard()
	b.now += 100 * time.Millisecond // the same second
	heard()
	b.want("", 0)
	b.now += 2 * time.Second
	heard()
	b.want(bySeats, 8*time.Second)
	b.now += 9 * time.Second
	b.want("", 0)
	// Behind it is by the first.
	b = newBench(t, -8*time.Second, equal(4)...)
	b.clock.Observe(1, b.truth(), b.read())
	b.want("", 0)
	b.clock.Observe(2, b.truth(), b.read())
	b.want(bySeats, -8*time.Second)
	b.now += 9 * time.Second
	b.want(bySeats, -8*time.Second)
	b.now += time.Second
	b.want("", 0)
}

// The error tells by how much the clock is wrong at least.
func TestClockAtLeast(t *testing.T) {
	for _, sign := range []time.Duration{1, -1} {
		b := newBench(t, 0, equal(4)...)
		for range 5 {
			b.now += time.Second
			for seat, wrong := range map[int]time.Duration{1: 20 * time.Second, 2: 8 * time.Second, 3: 40 * time.Second} {
				b.clock.Observe(seat, b.truth()-uint64(sign*wrong), b.read())
			}
		}
		b.want(bySeats, sign*8*time.Second)
	}
}

// Timestamps of no sense do not overflow into sense.
func TestClockAbsurd(t *testing.T) {
	b := newBench(t, 0, equal(4)...)
	for seat := 1; seat < 4; seat++ {
		b.clock.Observe(seat, math.MaxInt64, b.read())
	}
	b.want(bySeats, -maxOffset)
	b.wrong = 100 * 365 * 24 * time.Hour
	if err := b.clock.Check(b.read()); err == nil {
		t.Error("a century is no error")
	}
}
