// Package bubbletest runs tests in the fake time of testing/synctest, in a way
// that the race detector survives.
//
// All timers of a bubble share one context of the race detector, and a timer
// that is due at once runs on the thread that sets it. Two threads that set such
// timers at the same moment are therefore one thread to the detector, which then
// reads and writes past the ends of that thread's call stack: the process dies of
// a segmentation fault or of "ThreadSanitizer: CHECK failed" (golang.org/issue/78156).
// Under the detector a bubble therefore has one processor. Races are found as
// before: the detector follows what is ordered by what, not what happens when.
//
// Tests reach testing/synctest through this package alone; internal/layers holds
// them to it.
package bubbletest

import (
	"testing"
	"testing/synctest"
)

// Run is synctest.Test. A test that runs beside others (testing.T.Parallel) must
// not call it.
func Run(t *testing.T, test func(*testing.T)) {
	t.Helper()
	defer limitProcessors()()
	synctest.Test(t, test)
}

// Wait is synctest.Wait.
func Wait() { synctest.Wait() }
