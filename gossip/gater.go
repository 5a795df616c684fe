package gossip

import (
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// gater lets in whom the table allows. A peer is known only once the handshake
// is done, so an inbound connection is judged there; before it, the swarm key
// and the resource manager's limits are what keeps strangers off.
type gater struct{ peers *peerTable }

var _ connmgr.ConnectionGater = gater{}

func (g gater) InterceptPeerDial(p peer.ID) bool { return g.peers.allowed(p) }

func (g gater) InterceptAddrDial(p peer.ID, _ multiaddr.Multiaddr) bool { return g.peers.allowed(p) }

func (gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g gater) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.peers.allowed(p)
}

func (g gater) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.peers.allowed(c.RemotePeer()), 0
}
