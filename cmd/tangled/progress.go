package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// barEvery is how often a progress bar is drawn.
	barEvery = 100 * time.Millisecond
	barWidth = 40
)

// bar shows on a terminal how far long work has come, and nothing elsewhere. What
// is told of progress may be told from one goroutine at a time.
type bar struct {
	out   io.Writer // nil where nobody looks
	what  string
	begun time.Time
	drawn time.Time
	width int // of what stands there
	now   func() time.Time
}

// newBar shows the bar on out, which for a command is its standard error.
func newBar(out io.Writer, what string) *bar {
	b := &bar{what: what, now: time.Now}
	if isTerminal(out) {
		b.out = out
	}
	b.begun = b.now()
	return b
}

// isTerminal tells whether a person may be looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// at draws the bar where it is time to. A total of zero is not known yet.
func (b *bar) at(done, total uint64) {
	now := b.now()
	if b.out == nil || now.Sub(b.drawn) < barEvery {
		return
	}
	b.drawn = now
	b.draw(b.line(done, total, now.Sub(b.begun)))
}

func (b *bar) line(done, total uint64, took time.Duration) string {
	if total == 0 {
		return fmt.Sprintf("%s: %d, %v", b.what, done, took.Round(time.Second))
	}
	done = min(done, total)
	filled := int(float64(done) / float64(total) * barWidth)
	return fmt.Sprintf("%s [%s%s] %3.0f%% %v", b.what, strings.Repeat("#", filled), strings.Repeat(".", barWidth-filled),
		float64(done)/float64(total)*100, took.Round(time.Second))
}

// draw puts line over what stands there.
func (b *bar) draw(line string) {
	fmt.Fprintf(b.out, "\r%-*s", b.width, line)
	b.width = len(line)
}

// close takes the bar away.
func (b *bar) close() {
	if b.out != nil && b.width > 0 {
		b.draw("")
		fmt.Fprint(b.out, "\r")
	}
}
