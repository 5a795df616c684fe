package main

import (
	"fmt"
	"time"
)

// parseTime reads a point in time: RFC 3339, or a duration that says how long
// before now. The answer is in nanoseconds since the Unix epoch.
func parseTime(s string, now time.Time) (uint64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		ago, err := time.ParseDuration(s)
		if err != nil || ago < 0 {
			return 0, fmt.Errorf("%q: want a time such as 2026-05-01T12:00:00Z or how long ago, such as 10m", s)
		}
		t = now.Add(-ago)
	}
	// UnixNano is defined for these years only.
	if t.Year() < 1971 || t.Year() > 2261 {
		return 0, fmt.Errorf("%q is not within 1971..2261", s)
	}
	return uint64(t.UnixNano()), nil
}

// timeFlag is parseTime for a flag that may be missing.
func timeFlag(name, value string) (uint64, error) {
	if value == "" {
		return 0, nil
	}
	ns, err := parseTime(value, time.Now())
	if err != nil {
		return 0, usagef("--%s %w", name, err)
	}
	return ns, nil
}
