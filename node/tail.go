package node

import (
	"context"
	"iter"
	"sync"
	"time"

	"tangled/message"
	"tangled/storage"
)

// tailBuffer is how many messages a reader of the live stream may be behind.
const tailBuffer = 16 << 10

// Event is a message that became durable on this node.
type Event struct {
	Message *message.Message
	Durable time.Time
}

// hub hands what became durable to its readers. Publishing never blocks: a
// reader that is too far behind is cut off and told so.
type hub struct {
	mu      sync.Mutex
	closed  error
	readers map[*reader]struct{}
}

type reader struct {
	events chan Event
	err    error // set before events is closed
}

func (h *hub) publish(records []storage.Record, durable time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		for i := range records {
			select {
			case r.events <- Event{records[i].Message, durable}:
				continue
			default:
			}
			h.cutLocked(r, ErrLagging)
			break
		}
	}
}

func (h *hub) cutLocked(r *reader, err error) {
	delete(h.readers, r)
	r.err = err
	close(r.events)
}

func (h *hub) add() (*reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed != nil {
		return nil, h.closed
	}
	if h.readers == nil {
		h.readers = make(map[*reader]struct{})
	}
	r := &reader{events: make(chan Event, tailBuffer)}
	h.readers[r] = struct{}{}
	return r, nil
}

func (h *hub) remove(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
}

func (h *hub) close(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = err
	for r := range h.readers {
		h.cutLocked(r, err)
	}
}

// Tail follows what becomes durable on this node, in that order, from the
// moment it is called. The sequence ends with ctx's error, ErrClosed, or
// ErrLagging for a reader that fell 16,384 messages behind.
func (n *Node) Tail(ctx context.Context) iter.Seq2[Event, error] {
	r, err := n.tail.add()
	return func(yield func(Event, error) bool) {
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer n.tail.remove(r)
		for {
			select {
			case e, ok := <-r.events:
				if !ok {
					yield(Event{}, r.err)
					return
				}
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}
