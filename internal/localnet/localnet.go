// Package localnet runs a whole network of real nodes in one process: on
// loopback TCP and the machine's disk for the demo and for benchmarks, or in
// memory for tests, where time may be fake.
//
// The nodes form a ring with one chord, not a full mesh, so that messages
// travel more than one hop as they do in a city.
//
// # Errors
//
// Start and Restart return what node.Open and the edges return, with the
// member's name in front.
package localnet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/api"
	"tangled/genesis"
	"tangled/gossip"
	"tangled/gossip/memnet"
	"tangled/ingest"
	"tangled/node"
)

// Options describe a network. Middle or Permanodes must be above zero.
type Options struct {
	// Name is the network's name; "local" by default.
	Name string
	// Middle and Permanodes are how many nodes of each role there are; the
	// permanodes come last in the ring.
	Middle, Permanodes int
	// Dir is where the nodes keep their data, a folder each; with Memory only
	// their lists of neighbours.
	Dir string
	// Memory, if set, carries the traffic, and the nodes keep their data in
	// memory; nil means TCP on loopback and the machine's disk.
	Memory *memnet.Network
	// DataBits is the work of a data message; zero is zero here.
	DataBits int
	// Window is the genesis window; 30 minutes by default.
	Window time.Duration
	// Edges gives every middle node an MQTT broker and every node a gRPC
	// server, on free ports of loopback.
	Edges bool
	// Logger hears of what the nodes say; nil discards.
	Logger *slog.Logger
}

// Network is a running network.
type Network struct {
	Genesis *genesis.Genesis
	Members []*Member

	opts     Options
	swarmKey gossip.SwarmKey
}

// Member is one node with its edges. Node is nil while it is stopped; MQTT is
// nil on a permanode, and both edges are nil without Options.Edges.
type Member struct {
	Name string
	Role node.Role
	FS   vfs.FS
	Node *node.Node
	MQTT *ingest.Broker
	API  *api.Server

	key    ed25519.PrivateKey
	listen multiaddr.Multiaddr
}

// closeTimeout bounds how long the edges of a member may drain.
const closeTimeout = 10 * time.Second

// Edges lists the pairs of neighbours among n nodes: a ring and, from four
// nodes on, one chord.
func Edges(n int) [][2]int {
	var edges [][2]int
	for i := range n {
		if next := (i + 1) % n; next > i || n > 2 && next != i {
			edges = append(edges, [2]int{i, next})
		}
	}
	if n >= 4 {
		edges = append(edges, [2]int{0, n / 2})
	}
	return edges
}

// Start makes a new network and starts its nodes. The caller closes it.
func Start(ctx context.Context, opts Options) (*Network, error) {
	if opts.Name == "" {
		opts.Name = "local"
	}
	if opts.Window == 0 {
		opts.Window = genesis.DefaultWindow
	}
	if opts.Middle+opts.Permanodes < 1 || opts.Dir == "" {
		return nil, errors.New("localnet: no nodes, or no folder for them")
	}
	n := &Network{
		Genesis: &genesis.Genesis{
			Name:     opts.Name,
			Start:    time.Now().UTC(),
			Window:   opts.Window,
			DataBits: opts.DataBits,
		},
		opts:     opts,
		swarmKey: gossip.NewSwarmKey(),
	}
	if err := n.addMembers(); err != nil {
		return nil, err
	}
	for _, m := range n.Members {
		if err := n.start(ctx, m); err != nil {
			return nil, errors.Join(err, n.Close(ctx))
		}
	}
	for _, e := range Edges(len(n.Members)) {
		if err := introduce(ctx, n.Members[e[0]], n.Members[e[1]]); err != nil {
			return nil, errors.Join(err, n.Close(ctx))
		}
	}
	return n, nil
}

func (n *Network) addMembers() error {
	for i := range n.opts.Middle + n.opts.Permanodes {
		m := &Member{Name: fmt.Sprintf("node%d", i+1), Role: node.Middle, FS: vfs.Default}
		if i >= n.opts.Middle {
			m.Role = node.Permanode
		}
		address := "/ip4/127.0.0.1/tcp/0"
		if n.opts.Memory != nil {
			m.FS = vfs.NewMem()
			address = fmt.Sprintf("/ip4/%v/tcp/4001", Addr(i))
		}
		var err error
		if m.listen, err = multiaddr.NewMultiaddr(address); err != nil {
			return fmt.Errorf("address of %s: %w", m.Name, err)
		}
		if _, m.key, err = ed25519.GenerateKey(nil); err != nil {
			return fmt.Errorf("key of %s: %w", m.Name, err)
		}
		n.Members = append(n.Members, m)
	}
	return nil
}

// Addr is the address of the i-th member on a memory network.
func Addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte((i + 1) >> 8), byte(i + 1)})
}

// introduce makes two running members neighbours, now and after a restart.
func introduce(ctx context.Context, a, b *Member) error {
	for _, pair := range [][2]*Member{{a, b}, {b, a}} {
		info, err := pair[1].Node.Info(ctx)
		if err != nil {
			return fmt.Errorf("address of %s: %w", pair[1].Name, err)
		}
		if err := pair[0].Node.AddPeer(peer.AddrInfo{ID: info.PeerID, Addrs: info.Addrs}); err != nil {
			return fmt.Errorf("introduce %s to %s: %w", pair[1].Name, pair[0].Name, err)
		}
	}
	return nil
}

func (n *Network) start(ctx context.Context, m *Member) error {
	if err := n.open(ctx, m); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, errors.Join(err, m.Stop(ctx)))
	}
	return nil
}

func (n *Network) open(ctx context.Context, m *Member) (err error) {
	opts := node.Options{
		Dir:     filepath.Join(n.opts.Dir, m.Name),
		FS:      m.FS,
		Genesis: n.Genesis,
		Key:     m.key,
		Role:    m.Role,
		// The nodes share the machine: each with as many workers as there are
		// cores would only queue up behind one another.
		Workers: max(1, runtime.GOMAXPROCS(0)/len(n.Members)),
		Gossip:  gossip.Options{SwarmKey: n.swarmKey, Listen: []multiaddr.Multiaddr{m.listen}},
		Logger:  n.logger().With("node", m.Name),
	}
	if n.opts.Memory != nil {
		ip, err := m.listen.ValueForProtocol(multiaddr.P_IP4)
		if err != nil {
			return err
		}
		at, err := netip.ParseAddr(ip)
		if err != nil {
			return err
		}
		opts.Gossip.Transports = []libp2p.Option{n.opts.Memory.Transport(at)}
	}
	if m.Node, err = node.Open(ctx, opts); err != nil {
		return err
	}
	info, err := m.Node.Info(ctx)
	if err != nil {
		return err
	}
	m.listen = info.Addrs[0] // a restart comes back to the same port
	if !n.opts.Edges {
		return nil
	}
	if m.API, err = api.Open(ctx, m.Node, api.Options{Logger: opts.Logger}); err != nil {
		return err
	}
	if m.Role != node.Middle {
		return nil
	}
	m.MQTT, err = ingest.Listen(ctx, ingest.Options{
		Address: "127.0.0.1:0", Issuer: m.Node, Logger: opts.Logger, MaxConnectionsPerAddress: 1 << 14,
	})
	return err
}

func (n *Network) logger() *slog.Logger {
	if n.opts.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return n.opts.Logger
}

// Restart starts a stopped member again on its data.
func (n *Network) Restart(ctx context.Context, m *Member) error { return n.start(ctx, m) }

// Stop closes the member's edges, then its node. It may be called twice.
func (m *Member) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if m.MQTT != nil {
		errs = append(errs, m.MQTT.Close(ctx))
	}
	if m.API != nil {
		errs = append(errs, m.API.Close(ctx))
	}
	if m.Node != nil {
		errs = append(errs, m.Node.Close())
	}
	m.MQTT, m.API, m.Node = nil, nil, nil
	return errors.Join(errs...)
}

// Close stops every member.
func (n *Network) Close(ctx context.Context) error {
	var errs []error
	for _, m := range n.Members {
		if err := m.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", m.Name, err))
		}
	}
	return errors.Join(errs...)
}
