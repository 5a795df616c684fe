package node

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// fetchBurst and fetchRate bound what answering one peer may cost: reads of
	// the store at once, and a second in the long run. A peer that catches up
	// reads history as fast as it can check it; one that asks for the same over
	// and over does not get more.
	fetchBurst = 40_000
	fetchRate  = 10_000
	// maxBudgets bounds the peers that are remembered.
	maxBudgets = 1024
)

// budgets is what each peer may still ask of the store. A request is answered
// while anything is left, and then paid: what it costs is known only after it.
type budgets struct {
	mu     sync.Mutex
	byPeer map[peer.ID]budget
}

type budget struct {
	left float64
	at   time.Time
}

// mayAsk tells whether a peer has anything left.
func (b *budgets) mayAsk(id peer.ID, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now(id, now).left > 0
}

// pay takes the cost of an answer off a peer's budget.
func (b *budgets) pay(id peer.ID, now time.Time, reads int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byPeer == nil || len(b.byPeer) >= maxBudgets {
		b.byPeer = make(map[peer.ID]budget)
	}
	mine := b.now(id, now)
	mine.left -= float64(reads)
	b.byPeer[id] = mine
}

func (b *budgets) now(id peer.ID, now time.Time) budget {
	mine, ok := b.byPeer[id]
	if !ok {
		return budget{left: fetchBurst, at: now}
	}
	mine.left = min(fetchBurst, mine.left+fetchRate*max(0, now.Sub(mine.at).Seconds()))
	mine.at = now
	return mine
}
