package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeSize is how many bytes one direction of a connection holds before writing
// blocks: what a kernel's socket buffers hold together.
const pipeSize = 512 << 10

// pipe is one direction of a connection: bytes in order, each readable once its
// latency has passed.
//
// A waiter takes the channel changed under the lock and waits on it; whoever
// changes something closes the channel and puts a new one in its place. That is
// a condition variable one can wait on together with a timer, and a wait that
// testing/synctest sees through.
type pipe struct {
	latency func() time.Duration

	mu       sync.Mutex
	changed  chan struct{}
	segments []segment
	buffered int // bytes in segments
	writeEOF bool
	broken   error // both ends fail with it at once
	readBy   time.Time
	writeBy  time.Time
	readEnd  bool // the reading side closed
}

// segment is what one Write brought.
type segment struct {
	data []byte
	at   time.Time
}

func newPipe(latency func() time.Duration) *pipe {
	return &pipe{latency: latency, changed: make(chan struct{})}
}

// signalLocked wakes every waiter.
func (p *pipe) signalLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		n, wait, err := p.readLocked(b)
		changed := p.changed
		p.mu.Unlock()
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		waitFor(changed, wait)
	}
}

// readLocked takes what is readable now. Without bytes and without an error the
// caller waits for a change or for wait, where zero is no limit.
func (p *pipe) readLocked(b []byte) (n int, wait time.Duration, err error) {
	now := time.Now()
	switch {
	case p.readEnd:
		return 0, 0, net.ErrClosed
	case p.broken != nil:
		return 0, 0, p.broken
	case expired(p.readBy, now):
		return 0, 0, os.ErrDeadlineExceeded
	}
	for len(p.segments) > 0 && n < len(b) && !p.segments[0].at.After(now) {
		copied := copy(b[n:], p.segments[0].data)
		n += copied
		if p.segments[0].data = p.segments[0].data[copied:]; len(p.segments[0].data) == 0 {
			p.segments[0].data = nil
			p.segments = p.segments[1:]
		}
	}
	if n > 0 {
		p.buffered -= n
		p.signalLocked()
		return n, 0, nil
	}
	if len(p.segments) == 0 && p.writeEOF {
		return 0, 0, io.EOF
	}
	if len(p.segments) > 0 {
		wait = p.segments[0].at.Sub(now)
	}
	return 0, sooner(wait, until(p.readBy, now)), nil
}

func (p *pipe) write(b []byte) (int, error) {
	written := 0
	for written < len(b) {
		p.mu.Lock()
		n, wait, err := p.writeLocked(b[written:])
		changed := p.changed
		p.mu.Unlock()
		written += n
		if err != nil {
			return written, err
		}
		if n == 0 {
			waitFor(changed, wait)
		}
	}
	return written, nil
}

func (p *pipe) writeLocked(b []byte) (n int, wait time.Duration, err error) {
	now := time.Now()
	switch {
	case p.writeEOF:
		return 0, 0, net.ErrClosed
	case p.broken != nil:
		return 0, 0, p.broken
	case p.readEnd:
		return 0, 0, syscall.EPIPE
	case expired(p.writeBy, now):
		return 0, 0, os.ErrDeadlineExceeded
	}
	if n = min(len(b), pipeSize-p.buffered); n == 0 {
		return 0, until(p.writeBy, now), nil
	}
	p.segments = append(p.segments, segment{data: append([]byte(nil), b[:n]...), at: now.Add(p.latency())})
	p.buffered += n
	p.signalLocked()
	return n, 0, nil
}

// closeWrite lets the reader have what is on its way and then io.EOF.
func (p *pipe) closeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeEOF = true
	p.signalLocked()
}

// closeRead drops what is on its way; the writer gets syscall.EPIPE.
func (p *pipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readEnd, p.segments = true, nil
	p.signalLocked()
}

// breakOff fails both ends at once with err.
func (p *pipe) breakOff(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken, p.segments = err, nil
	p.signalLocked()
}

func (p *pipe) setReadDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readBy = t
	p.signalLocked()
}

func (p *pipe) setWriteDeadline(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeBy = t
	p.signalLocked()
}

// waitFor returns when changed closes, or after d where d is not zero.
func waitFor(changed <-chan struct{}, d time.Duration) {
	if d <= 0 {
		<-changed
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func expired(deadline, now time.Time) bool { return !deadline.IsZero() && !deadline.After(now) }

// until is how long from now to the deadline; zero without one.
func until(deadline, now time.Time) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	return deadline.Sub(now)
}

// sooner is the smaller of two waits, where zero is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
