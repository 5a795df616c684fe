package node

import (
	"time"
)

// leavePatience is how long Close waits for a neighbour to build on what this
// node issued last.
const leavePatience = 2 * time.Second

// leave takes nothing more in from clients and waits until another issuer has
// approved what this node issued last, and so has it: durable here and queued for
// gossip is with nobody else yet, and would stay so until this node is back. It
// gives up after leavePatience, as where nobody issues.
func (n *Node) leave() {
	n.leaving.Store(true)
	n.flush()
	patience := time.NewTimer(leavePatience)
	defer patience.Stop()
	for len(n.connectedPeers()) > 0 {
		// Before the look: what is approved after it rings.
		next := n.tips.approved.wait()
		if !n.tips.hasOwn() {
			return
		}
		select {
		case <-next:
		case <-patience.C:
			return
		case <-n.done:
			return
		}
	}
}
