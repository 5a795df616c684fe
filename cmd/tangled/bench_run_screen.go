package main

import (
	"fmt"
	"io"
	"time"

	"tangled/bench"
)

// benchScreen shows on standard error how a benchmark goes: on a terminal a line
// that is drawn again in place, elsewhere a line now and then, or none where the
// result is wanted as JSON.
type benchScreen struct {
	out      io.Writer
	json     bool // of the result
	terminal bool
	width    int // of what stands on the terminal

	before bench.Progress // at the last line
	at     time.Time      // of the last line
	now    func() time.Time
}

func newBenchScreen(out io.Writer, asJSON bool) *benchScreen {
	return &benchScreen{out: out, json: asJSON, terminal: isTerminal(out), now: time.Now}
}

// progress shows how far a run is.
func (s *benchScreen) progress(p bench.Progress) {
	now := s.now()
	switch {
	case s.terminal:
	case s.json:
		return
	case s.at.IsZero() || p.Step != s.before.Step:
		s.before, s.at = p, now // the first line tells of 5 s
		return
	case now.Sub(s.at) < plainEvery:
		return
	}
	line := s.line(p, now.Sub(s.at))
	if !s.terminal {
		fmt.Fprintln(s.out, line)
	} else {
		fmt.Fprintf(s.out, "\r%-*s", s.width, line)
		s.width = len(line)
	}
	if now.Sub(s.at) >= time.Second {
		s.before, s.at = p, now
	}
}

// line is the state of things, with the rate since the last line.
func (s *benchScreen) line(p bench.Progress, since time.Duration) string {
	rate := max(0, float64(p.Acknowledged)-float64(s.before.Acknowledged)) / since.Seconds()
	step := ""
	if p.Steps > 1 {
		step = fmt.Sprintf("step %d of %d: ", p.Step, p.Steps)
	}
	return fmt.Sprintf("%s%-9s %3.0f of %.0f s  %d readings acknowledged, %.0f/s  %d wait to be final",
		step, p.Phase, p.Elapsed.Seconds(), p.Total.Seconds(), p.Acknowledged, rate, p.Waiting)
}

// end takes the line off the terminal.
func (s *benchScreen) end() {
	if s.terminal && s.width > 0 {
		fmt.Fprintf(s.out, "\r%-*s\r", s.width, "")
		s.width = 0
	}
}
