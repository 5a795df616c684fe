//go:build unix

package bench

import (
	"runtime"
	"syscall"
	"time"
)

// cpuTime is what the process has used; zero where the system does not tell.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the most memory that the process has had, in bytes; zero where the
// system does not tell.
func peakRSS() uint64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return uint64(u.Maxrss) // in bytes there, in KiB elsewhere
	}
	return uint64(u.Maxrss) << 10
}
