package main

import (
	"fmt"
	"testing"
	"time"

	"tangled/gossip/memnet"
	"tangled/internal/bubbletest"
	"tangled/internal/localnet"
	"tangled/message"
)

// inBubble runs a test on a demo's network in memory.
func inBubble(t *testing.T, test func(t *testing.T, n *localnet.Network)) {
	bubbletest.Run(t, func(t *testing.T) {
		n, err := localnet.Start(t.Context(), localnet.Options{
			Name: cityName, Middle: 4, Permanodes: 1, Memory: memnet.New(), Dir: t.TempDir(),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		time.Sleep(5 * time.Second) // until the neighbours are connected
		test(t, n)
	})
}

// TestLeave: what a node acknowledged right before it goes does not go with it.
func TestLeave(t *testing.T) {
	inBubble(t, func(t *testing.T, n *localnet.Network) {
		m := n.Members[lastSeat(n)]
		if m != n.Members[3] {
			t.Fatalf("the last seat is at %s", m.Name)
		}
		var ids []message.ID
		for i := range 20 {
			id, err := m.Node.Issue(t.Context(), message.Data{Topic: "a/b", Content: fmt.Append(nil, i)})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := leave(t.Context(), m.Node); err != nil {
			t.Fatal(err)
		}
		if err := m.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		for _, id := range ids {
			if _, err := n.Members[4].Node.Get(id); err != nil {
				t.Errorf("the permanode has no %v: %v", id, err)
			}
		}
	})
}

// TestLeaveIsBounded: a node that nobody hears any more goes all the same.
func TestLeaveIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, n *localnet.Network) {
		for _, m := range n.Members[:3] {
			if err := m.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		last := n.Members[lastSeat(n)].Node
		if _, err := last.Issue(t.Context(), message.Data{Topic: "a/b"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := leave(t.Context(), last); err != nil || time.Since(start) != leavePatience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
