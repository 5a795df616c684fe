package gossip

import (
	"errors"
	"syscall"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

// The real transport, once: TCP on loopback with the swarm key. It waits for
// events, not for time.
func TestTCP(t *testing.T) {
	n := newTestNetwork(t)
	up := make(chan peer.ID, 2)
	node := func(i int) *testNode {
		node := n.node(i)
		node.options.Transports, node.options.Listen = nil, nil
		node.options.Connected = func(id peer.ID) { up <- id }
		node.options.Disconnected = nil
		return node
	}
	a, b := node(0), node(1)
	b.options.Peers = []peer.AddrInfo{{ID: testID(t, 0)}}
	b.open()
	a.options.Peers = []peer.AddrInfo{{ID: b.ID(), Addrs: b.Addrs()}}
	a.open()
	<-up
	<-up
	reply, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)})
	if err != nil || len(reply.Messages) != 0 {
		t.Fatalf("fetch over TCP: %v", err)
	}

	// The port is taken by b; SO_REUSEPORT would let both have it.
	c := node(2)
	c.options.Listen = b.Addrs()
	_, err = Open(t.Context(), c.options)
	var listenError *ListenError
	if !errors.As(err, &listenError) || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port in use: %v, want a *ListenError with EADDRINUSE", err)
	}
}
