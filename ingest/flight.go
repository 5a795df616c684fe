package ingest

import (
	"sync/atomic"
	"time"
)

// flight is one reading on its way to the ledger. Several deliveries of the
// same reading share it.
type flight struct {
	hash  uint64        // of topic, content type and content
	done  chan struct{} // closed by finish
	err   error         // valid once done is closed
	acked atomic.Int64  // when an acknowledgement was queued, in ns of the broker's clock; 0 before
}

func newFlight(hash uint64) *flight {
	return &flight{hash: hash, done: make(chan struct{})}
}

// finish records the outcome. It is called once.
func (f *flight) finish(err error) {
	f.err = err
	close(f.done)
}

func (f *flight) finished() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// failed reports whether the reading has to be issued anew: it met a temporary
// error.
func (f *flight) failed() bool {
	if !f.finished() || f.err == nil {
		return false
	}
	_, refused := refusalOf(f.err)
	return !refused
}

// now is the broker's clock: monotonic nanoseconds, never zero.
func (b *Broker) now() int64 { return int64(time.Since(b.start)) + 1 }
