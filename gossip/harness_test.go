package gossip

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/gossip/memnet"
	"tangled/message"
)

// testNetwork is n nodes' worth of keys and addresses on a memory network.
type testNetwork struct {
	t   *testing.T
	net *memnet.Network
	key SwarmKey
}

// testNode is a Gossip and what it was given.
type testNode struct {
	*Gossip
	t       *testing.T
	options Options

	mu       sync.Mutex
	verdict  Verdict
	got      [][]byte // messages in the order they were judged
	frames   []int    // messages in each judged frame
	sessions []string // "up ID", "down ID"
	judge    func(ctx context.Context, messages [][]byte)
}

func newTestNetwork(t *testing.T) *testNetwork {
	return &testNetwork{t: t, net: memnet.New(), key: SwarmKey{1, 2, 3}}
}

func testIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }

func testKey(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(i+1))
	return ed25519.NewKeyFromSeed(seed)
}

func testID(t testing.TB, i int) peer.ID {
	t.Helper()
	id, err := identity(testKey(i))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// info is how to reach node i.
func (n *testNetwork) info(i int) peer.AddrInfo {
	addr, err := multiaddr.NewMultiaddr(fmt.Sprintf("/ip4/%s/tcp/4001", testIP(i)))
	if err != nil {
		n.t.Fatal(err)
	}
	return peer.AddrInfo{ID: testID(n.t, i), Addrs: []multiaddr.Multiaddr{addr}}
}

// node builds node i, not yet open; peers are its neighbours' numbers.
func (n *testNetwork) node(i int, peers ...int) *testNode {
	node := &testNode{t: n.t, verdict: Accept}
	node.options = Options{
		Network:    [8]byte{0xca, 0xfe},
		Key:        testKey(i),
		SwarmKey:   n.key,
		Listen:     n.info(i).Addrs,
		Transports: []libp2p.Option{n.net.Transport(testIP(i))},
		Judge:      node.onJudge,
		ServeFetch: func(context.Context, peer.ID, FetchRequest) (FetchReply, error) { return FetchReply{}, nil },
		ServeTips:  func(context.Context, peer.ID, []message.ID) []message.ID { return nil },
		Connected:  func(id peer.ID) { node.note("up " + id.String()) },
		Disconnected: func(id peer.ID) {
			node.note("down " + id.String())
		},
	}
	for _, p := range peers {
		node.options.Peers = append(node.options.Peers, n.info(p))
	}
	return node
}

// open opens the node and closes it with the test.
func (n *testNode) open() *testNode {
	n.t.Helper()
	g, err := Open(n.t.Context(), n.options)
	if err != nil {
		n.t.Fatalf("open: %v", err)
	}
	n.Gossip = g
	n.t.Cleanup(func() { n.close() })
	return n
}

func (n *testNode) close() {
	n.t.Helper()
	if err := n.Gossip.Close(); err != nil {
		n.t.Errorf("close: %v", err)
	}
}

func (n *testNode) note(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sessions = append(n.sessions, s)
}

func (n *testNode) onJudge(ctx context.Context, _ peer.ID, messages [][]byte) Verdict {
	n.mu.Lock()
	judge := n.judge
	n.mu.Unlock()
	if judge != nil {
		judge(ctx, messages)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frames = append(n.frames, len(messages))
	n.got = append(n.got, messages...)
	return n.verdict
}

func (n *testNode) set(v Verdict) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.verdict = v
}

func (n *testNode) has(m []byte) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.got, func(g []byte) bool { return bytes.Equal(g, m) })
}

func (n *testNode) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.got)
}

// peerInfo is what the node knows of a peer; zero where that is nothing.
func (n *testNode) peerInfo(id peer.ID) PeerInfo {
	for _, p := range n.Peers() {
		if p.ID == id {
			return p
		}
	}
	return PeerInfo{}
}

func (n *testNode) connectedTo(other *testNode) bool { return n.peerInfo(other.ID()).Connected }

// eventually waits on the bubble's clock.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// settle lets nodes connect, identify each other and form the mesh.
func settle(t *testing.T, pairs ...[2]*testNode) {
	t.Helper()
	for _, p := range pairs {
		eventually(t, 2*redialMax, "connected", func() bool { return p[0].connectedTo(p[1]) && p[1].connectedTo(p[0]) })
	}
	time.Sleep(3 * time.Second) // heartbeats: grafts
}

// counter reads one counter or gauge by its labels.
func counter(t *testing.T, c prometheus.Collector, labels ...string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			var values []string
			for _, l := range m.Label {
				values = append(values, l.GetValue())
			}
			slices.Sort(values)
			want := slices.Sorted(slices.Values(labels))
			if slices.Equal(values, want) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func testMessage(i int) []byte { return fmt.Appendf(nil, "message %d", i) }

// rawHost is a libp2p host with node i's key and address and none of our code
// on it: what a peer with other code has.
func (n *testNetwork) rawHost(i int) host.Host {
	n.t.Helper()
	o := n.node(i).options
	o.Open = true
	if err := o.ensureDefaults(); err != nil {
		n.t.Fatal(err)
	}
	m, err := newMetrics(nil)
	if err != nil {
		n.t.Fatal(err)
	}
	known, err := openNeighbours("", nil, "")
	if err != nil {
		n.t.Fatal(err)
	}
	h, err := newHost(&o, newPeerTable(&o, known, m))
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { h.Close() })
	if err := listen(h, &o); err != nil {
		n.t.Fatal(err)
	}
	return h
}
