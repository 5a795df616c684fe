package catchup

import (
	"context"
	"fmt"
	"iter"
	"sort"
	"sync"

	"tangled/message"
)

// outcomeIncluded is the ledger's outcome of what is no transfer, and of nothing
// else.
const outcomeIncluded = 1

// A stream is three goroutines in a row, and the consumer:
//
//	gather --lists--> fetch --bodies--> check --Verified--> queue --> consumer
//
// Each hands what it did to the next without a buffer, so that it is one page ahead;
// the queue holds as many anchors as fit its bound.

// step is what goes from one to the next: a run or a page of bodies, or the end,
// with the error that made it.
type step struct {
	lists  *lists // nil at the end
	from   int    // place in the run of the first of bodies
	bodies [][]byte
	err    error
}

// send gives a step on, unless the context ends before.
func send(ctx context.Context, out chan<- step, s step) bool {
	select {
	case out <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// lists is a believed run. fetch reads first and starts alone, check has the rest.
type lists struct {
	first  uint64 // index of the first anchor
	starts []int  // place of each anchor's first message in the run, and the run's length

	anchors   []Verified
	delivered int // anchors that are complete and gone
}

func newLists(anchors []Verified) *lists {
	l := &lists{first: anchors[0].Commitment.Index, starts: make([]int, 1, len(anchors)+1), anchors: anchors}
	for i := range anchors {
		l.starts = append(l.starts, l.starts[i]+len(anchors[i].Included))
	}
	return l
}

// size is the number of messages in the run.
func (l *lists) size() int { return l.starts[len(l.starts)-1] }

// at is the anchor that has the message at a place of the run, and its index there.
func (l *lists) at(place int) (anchor, index int) {
	anchor = sort.Search(len(l.starts), func(i int) bool { return l.starts[i] > place }) - 1
	return anchor, place - l.starts[anchor]
}

func (c *Client) stream(ctx context.Context, s span) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		q := newQueue()
		defer context.AfterFunc(ctx, func() { q.end(ctx.Err()) })()
		runs, pages := make(chan step), make(chan step)
		var workers sync.WaitGroup
		defer workers.Wait()
		defer cancel()
		workers.Go(func() { c.gather(ctx, s, runs) })
		workers.Go(func() { c.fetch(ctx, q, runs, pages) })
		workers.Go(func() { c.check(ctx, q, pages) })
		for {
			v, ok, err := q.pop()
			if err != nil {
				yield(Verified{}, err)
			}
			if !ok || !yield(v, nil) {
				return
			}
		}
	}
}

// fetch asks for the bodies of run after run.
func (c *Client) fetch(ctx context.Context, q *queue, runs <-chan step, pages chan<- step) {
	for {
		var run step
		select {
		case run = <-runs:
		case <-ctx.Done():
			return
		}
		if run.lists == nil {
			send(ctx, pages, run)
			return
		}
		l, place := run.lists, 0
		for {
			p := step{lists: l, from: place}
			if place < l.size() {
				if !q.waitForRoom() {
					return
				}
				if p.bodies, p.err = c.page(ctx, l, place); p.err != nil {
					p.lists = nil
				}
				for _, body := range p.bodies {
					q.hold(len(body))
				}
			}
			if !send(ctx, pages, p) || p.err != nil {
				return
			}
			if place += len(p.bodies); place == l.size() {
				break
			}
		}
	}
}

// page asks for the bodies from a place of a run on.
func (c *Client) page(ctx context.Context, l *lists, place int) ([][]byte, error) {
	anchor, index := l.at(place)
	q := request{
		kind: kindBodies, anchor: l.first + uint64(anchor), index: uint32(index),
		until: l.first + uint64(len(l.starts)-2),
	}
	body, err := c.exchange(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("messages of anchor %d from %d: %w", q.anchor, q.index, err)
	}
	return decodeBodies(body, l.size()-place)
}

// check decodes page after page and completes the anchors.
func (c *Client) check(ctx context.Context, q *queue, pages <-chan step) {
	for {
		var p step
		select {
		case p = <-pages:
		case <-ctx.Done():
			return
		}
		if p.lists == nil {
			q.end(p.err)
			return
		}
		if err := c.checkPage(p); err != nil {
			q.end(err)
			return
		}
		p.lists.deliver(q, p.from+len(p.bodies))
	}
}

// chunk is how many bodies a worker checks in one go.
const chunk = 64

func (c *Client) checkPage(p step) error {
	l := p.lists
	for a := l.delivered; a < len(l.anchors) && l.starts[a] < p.from+len(p.bodies); a++ {
		if v := &l.anchors[a]; v.Messages == nil {
			v.Messages = make([]*message.Message, len(v.Included))
		}
	}
	return parallel(len(p.bodies), chunk, func(i int) error {
		anchor, index := l.at(p.from + i)
		v := &l.anchors[anchor]
		m, err := c.body(p.bodies[i], v.Included[index])
		if err != nil {
			return invalidf(ReasonMessage, "message %d of anchor %d: %w", index, v.Commitment.Index, err)
		}
		v.Messages[index] = m
		return nil
	})
}

// body is the message that an entry of a believed list names.
func (c *Client) body(b []byte, entry Included) (*message.Message, error) {
	m, err := message.Decode(b)
	if err != nil {
		return nil, err
	}
	if m.ID() != entry.ID {
		return nil, fmt.Errorf("has ID %v, want %v", m.ID(), entry.ID)
	}
	if err := c.rules.Check(m); err != nil {
		return nil, err
	}
	if (m.Kind == message.KindTransfer) == (entry.Outcome == outcomeIncluded) {
		return nil, fmt.Errorf("a %v message with outcome %d", m.Kind, entry.Outcome)
	}
	return m, nil
}

// deliver gives on the anchors all of whose messages come before a place.
func (l *lists) deliver(q *queue, place int) {
	for ; l.delivered < len(l.anchors) && l.starts[l.delivered+1] <= place; l.delivered++ {
		v := l.anchors[l.delivered]
		l.anchors[l.delivered] = Verified{} // the consumer's alone
		q.push(v)
	}
}
