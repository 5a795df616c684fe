package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tangled/gossip"
	"tangled/message"
)

// wide has n take in layers of messages, each on two of the layer before, as when
// many issue at once. It returns the layers.
func wide(t *testing.T, w *world, n *Node, layers, width int) [][]message.ID {
	t.Helper()
	below := []message.ID{w.genesis.ID()}
	var all [][]message.ID
	for layer := range layers {
		var ids []message.ID
		for i := range width {
			d := draft(n, reading(layer*width+i))
			d.Parents = []message.ID{below[i%len(below)]}
			if other := below[(i*7+3)%len(below)]; other != d.Parents[0] {
				d.Parents = append(d.Parents, other)
			}
			m := signed(t, keyOf(9), w.genesis.DataBits, d)
			if r, err := n.Submit(t.Context(), m.Bytes()); err != nil || r.State != Durable {
				t.Fatalf("Submit: %v, %v", r.State, err)
			}
			ids = append(ids, m.ID())
		}
		below, all = ids, append(all, ids)
	}
	return all
}

// TestNearby: of cones that are too many to be sent, what is wanted comes however
// old it is, and the newest of the rest.
func TestNearby(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		n := w.node(0)
		layers := wide(t, w, n, 10, 100)
		want := append(slices.Clone(layers[9][:50]), layers[0][7], layers[1][30])
		reply, err := n.serveFetch(t.Context(), peer.ID("asker"), gossip.FetchRequest{Want: want})
		if err != nil || !reply.Next.IsZero() || len(reply.Messages) > coneLimit || len(reply.Messages) < coneLimit-len(want) {
			t.Fatalf("%d messages, next %v, %v; want some %d, all", len(reply.Messages), reply.Next, err, coneLimit)
		}
		var got []message.ID
		for _, raw := range reply.Messages {
			m, err := message.Decode(raw)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.ID())
		}
		if !slices.IsSortedFunc(got, message.ID.Compare) {
			t.Error("not the oldest first")
		}
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("%v is wanted and does not come", id)
			}
		}
		for _, id := range layers[8][:50] {
			if !slices.Contains(got, id) {
				t.Errorf("%v is among the nearest and does not come", id)
			}
		}
		// What the peer has is newer here than what it wants, and is no answer.
		old := gossip.FetchRequest{Want: layers[3][:5], Have: layers[9]}
		if reply, err = n.serveFetch(t.Context(), peer.ID("other"), old); err != nil || len(reply.Messages) < 20 {
			t.Errorf("%d messages of old cones, %v; want what is nearest", len(reply.Messages), err)
		}
		if left := n.standingBudget(peer.ID("asker")); fetchBurst-left > 3*coneLimit {
			t.Errorf("it cost %v reads", fetchBurst-left)
		}
	})
}

// standingBudget is what a peer may still ask.
func (n *Node) standingBudget(of peer.ID) float64 {
	n.fetches.mu.Lock()
	defer n.fetches.mu.Unlock()
	return n.fetches.now(of, n.opts.Now()).left
}

// TestRepairOfWhatGossipLost: under load gossip loses messages here and there, of
// many at once, and their cones are the whole network. They are fetched, and hardly
// anything else is.
func TestRepairOfWhatGossipLost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		nodes := w.line(2)
		first := issue(t, nodes[0], reading(0))
		until(t, 10*time.Second, "both have the first", func() bool { return has(nodes[1], first) })
		time.Sleep(6 * time.Second) // an exchange of tips finds them equal
		lost, count := 0, 0
		if err := nodes[0].ask(t.Context(), func(l *loop) {
			announce := l.n.announce
			l.n.announce = func(raw []byte) {
				if count++; count%3 == 0 {
					lost++
					return
				}
				announce(raw)
			}
		}); err != nil {
			t.Fatal(err)
		}
		layers := wide(t, w, nodes[0], 30, 200)
		for i, ids := range layers {
			until(t, time.Minute, fmt.Sprintf("layer %d is at the other node", i), func() bool { return hasAll(nodes[1], ids) })
		}
		if lost < 1000 {
			t.Fatalf("only %d were lost", lost)
		}
		if fetched := int(testutil.ToFloat64(nodes[1].metrics.fetched)); fetched > 3*lost {
			t.Errorf("%d were fetched to have %d", fetched, lost)
		}
	})
}

// TestHistoryGoesOnAfterARefusal: a peer that was asked too much is asked again
// later, for what comes next.
func TestHistoryGoesOnAfterARefusal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		a := w.node(0)
		layers := wide(t, w, a, 30, 200)
		b := w.node(1) // no neighbour of it: nothing comes but what is asked for here
		var asked []gossip.FetchRequest
		b.askFetch = func(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			asked = append(asked, req)
			if len(asked)%2 == 0 {
				return gossip.FetchReply{}, fmt.Errorf("fetch: %w", gossip.ErrNoAnswer)
			}
			req.Since = 1
			reply, err := a.serveFetch(ctx, b.gossip.ID(), req)
			if err != nil || len(reply.Messages) <= 400 {
				return reply, err
			}
			// Shorter pages, so that there are some.
			m, err := message.Decode(reply.Messages[399])
			return gossip.FetchReply{Messages: reply.Messages[:400], Next: m.ID()}, err
		}
		top := layers[len(layers)-1]
		if !b.fetch(t.Context(), a.gossip.ID(), top, 1) {
			t.Error("the history did not come to its end")
		}
		for i, ids := range layers {
			if !hasAll(b, ids) {
				t.Errorf("layer %d is not here", i)
			}
		}
		for i := range asked[1:] {
			if asked[i+1].After.Compare(asked[i].After) < 0 {
				t.Errorf("request %d begins anew", i+1)
			}
		}

		// One that never answers is not asked for ever, nor one that never began to.
		for _, answers := range []int{0, 1} {
			asked = nil
			b.askFetch = func(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
				if asked = append(asked, req); len(asked) > answers {
					return gossip.FetchReply{}, gossip.ErrNoAnswer
				}
				return gossip.FetchReply{Next: top[0]}, nil
			}
			if b.fetch(t.Context(), a.gossip.ID(), top, 1) {
				t.Error("nothing came, and all is said to be here")
			}
			if want := answers*(1+historyRetries) + 1; len(asked) != want {
				t.Errorf("asked %d times, want %d", len(asked), want)
			}
		}
	})
}

// TestCrowdedNodeAsksForHistory: what would not fit the room for orphans comes in
// order, the oldest first.
func TestCrowdedNodeAsksForHistory(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		b, of := w.node(0), peer.ID("a")
		time.Sleep(2 * time.Minute) // the genesis is older then
		var since []uint64
		b.askFetch = func(_ context.Context, _ peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			since = append(since, req.Since)
			return gossip.FetchReply{}, errors.New("not now")
		}
		b.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) { return nil, nil }
		b.exchange(t.Context(), of) // they are equal
		b.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) {
			return []message.ID{message.NewID(uint64(time.Now().UnixNano()), [32]byte{1})}, nil
		}
		b.exchange(t.Context(), of)
		if len(since) != 1 || since[0] != 0 {
			t.Fatalf("a node that is with its peer asks for history since %v", since)
		}
		crowd(t, b, "other")
		b.exchange(t.Context(), of)
		if last := since[len(since)-1]; last != 0 {
			t.Error("who did not crowd it is asked for history")
		}
		b.exchange(t.Context(), "other")
		if last := since[len(since)-1]; last == 0 {
			t.Error("who crowds a node is asked for no history")
		}
	})
}

// crowd has a node hold so many orphans of a peer that half of the room for them is
// taken.
func crowd(t *testing.T, n *Node, of peer.ID) {
	t.Helper()
	var crowded bool
	for i := 0; !crowded; i++ {
		orphan(t, n, of, i, 1, 32_000)
		if err := n.ask(t.Context(), func(l *loop) { crowded = l.tangle.Crowds(of.String()) }); err != nil {
			t.Fatal(err)
		}
	}
}

// orphan has a node hold a peer's message of a size with parents that somebody made up,
// older than what may be on its way.
func orphan(t *testing.T, n *Node, of peer.ID, number, parents, size int) message.ID {
	t.Helper()
	at := uint64(time.Now().Add(-time.Minute).UnixNano())
	missing := []message.ID{n.rules.Genesis}
	content := append(make([]byte, size), byte(number), byte(number>>8))
	for i := range parents {
		missing = append(missing, message.NewID(at, [32]byte{byte(number), byte(number >> 8), byte(i)}))
	}
	slices.SortFunc(missing, message.ID.Compare)
	m := signed(t, keyOf(9), 0, message.Draft{
		Network: n.rules.Network, Timestamp: uint64(time.Now().UnixNano()), Parents: missing,
		Kind: message.KindData, Payload: (&message.Data{Topic: "t", Content: content}).Append(nil),
	})
	r, invalid, err := n.submitMany(t.Context(), [][]byte{m.Bytes()}, of.String(), false)
	if invalid != nil || err != nil || r[0].State != Orphan {
		t.Fatalf("submitMany: %v, %v, %v", r, invalid, err)
	}
	return m.ID()
}

// TestRepairEnds: a link whose peer is asked for parents again and again compares tips
// nevertheless.
func TestRepairEnds(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		n, of := w.node(0), peer.ID("a")
		time.Sleep(2 * time.Minute)
		asked := 0
		n.askFetch = func(context.Context, peer.ID, gossip.FetchRequest) (gossip.FetchReply, error) {
			if asked++; asked == 20 {
				return gossip.FetchReply{}, errors.New("no end")
			}
			orphan(t, n, of, asked, 1, 0)
			return gossip.FetchReply{}, nil
		}
		orphan(t, n, of, 0, 1, 0)
		n.repair(t.Context(), of)
		if asked != 1 {
			t.Errorf("asked %d times while one parent is missing at a time, want once", asked)
		}

		asked = 0
		n.askFetch = func(context.Context, peer.ID, gossip.FetchRequest) (gossip.FetchReply, error) {
			asked++
			time.Sleep(repairFor / 5)
			return gossip.FetchReply{}, nil
		}
		const parents = message.MaxParents - 1
		for i := range 20 * gossip.MaxFetchIDs / parents {
			orphan(t, n, of, 100+i, parents, 0)
		}
		n.repair(t.Context(), of)
		if asked < 5 || asked > 6 {
			t.Errorf("asked %d times in a row, want as often as %v allow", asked, repairFor)
		}
	})
}

// TestNoHistoryBeforeTheHorizon: a peer that was never met is not asked for what is too
// old to be taken, however long this node has been up.
func TestNoHistoryBeforeTheHorizon(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		n := w.node(0)
		time.Sleep(3 * w.genesis.Window)
		issue(t, n, reading(0)) // moves the ledger time, where there are no seats
		crowd(t, n, "a")
		var since, horizon uint64
		n.askFetch = func(_ context.Context, _ peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			since = req.Since
			return gossip.FetchReply{}, errors.New("not now")
		}
		n.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) {
			return []message.ID{message.NewID(uint64(time.Now().UnixNano()), [32]byte{1})}, nil
		}
		n.exchange(t.Context(), peer.ID("a"))
		if err := n.ask(t.Context(), func(l *loop) { horizon = l.tangle.Horizon() }); err != nil {
			t.Fatal(err)
		}
		if since != horizon || time.Since(time.Unix(0, int64(since))) > 2*w.genesis.Window {
			t.Errorf("history since %v, want %v", time.Unix(0, int64(since)), time.Unix(0, int64(horizon)))
		}
	})
}
