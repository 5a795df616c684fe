package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tangled/genesis"
	"tangled/message"
)

func testPlan(nodes int) plan {
	return plan{
		Network: "florence", Nodes: nodes, Permanodes: 1, Seats: min(nodes, 4), Bits: 4, TransferBits: 4, MaxIncluded: 1000,
		Window: 30 * time.Minute,
		Host:   "127.0.0.1", BasePort: 7700, Start: time.Unix(1_780_000_000, 5),
	}
}

// Everyone must be reachable, a link must be listed at both ends, and nobody may
// have many more links than gossip needs.
func TestNeighbours(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 6, 7, 8, 9, 10, 25, 64, 100, 101, 1000} {
		reached := map[int]bool{0: true}
		edge := []int{0}
		for len(edge) > 0 {
			i := edge[0]
			edge = edge[1:]
			links := neighbours(i, n)
			if want := min(n-1, 4); len(links) != want {
				t.Errorf("%d nodes: node %d has %d links, want %d", n, i, len(links), want)
			}
			for _, j := range links {
				if j == i || j < 0 || j >= n {
					t.Fatalf("%d nodes: node %d is linked with %d", n, i, j)
				}
				if !slices.Contains(neighbours(j, n), i) {
					t.Errorf("%d nodes: %d lists %d and not the other way", n, i, j)
				}
				if !reached[j] {
					reached[j] = true
					edge = append(edge, j)
				}
			}
		}
		if len(reached) != n {
			t.Errorf("%d nodes: %d reached", n, len(reached))
		}
	}
}

func TestBuild(t *testing.T) {
	n, err := testPlan(12).build()
	if err != nil {
		t.Fatal(err)
	}
	ports := make(map[string]string)
	for _, m := range n.members {
		c := m.config
		for _, address := range []string{c.MQTT.Listen, c.API.Listen, c.Gossip.Listen[0].String()} {
			port := address[strings.LastIndexAny(address, ":/")+1:]
			if other, taken := ports[port]; taken {
				t.Errorf("%s and %s both have port %s", other, m.name, port)
			}
			ports[port] = m.name
		}
		for _, p := range c.Gossip.Peers {
			if strings.HasSuffix(p.String(), m.id.String()) {
				t.Errorf("%s is its own neighbour", m.name)
			}
		}
	}
	if len(ports) != 36 {
		t.Errorf("%d ports for 12 nodes, want 36", len(ports))
	}
	if r := n.members[11].config.Role; r != "permanode" {
		t.Errorf("the last node is %s", r)
	}
	if r := n.members[10].config.Role; r != "middle" {
		t.Errorf("the last but one is %s", r)
	}
}

// The genesis has what the operator asked for: the first nodes as seats, and
// nobody who owns anything but those named.
func TestBuildGenesis(t *testing.T) {
	p := testPlan(5)
	p.Seats, p.TransferBits, p.WitnessBits, p.MaxIncluded = 3, 5, 6, 777
	n, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	g := n.genesis
	if len(g.Committee) != 3 || len(g.Balances) != 0 || n.treasury != nil {
		t.Fatalf("got %+v", g)
	}
	for i, m := range n.members {
		key, err := decodeKey(m.keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		if i < 3 && (m.seat != i || g.Committee[i].Key != publicKey(key) || g.Committee[i].Weight != 1) || i >= 3 && m.seat != -1 {
			t.Errorf("%s has seat %d of %+v", m.name, m.seat, g.Committee)
		}
	}
	if g.DataBits != 4 || g.TransferBits != 5 || g.WitnessBits != 6 || g.MaxIncluded != 777 {
		t.Errorf("got %+v", g)
	}

	address := message.Address{7}
	p.Balances, p.Supply = []allotment{{address, 4}}, 1<<63-5
	if err := p.validate(); err != nil {
		t.Fatalf("the largest supply: %v", err)
	}
	if n, err = p.build(); err != nil {
		t.Fatal(err)
	}
	key, err := decodeKey(n.treasury.keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	want := []genesis.Balance{{Address: address, Amount: 4}, {Address: message.AddressOf(publicKey(key)), Amount: 1<<63 - 5}}
	if !slices.Equal(n.genesis.Balances, want) || n.treasury.address != want[1].Address {
		t.Errorf("got %+v, want %+v", n.genesis.Balances, want)
	}
}

func TestPlanRefusals(t *testing.T) {
	for want, change := range map[string]func(*plan){
		"--nodes 0":              func(p *plan) { p.Nodes = 0 },
		"--nodes 1001":           func(p *plan) { p.Nodes = 1001 },
		"--permanodes 4":         func(p *plan) { p.Permanodes = 4 },
		"--permanodes -1":        func(p *plan) { p.Permanodes = -1 },
		"--seats 0: want 1..3":   func(p *plan) { p.Seats = 0 },
		"--seats 4: want 1..3":   func(p *plan) { p.Seats = 4 },
		"--seats 32: want 1..31": func(p *plan) { p.Nodes, p.Seats = 40, 32 },
		"--supply 9223372036854775804: want at most 9223372036854775803": func(p *plan) {
			p.Balances, p.Supply = []allotment{{amount: 4}}, 1<<63-4
		},
		"genesis: balance 1 repeats":   func(p *plan) { p.Balances = []allotment{{amount: 4}, {amount: 5}} },
		"genesis: the balances add up": func(p *plan) { p.Balances = []allotment{{amount: 1 << 63}} },
		"genesis: transfer bits":       func(p *plan) { p.TransferBits = 41 },
		"genesis: witness bits":        func(p *plan) { p.WitnessBits = -1 },
		"genesis: max included":        func(p *plan) { p.MaxIncluded = 0 },
		"--base-port 80":               func(p *plan) { p.BasePort = 80 },
		"--base-port 65520":            func(p *plan) { p.BasePort = 65520 },
		"--host \"example.org\"":       func(p *plan) { p.Host = "example.org" },
		"--host 0.0.0.0":               func(p *plan) { p.Host = "0.0.0.0" },
		"genesis: name":                func(p *plan) { p.Network = "Florence!" },
		"genesis: window":              func(p *plan) { p.Window = time.Second },
		"genesis: data bits":           func(p *plan) { p.Bits = 99 },
	} {
		p := testPlan(3)
		change(&p)
		if err := p.validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p := testPlan(3)
	p.BasePort = 65513
	if err := p.validate(); err != nil {
		t.Errorf("the last possible base port: %v", err)
	}
	p.Host = "::1"
	a, err := p.multiaddr(2)
	if want := fmt.Sprintf("/ip6/::1/tcp/%d", 65533); err != nil || a.String() != want {
		t.Errorf("got %v, %v, want %s", a, err, want)
	}
}
