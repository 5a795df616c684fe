//go:build !unix

package bench

import "time"

// cpuTime is zero: the system does not tell.
func cpuTime() time.Duration { return 0 }

// peakRSS is zero: the system does not tell.
func peakRSS() uint64 { return 0 }
