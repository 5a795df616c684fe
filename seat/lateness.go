package seat

import "time"

const (
	// slotLength and slotCount are the window in which a seat's witnesses speak
	// for it: 10 s, five intervals of an idle seat.
	slotLength = time.Second
	slotCount  = 10
	// lateSlots is in how many slots a seat must have been heard for its word
	// that the clock is ahead. Each of its witnesses may have been late instead.
	lateSlots = 3
)

// lateness is how late the witnesses of one seat came in, by a clock that was
// right at the start and never set since. It is its clock's error, ours, and the
// delay on the way; the last is never negative, so the least of a window is
// nearest to the truth.
type lateness struct {
	newest uint64 // timestamp, ns since the Unix epoch
	slots  [slotCount]slot
}

// slot is the least lateness of one second, the number-th since the start from 1
// on.
type slot struct {
	number int64
	least  time.Duration
}

func slotNumber(elapsed time.Duration) int64 { return int64(elapsed/slotLength) + 1 }

// add takes a witness that came in late, elapsed after the start.
func (l *lateness) add(stamp uint64, elapsed, late time.Duration) {
	if stamp <= l.newest {
		return
	}
	l.newest = stamp
	number := slotNumber(elapsed)
	s := &l.slots[number%slotCount]
	if s.number != number {
		*s = slot{number, late}
	}
	s.least = min(s.least, late)
}

// least is the least lateness of the window that ends now, elapsed after the
// start, and in how many slots of it there was a witness.
func (l *lateness) least(elapsed time.Duration) (late time.Duration, slots int) {
	now := slotNumber(elapsed)
	for _, s := range l.slots {
		if s.number == 0 || s.number <= now-slotCount {
			continue
		}
		if slots == 0 || s.least < late {
			late = s.least
		}
		slots++
	}
	return late, slots
}
