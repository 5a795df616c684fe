// Package localnet runs a whole network of real nodes on this machine.
//
// A Network has them in this process: on loopback TCP and the machine's disk for
// the demo and for benchmarks, or in memory for tests, where time may be fake. They
// form a ring with one chord, not a full mesh, so that messages travel more than
// one hop as they do in a city.
//
// A Process has one node in a process of its own, which can be killed: only so a
// node loses all that it has not written to its disk.
//
// # Errors
//
// Start and Restart return what node.Open and the edges return, with the
// member's name in front. A Process that ends by itself is an error, with the last
// line of its log; one that was killed or stopped is none.
package localnet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/genesis"
	"tangled/gossip"
	"tangled/node"
)

// Network is a running network.
type Network struct {
	Genesis *genesis.Genesis
	Members []*Member

	opts     Options
	swarmKey gossip.SwarmKey
}

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
	opts.ensureDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	n := &Network{opts: opts, swarmKey: gossip.NewSwarmKey()}
	if err := n.addMembers(); err != nil {
		return nil, err
	}
	n.Genesis = n.newGenesis()
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
		m := &Member{Name: fmt.Sprintf("node%d", i+1), Role: node.Middle, FS: n.opts.FS}
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

func (n *Network) newGenesis() *genesis.Genesis {
	g := &genesis.Genesis{
		Name:         n.opts.Name,
		Start:        time.Now().UTC(),
		Window:       n.opts.Window,
		DataBits:     n.opts.DataBits,
		TransferBits: genesis.DefaultTransferBits,
		WitnessBits:  genesis.DefaultWitnessBits,
		MaxIncluded:  genesis.DefaultMaxIncluded,
		Balances:     n.opts.Balances,
	}
	for _, m := range n.Members[:n.opts.Seats] {
		g.Committee = append(g.Committee, genesis.Seat{Key: [ed25519.PublicKeySize]byte(m.key[32:]), Weight: 1})
	}
	return g
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

// Restart starts a stopped member again on its data.
func (n *Network) Restart(ctx context.Context, m *Member) error { return n.start(ctx, m) }

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
