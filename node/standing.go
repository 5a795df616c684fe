package node

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/message"
)

// maxStandings bounds the peers of whom it is remembered what they have.
const maxStandings = 1024

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
	// offered are tips that it told at a ledger time and that are not solid here.
	offered   []message.ID
	offeredAt uint64
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
// that are not solid here, by notSolid. Once all of an offer are solid, so is all
// that the peer had then.
func (p *standings) compare(id peer.ID, tips []message.ID, at uint64, notSolid func([]message.ID) []message.ID) (pending []message.ID) {
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
		s.offered, s.offeredAt = pending, at
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

// since is the ledger time from which on a peer's history has what we lack. It is
// zero where we lack no more than what is on its way: after we once had all that
// the peer had, or, of one that was never met, all that another had.
func (p *standings) since(id peer.ID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.byPeer[id]; s.current || s.until == 0 && p.current {
		return 0
	}
	return p.untilLocked(id)
}

// until is the ledger time up to which we have all that a peer had then; never
// zero.
func (p *standings) until(id peer.ID) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.untilLocked(id)
}

func (p *standings) untilLocked(id peer.ID) uint64 {
	if s := p.byPeer[id]; s.until > 0 {
		return s.until
	}
	return max(1, p.rebuilt)
}
