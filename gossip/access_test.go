package gossip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/internal/bubbletest"
)

func TestWrongSwarmKeyIsRefused(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0, 1).open()
		stranger := n.node(1, 0)
		stranger.options.SwarmKey = SwarmKey{9}
		stranger.open()
		time.Sleep(5 * time.Minute)
		if a.connectedTo(stranger) || stranger.connectedTo(a) {
			t.Fatal("connected with another swarm key")
		}
		if got := a.peerInfo(stranger.ID()).LastError; !strings.Contains(got, "swarm key") {
			t.Errorf("last error %q does not speak of the swarm key", got)
		}
	})
}

// Two networks with one swarm key stay apart: other topic, other protocol.
func TestOtherNetworkSharesNothing(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		b.options.Network = [8]byte{1}
		b.open()
		eventually(t, time.Minute, "connected", func() bool { return a.connectedTo(b) })
		time.Sleep(3 * time.Second)
		a.Announce([]byte("x"))
		time.Sleep(3 * time.Second)
		if b.count() != 0 {
			t.Error("a frame crossed to another network")
		}
		if _, err := a.ExchangeTips(t.Context(), b.ID(), nil); err == nil {
			t.Error("an exchange crossed to another network")
		}
		if a.peerInfo(b.ID()).Penalty != 0 {
			t.Error("a peer of another network was charged for it")
		}
	})
}

func TestUnlistedPeerIsRefused(t *testing.T) {
	for _, open := range []bool{false, true} {
		bubbletest.Run(t, func(t *testing.T) {
			n := newTestNetwork(t)
			a := n.node(0)
			a.options.Open = open
			a.open()
			b := n.node(1, 0).open()
			time.Sleep(time.Minute)
			if got := a.connectedTo(b); got != open {
				t.Fatalf("open %t: the unlisted peer is connected: %t", open, got)
			}
			_, err := a.ExchangeTips(t.Context(), b.ID(), nil)
			if open && err != nil {
				t.Errorf("open: %v", err)
			}
			if !open && !errors.Is(err, ErrNotListed) {
				t.Errorf("request to an unlisted peer: %v, want ErrNotListed", err)
			}
		})
	}
}

// A neighbour without an address is let in and not dialled.
func TestNeighbourWithoutAddress(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0)
		a.options.Peers = []peer.AddrInfo{{ID: testID(t, 1)}}
		a.open()
		time.Sleep(10 * time.Second)
		if got := a.peerInfo(testID(t, 1)); got.LastError != "" || got.Connected {
			t.Errorf("before: %+v", got)
		}
		b := n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
	})
}

// An added peer is a neighbour and a removed one is none, also after a restart,
// where the configuration still names it.
func TestRemovedPeerStaysRemoved(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0, 1)
		a.options.Dir = t.TempDir()
		a.open()
		b, c := n.node(1, 0).open(), n.node(2, 0).open()
		settle(t, [2]*testNode{a, b})
		if a.connectedTo(c) {
			t.Fatal("c is connected before it was added")
		}
		if err := a.AddPeer(n.info(2)); err != nil {
			t.Fatal(err)
		}
		settle(t, [2]*testNode{a, c})
		if err := a.RemovePeer(b.ID()); err != nil {
			t.Fatal(err)
		}
		bubbletest.Wait()
		if a.connectedTo(b) {
			t.Fatal("removing did not close the connection")
		}
		check := func(when string) {
			t.Helper()
			settle(t, [2]*testNode{a, c})
			time.Sleep(2 * time.Minute)
			if a.connectedTo(b) {
				t.Errorf("%s: the removed neighbour is connected", when)
			}
			if info := a.peerInfo(b.ID()); info.Neighbour {
				t.Errorf("%s: the removed neighbour is listed: %+v", when, info)
			}
		}
		check("before the restart")
		a.close()
		a.open()
		check("after the restart")
		a.close()
		a.options.Open = true
		a.open()
		check("open")
		if err := a.AddPeer(n.info(1)); err != nil {
			t.Fatal(err)
		}
		settle(t, [2]*testNode{a, b})
	})
}

func TestAddPeerRefuses(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0).open()
		if err := a.AddPeer(n.info(0)); err == nil {
			t.Error("added itself")
		}
		if err := a.AddPeer(peer.AddrInfo{}); err == nil {
			t.Error("added nobody")
		}
		for i := range maxNeighbours {
			if err := a.AddPeer(peer.AddrInfo{ID: testID(t, i+1)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.AddPeer(peer.AddrInfo{ID: testID(t, 5000)}); err == nil {
			t.Errorf("more than %d neighbours", maxNeighbours)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	n := newTestNetwork(t)
	for name, spoil := range map[string]func(*Options){
		"network":     func(o *Options) { o.Network = [8]byte{} },
		"key":         func(o *Options) { o.Key = o.Key[:10] },
		"swarm key":   func(o *Options) { o.SwarmKey = SwarmKey{} },
		"judge":       func(o *Options) { o.Judge = nil },
		"serve fetch": func(o *Options) { o.ServeFetch = nil },
		"serve tips":  func(o *Options) { o.ServeTips = nil },
		"peer":        func(o *Options) { o.Peers = []peer.AddrInfo{{}} },
		"invalid":     func(o *Options) { o.MaxInvalid = -1 },
		"ban":         func(o *Options) { o.Ban = time.Millisecond },
	} {
		o := n.node(0).options
		spoil(&o)
		if g, err := Open(t.Context(), o); err == nil {
			g.Close()
			t.Errorf("%s: opened", name)
		}
	}
}
