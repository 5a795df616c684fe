package gossip

import (
	"context"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// notifiee turns libp2p's notices of connections into sessions. libp2p waits for
// it, so it only notes.
type notifiee struct{ g *Gossip }

func (n notifiee) notifiee() *network.NotifyBundle {
	return &network.NotifyBundle{
		ConnectedF: func(_ network.Network, c network.Conn) {
			id := c.RemotePeer()
			if n.g.peers.connected(id, c) {
				n.g.sessionChanged(id)
			}
			if !n.g.peers.allowed(id) {
				// Removed or banned between the gater's look and now.
				n.g.hangUp(id)
			}
		},
		DisconnectedF: func(_ network.Network, c network.Conn) {
			if id := c.RemotePeer(); n.g.peers.disconnected(id) {
				n.g.sessionChanged(id)
			}
		},
	}
}

// sessionChanged wakes the peer's loop and the callbacks.
func (g *Gossip) sessionChanged(id peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d := g.diallers[id]; d != nil {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
	if g.opts.Connected == nil && g.opts.Disconnected == nil {
		return
	}
	g.untold[id] = struct{}{}
	select {
	case g.news <- struct{}{}:
	default:
	}
}

// tell calls Connected and Disconnected. It works from the table and not from a
// queue, so a peer that flaps while a callback blocks costs no memory.
func (g *Gossip) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.news:
		}
		g.mu.Lock()
		ids := g.untold
		g.untold = make(map[peer.ID]struct{})
		g.mu.Unlock()
		for id := range ids {
			if ctx.Err() != nil {
				return
			}
			g.tellOne(id)
		}
	}
}

func (g *Gossip) tellOne(id peer.ID) {
	down, up := g.peers.news(id)
	if down && g.opts.Disconnected != nil {
		g.opts.Disconnected(id)
	}
	if up && g.opts.Connected != nil {
		g.opts.Connected(id)
	}
}
