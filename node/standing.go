package node

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/message"
)

const (
	// maxStandings bounds the peers of whom it is remembered what they have.
	maxStandings = 1024
	// stuckAfter is how long an offer may take to be met before the history is read:
	// the time of three exchanges.
	stuckAfter = 3 * exchangeEvery
	// backAfter is the same of the first offer on a link that was down: at the next
	// exchange.
	backAfter = exchangeEvery / 2
)

// standings are how much we have of what each peer has, as far as is known. They
// tell a node that lacks what gossip lost here and there from one that was away.
type standings struct {
	mu     sync.Mutex
	byPeer map[peer.ID]standing
	// rebuilt is the ledger time at Open, or after a catch-up: what is older than
	// that was read from the store. Our own ledger time now would not do to catch up
	// from: where there are no seats our own first message moves it.
	rebuilt uint64
	// current is whether we caught up with anybody since.
	current bool
}

// standing is what is known of one peer, in ledger time.
type standing struct {
	until   uint64 // up to there we have all that it had; zero for rebuilt
	current bool   // it was so since the link to it began
	// offered are tips that it told at a ledger time, and at a time by our clock, and
	// that are not solid here.
	offered   []message.ID
	offeredAt uint64
	told      time.Time
}

// rebuild is told that the DAG was read from the store, up to a ledger time.
func (p *standings) rebuild(at uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rebuilt, p.current = at, false
	clear(p.byPeer)
}

// linked is told that a link to a peer begins: what the peer got meanwhile is not
// here.
func (p *standings) linked(id peer.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, ok := p.byPeer[id]; ok {
		p.byPeer[id] = standing{until: s.until}
	}
}

// compare is told the tips that a peer offers at a ledger time. It returns those
// that are not solid here, by notSolid. Once all of an offer are solid, so is all that
// the peer had then, but for tips that had no room in it and are offered later.
func (p *standings) compare(id peer.ID, tips []message.ID, at uint64, now time.Time, notSolid func([]message.ID) []message.ID) (pending []message.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.byPeer[id]
	if len(s.offered) > 0 {
		if s.offered = notSolid(s.offered); len(s.offered) == 0 {
			s.until, s.current = s.offeredAt, true
		}
	}
	// An offer stays until it is met: under load there is always something newer.
	switch pending = notSolid(tips); {
	case len(pending) == 0:
		s = standing{until: at, current: true}
	case len(s.offered) == 0:
		s.offered, s.offeredAt, s.told = pending, at, now
	}
	p.current = p.current || s.current
	if len(p.byPeer) >= maxStandings {
		clear(p.byPeer)
	}
	if p.byPeer == nil {
		p.byPeer = make(map[peer.ID]standing)
	}
	p.byPeer[id] = s
	return pending
}

// since is the ledger time from which on a peer's history has what we lack. It is zero
// where we lack only what is on its way or was lost here and there: after we once had
// all that this peer had, or another; unless an offer is not met for long, or there is
// no room to go on as before. While a link is down, what passes over it comes by others,
// if not both sides are cut off from each other: its offer is first seen to be met.
func (p *standings) since(id peer.ID, now time.Time, crowded bool) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.byPeer[id]
	patience := stuckAfter
	if s.until > 0 && !s.current {
		patience = backAfter
	}
	away := !s.current && !p.current
	stuck := len(s.offered) > 0 && now.Sub(s.told) > patience
	switch {
	case !away && !stuck && !crowded:
		return 0
	case s.until > 0:
		return s.until
	}
	return max(1, p.rebuilt)
}
