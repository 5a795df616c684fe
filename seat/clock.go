package seat

import (
	"fmt"
	"time"

	"tangled/consensus"
)

const (
	// clockLimit is how wrong the wall clock may be for its seat to go on.
	clockLimit = 5 * time.Second
	// maxOffset keeps sums of two differences of absurd times in range; 146 years.
	maxOffset = time.Duration(1)<<62 - 1
)

// Clock tells whether a seat's wall clock can be trusted: by the monotonic clock,
// which is never set, and by the other seats, who stamp their witnesses. The
// package comment says what it can and cannot notice.
//
// Times passed in carry the monotonic reading of time.Now.
type Clock struct {
	committee *consensus.Committee
	seat      int
	start     time.Time
	// step is how far the wall clock had moved against the monotonic one since
	// start when it was last known to be right.
	step   time.Duration
	others []lateness // by seat
}

// ClockError tells by how much, at least, a wall clock is wrong.
type ClockError struct {
	// Against is the "monotonic clock" or the "other seats".
	Against string
	// Ahead is negative for a clock that is behind.
	Ahead time.Duration
}

func (e *ClockError) Error() string {
	if e.Ahead < 0 {
		return fmt.Sprintf("seat: the clock is %v behind the %s", -e.Ahead, e.Against)
	}
	return fmt.Sprintf("seat: the clock is %v ahead of the %s", e.Ahead, e.Against)
}

// NewClock trusts the wall clock to be right at start until something speaks
// against it.
func NewClock(committee *consensus.Committee, seat int, start time.Time) *Clock {
	return &Clock{committee: committee, seat: seat, start: start, others: make([]lateness, committee.Size())}
}

// Observe takes the timestamp of a witness, in ns since the Unix epoch, whose
// signature by the seat's key was verified, and when its bytes came in. It is
// for witnesses that neighbours announced, and is called at the door: before the
// hold for messages that are ahead, which is where a clock that is behind would
// put them all, and before waiting for parents. What was fetched is left out:
// it says how long this node was away. Timestamps that are not above all before
// of that seat say nothing and are ignored.
func (c *Clock) Observe(seat int, stamp uint64, arrived time.Time) {
	if seat < 0 || seat >= len(c.others) || seat == c.seat {
		return
	}
	_, elapsed := c.moved(arrived)
	late := c.start.Round(0).Add(elapsed).Sub(time.Unix(0, int64(stamp)))
	c.others[seat].add(stamp, elapsed, clampOffset(late))
}

// moved is how far the wall clock has moved against the monotonic one since
// start, and the time that passed since by the monotonic one.
func (c *Clock) moved(now time.Time) (step, elapsed time.Duration) {
	elapsed = max(0, now.Sub(c.start))
	return clampOffset(now.Round(0).Sub(c.start.Round(0).Add(elapsed))), elapsed
}

func clampOffset(d time.Duration) time.Duration { return min(max(d, -maxOffset), maxOffset) }

// Check returns a *ClockError if the wall clock is wrong: the seat then stops
// witnessing, and asks again. It is nil again as soon as the clock is right.
//
// The others' word comes first. If the median of them says that the clock is
// right, a step against the monotonic clock was one from wrong to right, or the
// machine was suspended, and is forgiven for good.
func (c *Clock) Check(now time.Time) error {
	step, elapsed := c.moved(now)
	right, ahead, behind := c.poll(step, elapsed)
	known := c.committee.Weight(right.seats | ahead.seats | behind.seats)
	switch {
	case c.prevails(ahead.seats, known):
		return &ClockError{Against: "other seats", Ahead: ahead.least}
	case c.prevails(behind.seats, known):
		return &ClockError{Against: "other seats", Ahead: behind.least}
	case c.prevails(right.seats, known):
		c.step = step
	}
	if off := step - c.step; off.Abs() > clockLimit {
		return &ClockError{Against: "monotonic clock", Ahead: off}
	}
	return nil
}

// verdict is the seats that say the same of the clock, and the offset among
// theirs that is nearest to zero.
type verdict struct {
	seats consensus.Seats
	least time.Duration
}

func (v *verdict) add(seat int, offset time.Duration) {
	if v.seats == 0 || offset.Abs() < v.least.Abs() {
		v.least = offset
	}
	v.seats |= 1 << seat
}

// poll asks the other seats about a wall clock that moved by step.
func (c *Clock) poll(step, elapsed time.Duration) (right, ahead, behind verdict) {
	for seat := range c.others {
		late, witnesses := c.others[seat].least(elapsed)
		offset := late + step
		switch {
		case witnesses == 0:
		case offset < -clockLimit:
			behind.add(seat, offset)
		case offset <= clockLimit:
			right.add(seat, offset)
		case witnesses >= lateSlots:
			ahead.add(seat, offset)
		}
	}
	return right, ahead, behind
}

// prevails tells whether the weighted median of what is known lies with those
// seats, and an honest one is among them: more than a third of all, and more than
// half of the known weight.
func (c *Clock) prevails(seats consensus.Seats, known uint64) bool {
	return c.committee.MoreThanThird(seats) && 2*c.committee.Weight(seats) > known
}
