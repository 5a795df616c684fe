package tipselect

import "time"

const (
	// maxBackstep is how far the caller's clock may go back for nothing to
	// happen.
	maxBackstep = time.Second
	// maxStep is the largest step forward. All tips expire by it, so a larger
	// one changes nothing but the distance to overflow.
	maxStep = 2 * expiry
)

// clock counts the time that has passed by the caller's word. It never goes
// back. A step back of up to maxBackstep is two callers racing for the lock:
// the clock waits to be caught up with. After a larger one the caller's clock
// was set: time goes on here from where it stands, so that no tip waits for a
// future that was cancelled.
type clock struct {
	epoch   time.Time     // the caller's time when now was 0
	now     time.Duration // not negative
	started bool
}

// tell moves the clock to the caller's t.
func (c *clock) tell(t time.Time) {
	c.start(t)
	switch passed := t.Sub(c.epoch); {
	case passed > c.now+maxStep:
		c.now += maxStep
		c.epoch = t.Add(-c.now)
	case passed < c.now-maxBackstep:
		c.epoch = t.Add(-c.now)
	default:
		c.now = max(c.now, passed)
	}
}

// arrival places an arrival at the caller's t. A later one than now moves the
// clock, an earlier one does not: tips found at start arrived in the past.
func (c *clock) arrival(t time.Time) time.Duration {
	c.start(t)
	at := t.Sub(c.epoch)
	if at > c.now {
		c.tell(t)
		return c.now
	}
	return max(0, at) // before the epoch is over age, and a difference must not overflow
}

// start sets the epoch so far back that a tip can be over age from the first.
func (c *clock) start(t time.Time) {
	if !c.started {
		*c = clock{epoch: t.Add(-maxStep), now: maxStep, started: true}
	}
}
