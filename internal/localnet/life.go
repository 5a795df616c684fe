package localnet

import (
	"bytes"
	"io"
	"os"
)

// life is one run of a Process's program. As an io.Writer it is that program's
// standard output. process and killed are under Process.mu.
type life struct {
	process *os.Process   // nil until it has started
	killed  bool          // by Kill
	ready   chan struct{} // closed after the first line
	ended   chan struct{} // closed after the end, when Process.life is the next one

	line []byte // complete when ready is closed
}

func newLife() *life {
	return &life{ready: make(chan struct{}), ended: make(chan struct{})}
}

func (l *life) isReady() bool {
	select {
	case <-l.ready:
		return true
	default:
		return false
	}
}

func (l *life) hasEnded() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// Write keeps the first line and drops what follows.
func (l *life) Write(b []byte) (int, error) {
	if !l.isReady() {
		line, _, whole := bytes.Cut(b, []byte("\n"))
		l.line = append(l.line, line...)
		if whole {
			close(l.ready)
		}
	}
	return len(b), nil
}

// lastWordsSize is how much of the end of a log is looked at.
const lastWordsSize = 4096

// lastWords is the last line of the process's log, for an error text; empty where
// there is none.
func (p *Process) lastWords() string {
	if p.opts.Log == "" {
		return ""
	}
	f, err := os.Open(p.opts.Log)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return ""
	} else if _, err := f.Seek(max(0, info.Size()-lastWordsSize), io.SeekStart); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, lastWordsSize))
	if err != nil {
		return ""
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return "; its log ends with: " + string(lines[len(lines)-1])
}
