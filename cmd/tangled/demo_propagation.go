package main

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
)

// propagation measures, for every data message, the time from being durable at its
// issuer to being durable at one permanode.
type propagation struct {
	delays *distribution

	mu     sync.Mutex
	half   map[message.ID]time.Time // seen at one of the two
	missed bool                     // a stream broke: not all is measured
}

func newPropagation() *propagation {
	return &propagation{delays: newDistribution(), half: make(map[message.ID]time.Time)}
}

type tailStream = grpc.ServerStreamingClient[tangledv1.TailResponse]

// watch follows, until ctx ends, the messages that each middle node issues and all
// that come to the permanode. It returns when nothing escapes it any more.
func (p *propagation) watch(ctx context.Context, c *city, group *sync.WaitGroup) error {
	for _, n := range c.nodes {
		request := new(tangledv1.TailRequest)
		if n.role == node.Middle {
			info, err := n.status(ctx)
			if err != nil {
				return err
			}
			request.Issuer = info.GetIssuer()
		} else if n != c.permanode() {
			continue
		}
		stream, err := openTail(ctx, n, request)
		if err != nil {
			return err
		}
		group.Go(func() { p.follow(ctx, n, request, stream) })
	}
	return nil
}

// openTail opens a stream that misses nothing from when this returns.
func openTail(ctx context.Context, n *demoNode, request *tangledv1.TailRequest) (tailStream, error) {
	stream, err := n.history.Tail(ctx, request)
	if err != nil {
		return nil, err
	}
	_, err = stream.Header()
	return stream, err
}

// follow reads a stream, and another when it breaks, until ctx ends or the node is
// stopped for good.
func (p *propagation) follow(ctx context.Context, n *demoNode, request *tangledv1.TailRequest, stream tailStream) {
	for {
		for {
			r, err := stream.Recv()
			if err != nil {
				break
			}
			if id := r.GetMessage().GetId(); len(id) == len(message.ID{}) {
				p.see(message.ID(id), time.Unix(0, int64(r.GetDurableNs())))
			}
		}
		if ctx.Err() != nil || n.stopped.Load() {
			return
		}
		p.miss()
		for err := error(nil); ; {
			if stream, err = openTail(ctx, n, request); err == nil {
				break
			}
			if pause(ctx, followAgain); ctx.Err() != nil {
				return
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

func (p *propagation) miss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed = true
}

// complete tells whether every message was measured at both ends.
func (p *propagation) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.missed && len(p.half) == 0
}
