package parts

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"tangled/message"
	"tangled/tipselect"
)

// TipsResult tells what tip selection costs a message, on one core.
type TipsResult struct {
	Tips       int     `json:"tips"` // in the pool all the while
	Rounds     int     `json:"rounds"`
	Parents    float64 `json:"parents"`        // that a pick gave, on average
	PerMessage float64 `json:"us_per_message"` // pick, remove one, add one
}

const (
	tipsInPool = 10_000
	tipRounds  = 100_000
	// tipDelay makes the pool of the size that theory has for a message every apart
	// with two parents.
	tipDelay = tipsInPool * apart / 2
)

// Tips measures a round of tip selection with 10,000 tips in the pool at 10,000
// messages a second: to pick parents, to take one tip out and to put a new one in. It
// is the median of a few runs. The error is ctx's.
func Tips(ctx context.Context) (TipsResult, error) {
	result := TipsResult{Tips: tipsInPool, Rounds: tipRounds}
	p := newPool()
	picked := 0
	result.PerMessage = median(func() float64 {
		began := time.Now()
		for i := 0; i < tipRounds && ctx.Err() == nil; i += len(p.ids) {
			picked += p.turn()
		}
		return float64(time.Since(began).Nanoseconds()) / 1e3 / tipRounds
	})
	result.Parents = float64(picked) / (runs * tipRounds)
	return result, ctx.Err()
}

// pool is a selector in use.
type pool struct {
	selector *tipselect.Selector
	now      time.Time
	rng      *rand.Rand
	ids      []message.ID // for the next tips, each used once
	made     uint64
}

func newPool() *pool {
	rng := rand.New(rand.NewPCG(5, 6))
	p := &pool{selector: tipselect.New(tipselect.Options{Rand: rng}), now: time.Unix(0, forgedFrom), rng: rng}
	p.ids = make([]message.ID, 1_000)
	for range tipsInPool {
		p.add(p.id())
	}
	for i := range p.ids {
		p.ids[i] = p.id()
	}
	return p
}

func (p *pool) id() message.ID {
	p.made++
	var hash [32]byte
	binary.BigEndian.PutUint64(hash[:], p.made)
	return message.NewID(forgedFrom+p.made*uint64(apart), hash)
}

func (p *pool) add(id message.ID) {
	p.now = p.now.Add(apart)
	p.selector.Observe(tipDelay)
	p.selector.Add(tipselect.Tip{ID: id, Arrived: p.now, Delays: []time.Duration{0, 0}})
}

// turn is a round for each of the IDs, and returns how many parents were picked.
func (p *pool) turn() (picked int) {
	for i := range p.ids {
		parents := p.selector.Pick(p.now)
		picked += len(parents)
		p.selector.Remove(parents[0])
		p.add(p.ids[i])
		p.ids[i] = p.id()
	}
	p.selector.Expire(p.now)
	return picked
}
