package node

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
)

// link is what a node does with one neighbour: the state of its runLink.
type link struct {
	delay time.Duration // on the way, at least
	busy  bool          // it waits for an answer
	// exchangeAt is when to compare tips the next time.
	exchangeAt time.Duration
}

// join makes two hosts neighbours.
func (s *sim) join(a, b *host) {
	if a == b || a.links[b] != nil {
		return
	}
	delay := s.between(time.Millisecond, s.plan.delay)
	for _, pair := range [][2]*host{{a, b}, {b, a}} {
		pair[0].links[pair[1]] = &link{delay: delay}
		pair[0].neighbours = append(pair[0].neighbours, pair[1])
	}
}

// cutOff tells whether a partition is between two hosts.
func (s *sim) cutOff(a, b *host) bool { return s.parted && a.side != b.side }

// travel draws how long something takes to get to a neighbour, and whether it is
// lost.
func (h *host) travel(to *host) (d time.Duration, lost bool) {
	if l := h.links[to]; l != nil {
		d = l.delay
	}
	d += h.s.upTo(h.s.plan.delay / 2)
	if h.s.chance(50) {
		d += h.s.upTo(10 * h.s.plan.delay) // overtaken
	}
	return d, h.s.cutOff(h, to) || h.s.rng.IntN(1000) < h.s.plan.loss
}

// travelSure draws the time for what is sent again where it was lost.
func (h *host) travelSure(to *host) time.Duration {
	d, lost := h.travel(to)
	if lost {
		d += h.s.upTo(2 * time.Second)
	}
	return d
}

// send carries a frame to a neighbour.
func (h *host) send(to *host, f *frame) {
	for range 1 + h.s.rng.IntN(20)/19 { // now and then twice
		d, lost := h.travel(to)
		if lost {
			h.s.counts.lostFrames++
			continue
		}
		h.s.after(d, func() {
			if !h.s.cutOff(h, to) {
				to.hear(h, f)
			}
		})
	}
}

// linkUp has a link begin anew, by comparing tips.
func (h *host) linkUp(to *host) {
	h.links[to].exchangeAt = h.s.now + h.s.upTo(100*time.Millisecond)
	if h.n != nil {
		h.n.standings.linked(to.id)
	}
}

// linksOn looks every now and then whether something is to be asked of a
// neighbour, as runLink does.
func (h *host) linksOn() {
	h.later(missingEvery, func() {
		for _, to := range h.neighbours {
			if h.n != nil {
				h.lookAt(to)
			}
		}
		if h.n != nil {
			h.linksOn()
		}
	})
}

func (h *host) lookAt(to *host) {
	l, n := h.links[to], h.n // the node may go down in between
	switch {
	case l.busy || h.s.cutOff(h, to) || to.n == nil:
	case h.s.now >= l.exchangeAt:
		l.exchangeAt = h.s.now + exchangeEvery
		h.turn(l, func(ctx context.Context) { n.exchange(ctx, to.id) })
	case h.l.tangle.Stats().Orphans > 0:
		h.turn(l, func(ctx context.Context) {
			n.repair(ctx, to.id)
		})
	}
}

// turn runs one turn of a link.
func (h *host) turn(l *link, do func(ctx context.Context)) {
	l.busy = true
	h.spawn(do, func() { l.busy = false })
}

func (h *host) askTips(ctx context.Context, of peer.ID, ours []message.ID) ([]message.ID, error) {
	c := &call{of: of, tips: ours}
	err := h.ask(ctx, c)
	return c.theirs, err
}

func (h *host) askFetch(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
	req.Want, req.Have = slices.Clone(req.Want), slices.Clone(req.Have)
	c := &call{of: of, fetch: &req}
	err := h.ask(ctx, c)
	return c.reply, err
}

// carry brings a task's question to the peer and the answer back.
func (s *sim) carry(t *task) {
	h, c := t.h, t.call
	to := s.byID[c.of]
	there, back := h.travelSure(to), to.travelSure(h)
	reply := func(d time.Duration, err error) {
		s.after(d, func() {
			if t.call == c { // else its node went down
				h.answer(t, err)
			}
		})
	}
	s.after(there, func() {
		switch {
		case t.call != c:
		case s.cutOff(h, to):
			reply(s.between(time.Second, fetchTimeout), errCutOff)
		case to.n == nil:
			reply(back, errCutOff)
		default:
			s.serveCall(h, to, c)
			reply(back, c.err)
		}
	})
}

// serveCall has the peer answer.
func (s *sim) serveCall(h, to *host, c *call) {
	s.note("node %d asks node %d", h.index, to.index)
	if c.fetch == nil {
		c.theirs = to.l.tellTips(h.id)
		return
	}
	s.counts.fetches++
	c.reply, c.err = to.n.serveFetch(to.n.ctx, h.id, *c.fetch)
}
