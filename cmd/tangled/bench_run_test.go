package main

import (
	"strings"
	"testing"
	"time"

	"tangled/bench"
)

func TestBenchScreen(t *testing.T) {
	tests := map[string]struct {
		terminal, json bool
		want           int // lines or redrawings in 12 s of four calls a second
	}{
		"terminal":          {terminal: true, want: 48},
		"terminal and JSON": {terminal: true, json: true, want: 48},
		"file":              {want: 2},
		"file and JSON":     {json: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			now := time.Unix(1000, 0)
			s := &benchScreen{out: &b, json: test.json, terminal: test.terminal, now: func() time.Time { return now }}
			for i := range 48 {
				s.progress(bench.Progress{
					Step: 1, Steps: 1, Phase: "measure", Elapsed: time.Duration(i) * time.Second / 4, Total: 12 * time.Second,
					Acknowledged: uint64(i) * 100, Waiting: 7,
				})
				now = now.Add(time.Second / 4)
			}
			shown := b.String()
			if got := strings.Count(shown, "readings acknowledged"); got != test.want {
				t.Errorf("shown %d times, want %d:\n%s", got, test.want, shown)
			}
			if test.want > 0 && !strings.Contains(shown, "400/s  7 wait to be final") {
				t.Errorf("no rate of 400 a second:\n%s", shown)
			}
			s.end()
			if test.terminal && !strings.HasSuffix(b.String(), " \r") {
				t.Error("the line stays on the terminal")
			}
		})
	}
}

func TestBenchScreenOfSteps(t *testing.T) {
	var b strings.Builder
	now := time.Unix(1000, 0)
	s := &benchScreen{out: &b, now: func() time.Time { return now }}
	for i, acked := range []uint64{1000, 1500, 10, 60} { // a load of a step counts from zero
		s.progress(bench.Progress{Step: 1 + i/2, Steps: 2, Phase: "measure", Acknowledged: acked})
		now = now.Add(5 * time.Second)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "step 1 of 2") || !strings.Contains(lines[0], " 100/s") ||
		!strings.Contains(lines[1], "step 2 of 2") || !strings.Contains(lines[1], " 10/s") {
		t.Errorf("shown:\n%s", b.String())
	}
}
