package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"tangled/message"
	"tangled/node"
)

// propagation measures, for every data message, the time from being durable at its
// issuer to being durable at one permanode.
type propagation struct {
	delays *distribution

	mu     sync.Mutex
	half   map[message.ID]time.Time // seen at one of the two
	missed bool                     // a follower fell behind: not all is measured
}

func newPropagation() *propagation {
	return &propagation{delays: newDistribution(), half: make(map[message.ID]time.Time)}
}

// follow watches the messages that a middle node issues, or all that come to
// the permanode, until ctx or the node ends.
func (p *propagation) follow(ctx context.Context, n *node.Node, permanode bool) {
	info, err := n.Info(ctx)
	if err != nil {
		return
	}
	for {
		for e, err := range n.Tail(ctx) {
			if errors.Is(err, node.ErrLagging) {
				p.mu.Lock()
				p.missed = true
				p.mu.Unlock()
				break
			}
			if err != nil {
				return
			}
			if e.Message.Kind == message.KindData && (permanode || e.Message.Issuer == info.Issuer) {
				p.see(e.Message.ID(), e.Durable)
			}
		}
	}
}

// see notes when one of the two nodes had a message; the two may be told of in
// any order.
func (p *propagation) see(id message.ID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	other, ok := p.half[id]
	if !ok {
		p.half[id] = at
		return
	}
	delete(p.half, id)
	p.delays.add(at.Sub(other).Abs())
}

// complete tells whether every message was measured at both ends.
func (p *propagation) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.missed && len(p.half) == 0
}
