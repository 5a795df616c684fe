package node

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
)

// task is what a real node has a goroutine for: it judges a frame, issues a
// message or asks a peer. Of all tasks of a simulation one runs at a time, and
// only while the scheduler serves it in the place of the verifiers and of the
// loop; so what it does is a function of the seed.
type task struct {
	h      *host
	out    chan struct{} // it asks a peer, or is over
	resume chan struct{} // the peer has answered
	call   *call
	over   bool // set by the task before it is out for the last time
	gone   bool // the scheduler knows
	parked bool // the scheduler knows that it asks a peer
	panic  any
	then   func() // by the scheduler, once it is over; not where its node went down
}

// call is what a task asks of a peer.
type call struct {
	of    peer.ID
	tips  []message.ID         // for an exchange of tips
	fetch *gossip.FetchRequest // else

	theirs []message.ID
	reply  gossip.FetchReply
	err    error
}

type taskKey struct{}

var (
	errCutOff = errors.New("simulation: no answer")
	errDown   = errors.New("simulation: the node is down")
)

// spawn runs do in a task, up to where it asks a peer for the first time.
func (h *host) spawn(do func(ctx context.Context), then func()) {
	t := &task{h: h, out: make(chan struct{}), resume: make(chan struct{}), then: then}
	h.tasks = append(h.tasks, t)
	ctx := context.WithValue(h.n.ctx, taskKey{}, t)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				t.panic = fmt.Sprintf("%v\n%s", p, debug.Stack())
			}
			t.over = true
			t.out <- struct{}{}
		}()
		do(ctx)
	}()
	h.serve(t)
}

// ask parks the task until the scheduler has an answer.
func (h *host) ask(ctx context.Context, c *call) error {
	t := ctx.Value(taskKey{}).(*task)
	t.call = c
	t.out <- struct{}{}
	<-t.resume
	return c.err
}

// serve does what the task wants of its node until it asks a peer, waits for its
// batch, or is over.
func (h *host) serve(t *task) {
	for !t.gone {
		if h.n == nil {
			// The task is told so wherever it looks.
			<-t.out
			h.left(t)
			return
		}
		select {
		case <-t.out:
			h.left(t)
			return
		case b := <-h.n.verify:
			if h.verify(t, b) {
				return
			}
		case b := <-h.n.intake:
			h.processOwn(b)
		case f := <-h.n.asks:
			f(h.l)
			h.settle()
		}
	}
}

// left deals with a task that asks a peer or is over.
func (h *host) left(t *task) {
	switch {
	case t.panic != nil:
		h.s.failf("node %d: %v", h.index, t.panic)
	case t.over:
		t.gone = true
		h.tasks = slices.DeleteFunc(h.tasks, func(other *task) bool { return other == t })
		if h.n != nil && t.then != nil {
			t.then()
		}
	case h.n == nil:
		h.answer(t, errDown)
	default:
		t.parked = true
		h.s.carry(t)
	}
}

// answer gives a parked task its answer.
func (h *host) answer(t *task, err error) {
	c := t.call
	t.call, t.parked, c.err = nil, false, err
	t.resume <- struct{}{}
	h.serve(t)
}

// endTasks ends what is parked, once the node is down. The task that is being
// served, if any, ends by itself.
func (h *host) endTasks() {
	for _, t := range slices.Clone(h.tasks) {
		switch {
		case t.parked:
			h.answer(t, errDown)
		case slices.Contains(h.waitingTasks, t):
			h.serve(t)
		}
	}
	h.waiting, h.waitingTasks = nil, nil
}

// verify takes a batch from the door. Of some frames the batch waits for others,
// so that the loop gets groups, and the task with it.
func (h *host) verify(t *task, b *batch) (parked bool) {
	h.s.saw(h, b.messages...)
	if b.sender == "" || b.fetched || !h.s.chance(4) {
		h.process(b)
		return false
	}
	h.waiting = append(h.waiting, b)
	h.waitingTasks = append(h.waitingTasks, t)
	if len(h.waiting) == 1 {
		h.later(h.s.upTo(30*time.Millisecond), h.processWaiting)
	}
	return true
}

// processWaiting gives the loop the batches that wait, in one group.
func (h *host) processWaiting() {
	h.process(h.waiting...)
	tasks := h.waitingTasks
	h.waiting, h.waitingTasks = nil, nil
	for _, t := range tasks {
		h.serve(t) // all of them only have to end
	}
}
