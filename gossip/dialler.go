package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
)

// Times of a neighbour's loop.
const (
	redialMin = time.Second
	redialMax = 30 * time.Second
	// steady is how long a session must last for the next wait to be short again:
	// a peer whose gater refuses us lets the handshake through and hangs up.
	steady = 10 * time.Second
	// politeness is how much later the peer with the greater ID makes its first
	// dial. Two neighbours that start together then have one connection, not two.
	politeness = 500 * time.Millisecond
	// muteLimit is how long a connected peer may be without a GossipSub stream.
	// After four broken streams in ten minutes GossipSub opens no other until the
	// peer reconnects (MaxBackoffAttempts), so a slow spell would leave a neighbour
	// deaf for good.
	muteLimit = time.Minute
)

// dialler is the loop of one neighbour.
type dialler struct {
	cancel context.CancelFunc
	// wake has a value after the peer connected or disconnected.
	wake chan struct{}
}

// startDiallerLocked begins a neighbour's loop unless it runs or the node is
// closing.
func (g *Gossip) startDiallerLocked(id peer.ID) {
	if g.diallers[id] != nil {
		return
	}
	ctx, cancel := context.WithCancel(g.ctx)
	d := &dialler{cancel: cancel, wake: make(chan struct{}, 1)}
	if g.work.start(func() { g.keep(ctx, id, d.wake) }) {
		g.diallers[id] = d
	} else {
		cancel()
	}
}

// keep dials a neighbour while it is not connected.
func (g *Gossip) keep(ctx context.Context, id peer.ID, wake <-chan struct{}) {
	var wait time.Duration
	if g.host.ID() > id {
		wait = politeness
	}
	backoff := redialMin
	for {
		if !sleep(ctx, wake, wait, g.peers.isConnected(id)) {
			return
		}
		if g.peers.isConnected(id) {
			began := time.Now()
			for g.peers.isConnected(id) {
				if !sleep(ctx, wake, 0, true) {
					return
				}
			}
			if time.Since(began) >= steady {
				backoff = redialMin
			}
		} else if banned := g.peers.bannedFor(id); banned > 0 {
			wait = banned
			continue
		} else {
			g.dial(ctx, id)
			if g.peers.isConnected(id) {
				wait = 0
				continue
			}
		}
		wait = backoff/2 + rand.N(backoff/2)
		backoff = min(2*backoff, redialMax)
	}
}

// sleep waits for a wait to pass or for news; with forever only for news. It
// tells whether the loop goes on.
func sleep(ctx context.Context, wake <-chan struct{}, wait time.Duration, forever bool) bool {
	if ctx.Err() != nil {
		return false
	}
	var due <-chan time.Time
	if !forever {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-due:
	}
	return true
}

// dial tries once to connect to a neighbour.
func (g *Gossip) dial(ctx context.Context, id peer.ID) {
	info, ok := g.peers.neighbour(id)
	if !ok {
		return
	}
	if len(info.Addrs) == 0 && len(g.host.Peerstore().Addrs(id)) == 0 {
		return // let in, not dialled
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	clearBackoff(g.host, id)
	g.host.Peerstore().AddAddrs(id, info.Addrs, peerstore.PermanentAddrTTL)
	if _, err := g.host.Network().DialPeer(ctx, id); err != nil && !errors.Is(err, context.Canceled) {
		err = explainDial(err)
		g.peers.dialFailed(id, err)
		g.log.Debug("neighbour not reached", "peer", id, "err", err)
	}
}

// explainDial says what a dial that ended in the handshake most likely means. A
// wrong swarm key has no error of its own: each side sees noise.
func explainDial(err error) error {
	if strings.Contains(err.Error(), "failed to negotiate security protocol") {
		return fmt.Errorf("handshake (does the peer have this network's swarm key?): %w", err)
	}
	return err
}

// watchMutes closes connections on which GossipSub gave up, so that the peers'
// loops make new ones.
func (g *Gossip) watchMutes(ctx context.Context) {
	ticker := time.NewTicker(muteLimit / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, id := range g.peers.mutes(muteLimit) {
			g.log.Info("peer has no gossip stream, reconnecting", "peer", id)
			g.host.Network().ClosePeer(id)
		}
	}
}
