package gossip

import (
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// tracer counts what GossipSub does, and above all what it drops without a word.
// Its methods run on GossipSub's own loop: they count and return.
type tracer struct{ g *Gossip }

var _ pubsub.RawTracer = tracer{}

func (t tracer) OnNewOutboundStream(p peer.ID, _ protocol.ID) { t.g.peers.speaking(p, true) }
func (t tracer) OnClosedOutboundStream(p peer.ID)             { t.g.peers.speaking(p, false) }

func (t tracer) RecvRPC(rpc *pubsub.RPC) { t.count(rpc.From(), rpc, "in") }

func (t tracer) SendRPC(rpc *pubsub.RPC, p peer.ID) { t.count(p, rpc, "out") }

func (t tracer) count(p peer.ID, rpc *pubsub.RPC, direction string) {
	n := len(rpc.GetPublish())
	if n == 0 {
		return
	}
	t.g.metrics.frames.WithLabelValues(direction).Add(float64(n))
	if direction == "in" {
		t.g.peers.countFrames(p, n, 0)
	} else {
		t.g.peers.countFrames(p, 0, n)
	}
}

func (t tracer) DropRPC(rpc *pubsub.RPC, _ peer.ID) {
	t.g.metrics.drop(dropPeerQueue, len(rpc.GetPublish()))
	if rpc.Control != nil {
		t.g.metrics.drop(dropPeerControl, 1)
	}
}

func (t tracer) RejectMessage(m *pubsub.Message, reason string) {
	switch reason {
	case pubsub.RejectValidationQueueFull:
		t.g.metrics.drop(dropValidateQueue, 1)
	case pubsub.RejectValidationThrottled:
		t.g.metrics.drop(dropThrottle, 1)
	case pubsub.RejectUnexpectedSignature, pubsub.RejectUnexpectedAuthInfo,
		pubsub.RejectMissingSignature, pubsub.RejectInvalidSignature, pubsub.RejectSelfOrigin:
		t.g.metrics.drop(dropPolicy, 1)
		t.g.charge(m.ReceivedFrom, invalidPolicy, reason)
	}
}

func (t tracer) UndeliverableMessage(*pubsub.Message) { t.g.metrics.drop(dropDelivery, 1) }

func (tracer) Join(string)                      {}
func (tracer) Leave(string)                     {}
func (tracer) Graft(peer.ID, string)            {}
func (tracer) Prune(peer.ID, string)            {}
func (tracer) ValidateMessage(*pubsub.Message)  {}
func (tracer) DeliverMessage(*pubsub.Message)   {}
func (tracer) DuplicateMessage(*pubsub.Message) {}
func (tracer) ThrottlePeer(peer.ID)             {}
