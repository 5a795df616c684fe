package main

import (
	"crypto/ed25519"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/genesis"
	"tangled/gossip"
	"tangled/node"
)

// Bounds of a network that init makes.
const (
	// maxNodes keeps every node's ports in range.
	maxNodes = 1000
	// fullMesh is up to how many nodes everyone is everyone's neighbour: four
	// neighbours suffice for gossip.
	fullMesh = 5
	// portsPerNode is the distance between the ports of one node and the next.
	portsPerNode = 10

	gossipPort = 0
	mqttPort   = 1
	apiPort    = 2
	lastPort   = apiPort

	// maxSupply is what a genesis takes, and defaultSeats are the fewest that
	// tolerate a faulty one.
	maxSupply    = math.MaxInt64
	defaultSeats = 4
)

// plan is what the operator asked for.
type plan struct {
	Network    string
	Nodes      int
	Permanodes int
	Seats      int // the first so many nodes hold a seat each, of equal weight
	Window     time.Duration
	Host       string // IP address that the nodes gossip on
	BasePort   int
	Start      time.Time

	Bits, TransferBits, WitnessBits int // work of a data message, a transfer, a witness
	MaxIncluded                     int // messages that one anchor includes

	Balances []allotment // what addresses own at the start
	Supply   uint64      // what a key made for it owns at the start; zero is none
}

// validate tells what of the plan cannot be. The errors name flags.
func (p plan) validate() error {
	switch host, err := netip.ParseAddr(p.Host); {
	case err != nil || host.Zone() != "":
		return fmt.Errorf("--host %q: want an IP address", p.Host)
	case host.IsUnspecified():
		return fmt.Errorf("--host %s: neighbours dial this address: name one of this machine", p.Host)
	}
	switch {
	case p.Nodes < 1 || p.Nodes > maxNodes:
		return fmt.Errorf("--nodes %d: want 1..%d", p.Nodes, maxNodes)
	case p.Permanodes < 0 || p.Permanodes > p.Nodes:
		return fmt.Errorf("--permanodes %d: want 0..%d, the number of nodes", p.Permanodes, p.Nodes)
	case p.Seats < 1 || p.Seats > min(genesis.MaxSeats, p.Nodes):
		return fmt.Errorf("--seats %d: want 1..%d, one a node and %d in all", p.Seats, min(genesis.MaxSeats, p.Nodes), genesis.MaxSeats)
	case p.BasePort < 1024 || p.port(p.Nodes-1, lastPort) > math.MaxUint16:
		return fmt.Errorf("--base-port %d: want 1024..%d for %d nodes", p.BasePort,
			math.MaxUint16-p.port(p.Nodes-1, lastPort)+p.BasePort, p.Nodes)
	}
	g := p.genesis()
	if err := g.Validate(); err != nil {
		return err
	}
	if most := maxSupply - sumOf(p.Balances); p.Supply > most {
		return fmt.Errorf("--supply %d: want at most %d, so that all balances add up to less than 2^63", p.Supply, most)
	}
	return nil
}

func (p plan) port(node, which int) int { return p.BasePort + node*portsPerNode + which }

// genesis is what does not depend on keys that are still to be made.
func (p plan) genesis() *genesis.Genesis {
	g := &genesis.Genesis{
		Name: p.Network, Start: p.Start.UTC(), Window: p.Window,
		DataBits: p.Bits, TransferBits: p.TransferBits, WitnessBits: p.WitnessBits, MaxIncluded: p.MaxIncluded,
	}
	for _, b := range p.Balances {
		g.Balances = append(g.Balances, genesis.Balance{Address: b.address, Amount: b.amount})
	}
	return g
}

// member is one node of a planned network.
type member struct {
	name   string // of its folder
	id     peer.ID
	seat   int // its number on the committee, -1 for none
	keyPEM []byte
	config *config // with paths relative to its folder
}

// network is what init writes.
type network struct {
	genesis  *genesis.Genesis
	swarmKey gossip.SwarmKey
	members  []member
	treasury *treasury // nil where there is no supply
}

// build makes the keys and configs of a valid plan.
func (p plan) build() (*network, error) {
	n := &network{genesis: p.genesis(), swarmKey: gossip.NewSwarmKey(), members: make([]member, p.Nodes)}
	for i := range n.members {
		m := &n.members[i]
		key, err := m.identify(i)
		if err != nil {
			return nil, fmt.Errorf("make key of %s: %w", m.name, err)
		}
		if m.seat = -1; i < p.Seats {
			m.seat = i
			n.genesis.Committee = append(n.genesis.Committee, genesis.Seat{Key: publicKey(key), Weight: 1})
		}
	}
	for i := range n.members {
		c, err := p.memberConfig(i, n.members)
		if err != nil {
			return nil, err
		}
		n.members[i].config = c
	}
	if p.Supply > 0 {
		if err := n.endow(p.Supply); err != nil {
			return nil, err
		}
	}
	return n, n.genesis.Validate()
}

// identify names the i-th member and makes its key.
func (m *member) identify(i int) (ed25519.PrivateKey, error) {
	m.name = "node" + strconv.Itoa(i+1)
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if m.keyPEM, err = encodeKey(key); err != nil {
		return nil, err
	}
	m.id, err = peerIDOf(key)
	return key, err
}

func (p plan) memberConfig(i int, members []member) (*config, error) {
	c := defaultConfig()
	c.Role = node.Middle
	// The last ones, so that node1, which examples feed, is one of the workforce.
	if i >= p.Nodes-p.Permanodes {
		c.Role = node.Permanode
	}
	c.followRole()
	c.DataDir, c.Key = "data", keyFile
	c.Genesis, c.SwarmKey = "../"+genesisFile, "../"+swarmKeyFile
	listen, err := p.multiaddr(i)
	if err != nil {
		return nil, err
	}
	c.Gossip.Listen = []multiaddr.Multiaddr{listen}
	for _, j := range neighbours(i, p.Nodes) {
		a, err := p.multiaddr(j)
		if err != nil {
			return nil, err
		}
		id, err := multiaddr.NewComponent("p2p", members[j].id.String())
		if err != nil {
			return nil, err
		}
		c.Gossip.Peers = append(c.Gossip.Peers, a.AppendComponent(id))
	}
	c.MQTT.Listen = "127.0.0.1:" + strconv.Itoa(p.port(i, mqttPort))
	c.API.Listen = "127.0.0.1:" + strconv.Itoa(p.port(i, apiPort))
	return c, nil
}

func (p plan) multiaddr(i int) (multiaddr.Multiaddr, error) {
	host := netip.MustParseAddr(p.Host)
	family := "ip4"
	if host.Is6() && !host.Is4In6() {
		family = "ip6"
	}
	return multiaddr.NewMultiaddr(fmt.Sprintf("/%s/%s/tcp/%d", family, host.Unmap(), p.port(i, gossipPort)))
}

// neighbours are the nodes that node i of n is linked with, ascending: all of a
// small network; of a larger one those beside it on a ring and two a chord of
// about the square root of n away, which keeps paths short (at most about
// sqrt n) with four links a node. The relation is symmetric, since a node lets
// in only whom it lists.
func neighbours(i, n int) []int {
	steps := make([]int, 0, n)
	if n <= fullMesh {
		for s := 1; s < n; s++ {
			steps = append(steps, s)
		}
	} else {
		chord := max(2, int(math.Round(math.Sqrt(float64(n)))))
		steps = append(steps, 1, n-1, chord, n-chord)
	}
	for k := range steps {
		steps[k] = (i + steps[k]) % n
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}
