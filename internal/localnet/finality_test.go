package localnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/genesis"
	"tangled/message"
	"tangled/node"
)

// order reads the history of a member in finality order until everything
// acknowledged was in it.
func (c *city) order(m *Member, limit time.Duration) []string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	open := make(map[message.ID]bool, len(c.ids))
	for _, id := range c.ids {
		open[id] = true
	}
	var order []string
	var last node.Cursor
	for e, err := range m.Node.Follow(ctx, node.Cursor{}) {
		if err != nil {
			c.t.Fatalf("%s: %d of %d messages are not final: %v", m.Name, len(open), len(c.ids), err)
		}
		if e.Cursor.Anchor < last.Anchor || e.Cursor.Anchor == last.Anchor && e.Cursor.Index <= last.Index && last != (node.Cursor{}) {
			c.t.Fatalf("%s: %v after %v", m.Name, e.Cursor, last)
		}
		last = e.Cursor
		order = append(order, fmt.Sprint(e.Cursor, e.Message.ID()))
		if delete(open, e.Message.ID()); len(open) == 0 {
			break
		}
	}
	return order
}

// settleFinal waits until everything acknowledged is final on every member, at
// the same place on all.
func (c *city) settleFinal(limit time.Duration) {
	c.t.Helper()
	first := c.order(c.Members[0], limit)
	for _, m := range c.Members[1:] {
		if got := c.order(m, limit); !slices.Equal(got, first) {
			c.t.Errorf("%s has another order than %s", m.Name, c.Members[0].Name)
		}
	}
}

func (c *city) info(m *Member) node.Info {
	c.t.Helper()
	info, err := m.Node.Info(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return info
}

func TestEverythingBecomesFinal(t *testing.T) { everythingBecomesFinal(t, 7) }

// everythingBecomesFinal: neither lost connections nor a partition without a
// quorum on either side nor a seat that was away keep a message from becoming
// final, and every node has one order.
func everythingBecomesFinal(t *testing.T, seed uint64) {
	inBubble(t, Options{Middle: 6, Permanodes: 1}, func(c *city) {
		c.suffer(seed)
		c.settleFinal(3 * time.Minute)
	})
}

// TestSeats: who holds one, and what the network does without.
func TestSeats(t *testing.T) {
	for _, test := range []struct {
		opts Options
		want []int // the seat of each member
	}{
		{Options{Middle: 3, Permanodes: 1}, []int{0, 1, 2, -1}},
		{Options{Middle: 3, Permanodes: 1, Seats: 1}, []int{0, -1, -1, -1}},
		{Options{Middle: 1, Permanodes: 1, Seats: 2}, []int{0, 1}},
		{Options{Middle: 1, Permanodes: 1, Seats: NoSeats}, []int{-1, -1}},
	} {
		inBubble(t, test.opts, func(c *city) {
			var got []int
			for _, m := range c.Members {
				got = append(got, c.info(m).Seat)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%d seats of %d middle nodes: %v, want %v", test.opts.Seats, test.opts.Middle, got, test.want)
			}
			c.run(rand.New(rand.NewPCG(1, 0)), 5, nil)
			if anchors := c.info(c.Members[0]).Anchor; (anchors > 0) != (test.opts.Seats != NoSeats) {
				t.Errorf("%d seats, and %d anchors", test.opts.Seats, anchors)
			}
		})
	}
	for _, opts := range []Options{
		{Dir: "here", Middle: 2, Permanodes: 1, Seats: 4},
		{Dir: "here", Middle: 2, Seats: NoSeats - 1},
		{Dir: "here"},
		{Middle: 2},
	} {
		if _, err := Start(t.Context(), opts); err == nil {
			t.Errorf("%+v is taken", opts)
		}
	}
	opts := Options{Middle: 40, Permanodes: 1}
	if opts.ensureDefaults(); opts.Seats != genesis.MaxSeats {
		t.Errorf("%d seats of 40 middle nodes", opts.Seats)
	}
}

// TestSeatWithoutMemory: a seat that comes back has its memory from its disk, and
// where that is gone it may not begin like a new one.
func TestSeatWithoutMemory(t *testing.T) {
	inBubble(t, Options{Middle: 4, Permanodes: 1}, func(c *city) {
		t, r := c.t, rand.New(rand.NewPCG(1, 0))
		c.run(r, 5, nil)
		m := c.Members[3]
		restart := func() node.Info {
			t.Helper()
			if err := m.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.Restart(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			return c.info(m)
		}
		if restart().Silent {
			t.Error("the seat is silent although it has its disk")
		}
		c.run(r, 5, nil)
		m.FS = vfs.NewMem()
		if !restart().Silent {
			t.Error("the seat of a lost disk goes on as if it were new")
		}
		c.run(r, 30, nil)
		if c.info(m).Silent {
			t.Error("the seat is still silent")
		}
	})
}

func TestBalances(t *testing.T) {
	owner := message.Address{1}
	inBubble(t, Options{Middle: 1, Balances: []genesis.Balance{{Address: owner, Amount: 7}}}, func(c *city) {
		b, err := c.Members[0].Node.Balance(c.t.Context(), owner)
		if err != nil || b.Account.Balance != 7 {
			c.t.Errorf("balance %+v, %v", b, err)
		}
	})
}
