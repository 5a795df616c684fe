//go:build race

package bubbletest

import "runtime"

// limitProcessors leaves one processor until the function it returns is called.
func limitProcessors() (restore func()) {
	before := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(before) }
}
