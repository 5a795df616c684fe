package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"tangled/internal/localnet"
	"tangled/message"
	"tangled/node"
)

// percentiles are in milliseconds.
type percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// distribution counts durations in buckets that grow by 2 %, from 10 us to
// some minutes: its memory does not grow with the run, and a percentile is
// off by 1 % at most.
type distribution struct {
	mu      sync.Mutex
	buckets [1024]uint64
	total   uint64
}

const (
	bucketFirst  = float64(10 * time.Microsecond)
	bucketGrowth = 1.02
)

func newDistribution() *distribution { return new(distribution) }

func (d *distribution) add(v time.Duration) {
	i := int(math.Log(max(float64(v)/bucketFirst, 1)) / math.Log(bucketGrowth))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buckets[min(i, len(d.buckets)-1)]++
	d.total++
}

// quantile is the duration that a share q of all does not exceed; zero when
// there is none.
func (d *distribution) quantile(q float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	rank, seen := uint64(math.Ceil(q*float64(d.total))), uint64(0)
	for i, n := range d.buckets {
		if seen += n; n > 0 && seen >= rank {
			return time.Duration(bucketFirst * math.Pow(bucketGrowth, float64(i)+0.5))
		}
	}
	return 0
}

func (d *distribution) percentiles() percentiles {
	ms := func(v time.Duration) float64 { return math.Round(float64(v)/float64(time.Microsecond)) / 1000 }
	return percentiles{P50: ms(d.quantile(0.50)), P99: ms(d.quantile(0.99))}
}

// propagation measures, for every message, the time from being durable at its
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
// the permanode, until ctx ends.
func (p *propagation) follow(ctx context.Context, m, permanode *localnet.Member) {
	info, err := m.Node.Info(ctx)
	if err != nil || m.Role == node.Permanode && m != permanode {
		return
	}
	for {
		for e, err := range m.Node.Tail(ctx) {
			if errors.Is(err, node.ErrLagging) {
				p.mu.Lock()
				p.missed = true
				p.mu.Unlock()
				break
			}
			if err != nil {
				return
			}
			if m == permanode || e.Message.Issuer == info.Issuer {
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
