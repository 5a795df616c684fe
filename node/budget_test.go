package node

import (
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// TestBudgets: a peer that asked for more than its share waits, others do not,
// and what it waits for is time.
func TestBudgets(t *testing.T) {
	var b budgets
	now := time.Unix(1, 0)
	greedy, modest := peer.ID("greedy"), peer.ID("modest")
	b.pay(greedy, now, fetchBurst+fetchRate)
	if b.mayAsk(greedy, now) {
		t.Error("a peer beyond its budget may ask")
	}
	if !b.mayAsk(modest, now) {
		t.Error("another peer pays for it")
	}
	if b.mayAsk(greedy, now.Add(time.Second)) {
		t.Error("a debt of a second is paid before that")
	}
	if !b.mayAsk(greedy, now.Add(1100*time.Millisecond)) {
		t.Error("the debt is never paid")
	}
	// Nobody saves up more than the burst, whatever the clock does.
	b.pay(greedy, now.Add(time.Hour), fetchBurst)
	if b.mayAsk(greedy, now.Add(time.Minute)) {
		t.Error("a clock set back gives a new budget")
	}
	for i := range 2 * maxBudgets {
		b.pay(peer.ID(rune(i)), now, 1)
	}
	if len(b.byPeer) > maxBudgets {
		t.Errorf("%d peers are remembered", len(b.byPeer))
	}
}

// TestServeFetchOverBudget: the budget is asked before the store is, and an
// answer is paid.
func TestServeFetchOverBudget(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		id := issue(t, n, reading(1))
		asker := peer.ID("asker")
		req := fetchFor(id)
		if reply, err := n.serveFetch(t.Context(), asker, req); err != nil || len(reply.Messages) != 1 {
			t.Fatalf("%d messages, %v", len(reply.Messages), err)
		}
		if left := n.fetches.now(asker, time.Now()).left; left >= fetchBurst {
			t.Error("the answer cost nothing")
		}
		n.fetches.pay(asker, time.Now(), fetchBurst)
		if _, err := n.serveFetch(t.Context(), asker, req); err != errOverBudget {
			t.Errorf("over budget: %v", err)
		}
	})
}
