package localnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"tangled/gossip/memnet"
	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/node"
)

func TestEdges(t *testing.T) {
	for n, want := range map[int]string{
		1: "[]", 2: "[[0 1]]", 3: "[[0 1] [1 2] [2 0]]",
		5: "[[0 1] [1 2] [2 3] [3 4] [4 0] [0 2]]",
	} {
		if got := fmt.Sprint(Edges(n)); got != want {
			t.Errorf("%d nodes: %s, want %s", n, got, want)
		}
	}
}

// city is a network in memory under test, in a synctest bubble.
type city struct {
	*Network
	t   *testing.T
	net *memnet.Network
	ids []message.ID // acknowledged
}

// inBubble fills in what opts leave open and starts the network.
func inBubble(t *testing.T, opts Options, test func(*city)) {
	bubbletest.Run(t, func(t *testing.T) {
		mem := memnet.New()
		mem.SetLatency(15 * time.Millisecond)
		opts.Memory, opts.Dir, opts.DataBits = mem, t.TempDir(), 2
		n, err := Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		}()
		test(&city{Network: n, t: t, net: mem})
	})
}

// issue lets the i-th member, if it is running, issue a reading.
func (c *city) issue(i int) {
	m := c.Members[i%len(c.Members)]
	if m.Node == nil {
		return
	}
	id, err := m.Node.Issue(c.t.Context(), message.Data{
		Topic: "city/device/" + m.Name + "/air", Content: fmt.Appendf(nil, "%d", i),
	})
	if err != nil {
		c.t.Fatalf("%s: %v", m.Name, err)
	}
	c.ids = append(c.ids, id)
}

// lacks counts the acknowledged messages that a member does not have.
func (c *city) lacks(m *Member) (n int) {
	for _, id := range c.ids {
		if _, err := m.Node.Get(id); err != nil {
			n++
		}
	}
	return n
}

// run issues readings at random members, ten a second.
func (c *city) run(r *rand.Rand, seconds int, meanwhile func(tick int)) {
	for tick := range seconds * 10 {
		c.issue(r.IntN(len(c.Members)))
		if meanwhile != nil {
			meanwhile(tick)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// settle waits until every member has every message, and compares what they
// say of the DAG.
func (c *city) settle(limit time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for slices.ContainsFunc(c.Members, func(m *Member) bool { return c.lacks(m) > 0 }) {
		if time.Now().After(deadline) {
			for _, m := range c.Members {
				c.t.Errorf("%s lacks %d of %d messages", m.Name, c.lacks(m), len(c.ids))
			}
			c.t.FailNow()
		}
		time.Sleep(100 * time.Millisecond)
	}
	var first node.Info
	for i, m := range c.Members {
		info, err := m.Node.Info(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		if i == 0 {
			first = info
		}
		if info.Messages != uint64(len(c.ids)) || info.Tips != first.Tips || info.Newest != first.Newest || info.Orphans != 0 {
			c.t.Errorf("%s has %d messages, %d tips, %d orphans; %s %d messages, %d tips; %d acknowledged",
				m.Name, info.Messages, info.Tips, info.Orphans, c.Members[0].Name, first.Messages, first.Tips, len(c.ids))
		}
	}
}

func TestEveryMessageReachesEveryNode(t *testing.T) { everyMessageReachesEveryNode(t, 7) }

// everyMessageReachesEveryNode is about the DAG alone: without witnesses it comes
// to rest, and all nodes must then say the same of it.
func everyMessageReachesEveryNode(t *testing.T, seed uint64) {
	inBubble(t, Options{Middle: 6, Permanodes: 1, Seats: NoSeats}, func(c *city) {
		c.suffer(seed)
		c.settle(3 * time.Minute)
	})
}

// suffer runs a city of seven through lost connections, a partition and a
// restart.
func (c *city) suffer(seed uint64) {
	t, r := c.t, rand.New(rand.NewPCG(seed, 0))
	c.run(r, 10, nil)

	// Connections break while frames are under way: what was in them is lost.
	cuts := 0
	c.run(r, 20, func(tick int) {
		if tick%3 == 0 {
			e := Edges(len(c.Members))[r.IntN(len(Edges(len(c.Members))))]
			cuts += c.net.Cut(Addr(e[0]), Addr(e[1]))
		}
	})
	if cuts < 10 {
		t.Errorf("%d connections cut: the test shows little", cuts)
	}

	// Both sides of a partition go on alone.
	var left []netip.Addr
	for i := range 3 {
		left = append(left, Addr(i))
	}
	before := len(c.ids)
	c.net.Partition(left)
	c.run(r, 20, nil)
	apart := 0
	for _, id := range c.ids[before:] {
		_, a := c.Members[1].Node.Get(id)
		_, b := c.Members[4].Node.Get(id)
		if (a == nil) != (b == nil) {
			apart++
		}
	}
	if apart < 100 {
		t.Errorf("%d messages on one side alone: the partition did not part", apart)
	}
	c.net.Heal()

	// A member is away and comes back.
	away := c.Members[2]
	if err := away.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.run(r, 10, nil)
	if err := c.Restart(t.Context(), away); err != nil {
		t.Fatal(err)
	}
	c.run(r, 5, nil)
}
