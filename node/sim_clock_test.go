package node

import (
	"cmp"
	"container/heap"
	"testing"
	"time"
	"unsafe"
)

// TestInstant: the layout is still what it was.
func TestInstant(t *testing.T) {
	wall := time.Unix(1_800_000_000, 123)
	a, b := instant(wall, time.Second), instant(wall.Add(-time.Minute), 3*time.Second)
	if !a.Equal(wall) || b.Sub(a) != 2*time.Second || b.Round(0).Sub(a.Round(0)) != -time.Minute {
		t.Errorf("%v, %v, %v apart", a, b, b.Sub(a))
	}
}

// instant is a time.Time with a monotonic reading, which package time lets nobody
// make: a clock that is set moves the wall clock alone.
func instant(wall time.Time, monotonic time.Duration) time.Time {
	const since1885 = 2_682_288_000 // seconds, at the Unix epoch
	layout := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{1<<63 | uint64(wall.Unix()+since1885)<<30 | uint64(wall.Nanosecond()), int64(monotonic) + 1, nil}
	return *(*time.Time)(unsafe.Pointer(&layout))
}

// event is something that happens at a time of a simulation.
type event struct {
	at  time.Duration
	seq uint64 // of two at one time the one that was planned first happens first
	do  func()
}

// agenda is a heap of events.
type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(a[i].at, a[j].at), cmp.Compare(a[i].seq, a[j].seq)) < 0
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(event)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// after plans do for a time from now.
func (s *sim) after(d time.Duration, do func()) {
	s.planned++
	heap.Push(&s.agenda, event{s.now + max(0, d), s.planned, do})
}

// every does something again and again, the first time within the interval.
func (s *sim) every(interval time.Duration, do func()) {
	var again func()
	again = func() {
		do()
		s.after(interval, again)
	}
	s.after(s.upTo(interval), again)
}

// runUntil lets all happen that is planned up to a time, or until done is true,
// which it looks for once a second.
func (s *sim) runUntil(end time.Duration, done func() bool) bool {
	for look := s.now; len(s.agenda) > 0 && s.agenda[0].at <= end; {
		if done != nil && s.now >= look {
			if done() {
				return true
			}
			look = s.now + time.Second
		}
		e := heap.Pop(&s.agenda).(event)
		s.now = e.at
		e.do()
	}
	s.now = end
	return done != nil && done()
}

// upTo draws a duration from zero up to d.
func (s *sim) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d) + 1)) }

// between draws a duration.
func (s *sim) between(least, most time.Duration) time.Duration { return least + s.upTo(most-least) }

// chance is true once in n times.
func (s *sim) chance(n int) bool { return s.rng.IntN(n) == 0 }
