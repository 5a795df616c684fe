package gossip

import (
	"context"
	"sync"
	"time"
)

const (
	// frameDelay is how long the first message of a frame waits for others.
	frameDelay = 5 * time.Millisecond
	// framePace is the least time between two frames that are not full. A frame
	// costs the same at every hop whether it carries one message or thirty: under
	// load, and only then, messages wait a little longer and travel together.
	framePace = 50 * time.Millisecond

	// maxQueued and maxQueuedSize bound the messages announced and not yet in a
	// frame: about half a second at the node's ceiling.
	maxQueued     = 16384
	maxQueuedSize = 32 << 20
)

// outbox collects announced messages into frames. Announcing never blocks: what
// does not fit is dropped and counted, and peers fetch it.
type outbox struct {
	metrics *metrics

	mu     sync.Mutex
	queue  [][]byte
	size   int       // bytes in queue
	first  time.Time // when queue stopped being empty
	last   time.Time // when the last frame left
	flush  bool      // send without waiting for more
	filled chan struct{}
}

func newOutbox(m *metrics) *outbox {
	return &outbox{metrics: m, filled: make(chan struct{}, 1)}
}

func (o *outbox) add(msg []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(msg) == 0 || len(msg) > maxMessageSize:
		o.metrics.drop(dropAnnounceSize, 1)
		return
	case len(o.queue) >= maxQueued || o.size+len(msg) > maxQueuedSize:
		o.metrics.drop(dropAnnounceQueue, 1)
		return
	}
	if len(o.queue) == 0 {
		o.first = time.Now()
	}
	o.queue = append(o.queue, msg)
	o.size += len(msg)
	o.wakeLocked()
}

// flushNow sends what is queued without waiting for more.
func (o *outbox) flushNow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) > 0 {
		o.flush = true
		o.wakeLocked()
	}
}

func (o *outbox) wakeLocked() {
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// next takes the messages of a frame that is due. Without one it tells how long
// until there is: zero for not before something is announced.
func (o *outbox) next(now time.Time) (frame [][]byte, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil, 0
	}
	n, size, full := fit(o.queue)
	due := o.first.Add(frameDelay)
	if paced := o.last.Add(framePace); paced.After(due) {
		due = paced
	}
	if !full && !o.flush && due.After(now) {
		return nil, due.Sub(now)
	}
	o.last = now
	frame = o.queue[:n:n]
	o.size -= size
	// What stays has waited already and goes out as soon as the frame before it.
	if o.queue = o.queue[n:]; len(o.queue) == 0 {
		o.queue, o.flush = nil, false
	}
	return frame, 0
}

// fit tells how many of the messages make the next frame, their bytes, and
// whether the frame is full with them.
func fit(queue [][]byte) (n, size int, full bool) {
	encoded := frameHeaderSize
	for _, m := range queue {
		if n == MaxFrameMessages || encoded+lengthPrefixSize+len(m) > MaxFrameSize {
			return n, size, true
		}
		encoded += lengthPrefixSize + len(m)
		size += len(m)
		n++
	}
	return n, size, n == MaxFrameMessages
}

// run sends frames until the context ends.
func (o *outbox) run(ctx context.Context, send func(messages [][]byte)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		frame, wait := o.next(time.Now())
		if frame != nil {
			send(frame)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-o.filled:
		case <-due:
		case <-ctx.Done():
			return
		}
	}
}
