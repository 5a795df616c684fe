package gossip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/internal/bubbletest"
)

func TestTwoNodes(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})

		for i := range 200 {
			a.Announce(testMessage(i))
		}
		b.Announce([]byte("from b"))
		time.Sleep(time.Second)
		for i := range 200 {
			if !b.has(testMessage(i)) {
				t.Fatalf("b lacks message %d", i)
			}
		}
		if !a.has([]byte("from b")) {
			t.Error("a lacks b's message")
		}
		if a.count() != 1 {
			t.Errorf("a judged %d messages, want only b's", a.count())
		}
		info := a.peerInfo(b.ID())
		if !info.Connected || info.FramesIn == 0 || info.FramesOut == 0 || !info.Neighbour || len(info.Addrs) == 0 {
			t.Errorf("a knows of b: %+v", info)
		}
	})
}

// Five nodes in a ring: most messages need two hops, so the mesh of every node
// must hold both its neighbours and forwarding must work.
func TestRingOfFive(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		n.net.SetLatency(5 * time.Millisecond)
		var nodes []*testNode
		for i := range 5 {
			nodes = append(nodes, n.node(i, (i+1)%5, (i+4)%5).open())
		}
		var pairs [][2]*testNode
		for i := range nodes {
			pairs = append(pairs, [2]*testNode{nodes[i], nodes[(i+1)%5]})
		}
		settle(t, pairs...)
		for i, node := range nodes {
			for k := range 100 {
				node.Announce(testMessage(1000*i + k))
			}
		}
		time.Sleep(500 * time.Millisecond) // less than a heartbeat: by the mesh alone
		for i, node := range nodes {
			if got := node.count(); got != 400 {
				t.Errorf("node %d judged %d messages, want 400", i, got)
			}
			for from := range nodes {
				for k := range 100 {
					if from != i && !node.has(testMessage(1000*from+k)) {
						t.Fatalf("node %d lacks message %d of node %d", i, k, from)
					}
				}
			}
		}
	})
}

// What a node does not accept goes no further.
func TestOnlyAcceptForwards(t *testing.T) {
	for _, tc := range []struct {
		name    string
		verdict Verdict
		reaches bool
		penalty bool
	}{
		{"accept", Accept, true, false},
		{"ignore", Ignore, false, false},
		{"reject", Reject, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				n := newTestNetwork(t)
				a, b, c := n.node(0, 1).open(), n.node(1, 0, 2).open(), n.node(2, 1).open()
				settle(t, [2]*testNode{a, b}, [2]*testNode{b, c})
				b.set(tc.verdict)
				a.Announce([]byte("x"))
				time.Sleep(5 * time.Second)
				if !b.has([]byte("x")) {
					t.Fatal("b was not asked")
				}
				if c.has([]byte("x")) != tc.reaches {
					t.Errorf("c has it: %t, want %t", !tc.reaches, tc.reaches)
				}
				if charged := b.peerInfo(a.ID()).Penalty > 0; charged != tc.penalty {
					t.Errorf("a was charged: %t, want %t", charged, tc.penalty)
				}
			})
		})
	}
}

// Nothing is forwarded while the node still works on it.
func TestForwardsAfterJudging(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b, c := n.node(0, 1).open(), n.node(1, 0, 2).open(), n.node(2, 1).open()
		settle(t, [2]*testNode{a, b}, [2]*testNode{b, c})
		durable := make(chan struct{})
		b.judge = func(ctx context.Context, _ [][]byte) { <-durable }
		a.Announce([]byte("x"))
		time.Sleep(5 * time.Second)
		if c.count() != 0 {
			t.Fatal("b forwarded what it had not judged")
		}
		close(durable)
		time.Sleep(time.Second)
		if c.count() != 1 {
			t.Error("b did not forward what it accepted")
		}
	})
}

func TestSessionsAreTold(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		n.net.Partition([]netip.Addr{testIP(0)})
		eventually(t, time.Minute, "apart", func() bool { return !a.connectedTo(b) })
		time.Sleep(time.Second)
		a.mu.Lock()
		defer a.mu.Unlock()
		got := strings.Join(a.sessions, ", ")
		if want := "up " + b.ID().String() + ", down " + b.ID().String(); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

func TestPartitionHeals(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		n.net.Partition([]netip.Addr{testIP(0)}, []netip.Addr{testIP(1)})
		eventually(t, time.Minute, "apart", func() bool { return !a.connectedTo(b) && !b.connectedTo(a) })
		time.Sleep(20 * time.Minute) // the longest back-off
		if a.connectedTo(b) {
			t.Fatal("connected across the partition")
		}
		if a.peerInfo(b.ID()).LastError == "" {
			t.Error("no word of why b is not reached")
		}
		n.net.Heal()
		eventually(t, 2*redialMax, "together", func() bool { return a.connectedTo(b) && b.connectedTo(a) })
		time.Sleep(3 * time.Second)
		a.Announce([]byte("after"))
		time.Sleep(time.Second)
		if !b.has([]byte("after")) {
			t.Error("gossip does not work after the partition")
		}
	})
}

// A link that breaks again and again within minutes must not end gossip over it.
func TestFlappingLink(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		for range 8 {
			settle(t, [2]*testNode{a, b})
			n.net.Cut(testIP(0), testIP(1))
			time.Sleep(time.Second)
		}
		settle(t, [2]*testNode{a, b})
		a.Announce([]byte("still"))
		time.Sleep(5 * time.Second)
		if !b.has([]byte("still")) {
			t.Error("gossip ended after the link broke eight times")
		}
	})
}

// GossipSub gives up on a peer whose stream broke four times while the connection
// stood. The node notices and reconnects.
func TestMutePeerReconnects(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		for range 6 {
			for _, c := range b.host.Network().ConnsToPeer(a.ID()) {
				for _, s := range c.GetStreams() {
					if strings.HasPrefix(string(s.Protocol()), "/meshsub/") && s.Stat().Direction == network.DirInbound {
						s.Reset()
					}
				}
			}
			time.Sleep(12 * time.Second)
		}
		time.Sleep(3 * muteLimit)
		if !a.connectedTo(b) {
			t.Fatal("not connected")
		}
		a.Announce([]byte("again"))
		time.Sleep(5 * time.Second)
		if !b.has([]byte("again")) {
			t.Error("a never speaks to b again")
		}
	})
}

func TestCloseTwice(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		a.judge = func(ctx context.Context, _ [][]byte) {
			<-ctx.Done()
			time.Sleep(time.Minute) // a commit under way takes what it takes
		}
		b.Announce([]byte("held"))
		time.Sleep(time.Second)
		a.close()
		if a.count() != 1 {
			t.Error("Close returned while a frame was judged")
		}
		a.close()
		if _, err := a.ExchangeTips(t.Context(), b.ID(), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
		a.Announce([]byte("too late"))
	})
}

func TestPortInUse(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		n.node(0).open()
		other := n.node(1)
		other.options.Listen = n.info(0).Addrs
		_, err := Open(t.Context(), other.options)
		var listenError *ListenError
		if !errors.As(err, &listenError) || !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatalf("got %v, want a *ListenError with EADDRINUSE", err)
		}
		if !listenError.Addr.Equal(n.info(0).Addrs[0]) {
			t.Errorf("names %s, want %s", listenError.Addr, n.info(0).Addrs[0])
		}
	})
}

// A node that stands still drops what its queue does not hold, counts it and
// charges nobody. What it judges at once is bounded.
func TestFullValidateQueue(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		durable := make(chan struct{})
		var running, most atomic.Int32
		b.judge = func(context.Context, [][]byte) {
			most.Store(max(most.Load(), running.Add(1)))
			<-durable
			running.Add(-1)
		}
		const frames, batch = judgeWorkers + validateQueue + 200, 100
		for i := range frames {
			a.sendRaw(appendFrame(nil, [][]byte{testMessage(i)}))
			if i%batch == 0 {
				time.Sleep(10 * time.Millisecond) // a's own queue to b must not fill
			}
		}
		time.Sleep(time.Second)
		if got := most.Load(); got != judgeWorkers {
			t.Errorf("%d frames were judged at once, want %d", got, judgeWorkers)
		}
		if got := counter(t, b.metrics.drops, dropValidateQueue); got != 200 {
			t.Errorf("%v frames dropped, want 200", got)
		}
		close(durable)
		time.Sleep(time.Second)
		if b.count() != judgeWorkers+validateQueue {
			t.Errorf("%d frames judged, want %d", b.count(), judgeWorkers+validateQueue)
		}
		if b.peerInfo(a.ID()).Penalty != 0 {
			t.Error("a full queue cost a point")
		}
	})
}

// A peer that takes nothing off its link costs the sender a bounded queue: the
// rest is dropped and counted, and announcing goes on for the others.
func TestSlowPeerDrops(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1, 2).open(), n.node(1, 0).open()
		slow := n.rawHost(2)
		ps, err := newPubSub(t.Context(), slow, a.topic.String(),
			pubsub.WithAppSpecificRpcInspector(func(_ peer.ID, rpc *pubsub.RPC) error {
				if len(rpc.GetPublish()) > 0 {
					<-t.Context().Done()
				}
				return nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		topic, err := ps.Join(a.topic.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := topic.Relay(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 2*redialMax, "slow peer connected", func() bool { return a.peerInfo(slow.ID()).Connected })
		settle(t, [2]*testNode{a, b})
		const frames = 3000
		for i := range frames {
			a.Announce(append(testMessage(i), make([]byte, 30_000)...))
			a.Flush()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := counter(t, a.metrics.drops, dropPeerQueue); got == 0 {
			t.Error("nothing was dropped for the slow peer")
		}
		if b.count() != frames {
			t.Errorf("the other peer got %d messages, want %d", b.count(), frames)
		}
	})
}
