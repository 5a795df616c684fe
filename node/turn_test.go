package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"tangled/gossip"
	"tangled/message"
)

// TestTurn: one at a time, first come, first served; who brings nothing new has it for
// a while only, and who brings little on purpose not for ever.
func TestTurn(t *testing.T) {
	const a, b, c, d = peer.ID("a"), peer.ID("b"), peer.ID("c"), peer.ID("d")
	var turn turn
	now := time.Unix(1, 0)
	take := func(what string, id peer.ID, want bool) {
		t.Helper()
		if got := turn.take(id, now); got != want {
			t.Errorf("%s: the turn of %s: %v, want %v", what, id, got, want)
		}
	}
	take("nobody reads", a, true)
	take("a reads", b, false)
	take("a reads, b waits", c, false)
	turn.leave(a)
	take("two wait", a, false)
	take("two wait", c, false)
	take("two wait", b, true)

	now = now.Add(turnFor - 1)
	take("b brought nothing for a while", c, false)
	turn.goOn(a, now)
	now = now.Add(1)
	take("b brought nothing for long", a, false)
	take("b brought nothing for long", c, true)
	turn.leave(b)
	turn.leave(a)
	take("c reads, though b left", b, false)

	began := now
	for now.Sub(began) < turnMost-turnFor {
		now = now.Add(turnFor - 1)
		take("c brings something new", a, false)
		turn.goOn(c, now)
	}
	now = began.Add(turnMost - 1)
	take("c had not enough", d, false)
	take("c had not enough", a, false)
	now = began.Add(turnMost)
	take("a asked before, if b does not any more", d, false)
	take("c had enough", a, true)
	turn.leave(d)

	take("a reads", b, false)
	take("a reads", c, false)
	turn.leave(b)
	turn.leave(a)
	take("b does not want it any more", c, true)
}

// stubLinks has every peer of n offer what nobody has, and answer requests for
// messages by fetch.
func stubLinks(n *Node, fetch func(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error)) {
	n.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) {
		return []message.ID{message.NewID(uint64(time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC).UnixNano()), [32]byte{1})}, nil
	}
	n.askFetch = fetch
}

// TestNoPeerKeepsOthersFromBeingRead: one that answers with its tips and with nothing
// else is asked by a link that is always the first to ask again.
func TestNoPeerKeepsOthersFromBeingRead(t *testing.T) {
	for name, answersAfter := range map[string]time.Duration{
		"never answers":          2 * fetchTimeout,
		"answers before a tick":  exchangeEvery - 100*time.Millisecond,
		"answers after the tick": exchangeEvery + 100*time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				n := w.node(0)
				asked := make(chan peer.ID, 1000)
				stubLinks(n, func(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
					asked <- of
					select {
					case <-time.After(answersAfter):
					case <-ctx.Done():
					}
					return gossip.FetchReply{}, errors.New("not now")
				})
				n.connected("bad")
				time.Sleep(time.Second)
				n.connected("good")
				began := time.Now()
				for of := range asked {
					if of == "good" {
						break
					}
					if time.Since(began) > turnFor+exchangeEvery {
						t.Fatalf("only the bad one is asked for %v", time.Since(began))
					}
				}
			})
		})
	}
}

// TestHistoryIsReadOnce: a node that comes back to several neighbours is read what it
// lacks by one of them.
func TestHistoryIsReadOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		opts := w.options(0, vfs.NewMem())
		opts.Dir = t.TempDir()
		back, others := w.open(opts), []*Node{w.node(1), w.node(2), w.node(3), w.node(4)}
		nodes := append([]*Node{back}, others...)
		for i := range nodes {
			for _, other := range nodes[:i] {
				w.meet(nodes[i], other)
			}
		}
		allHave := func(nodes []*Node, id message.ID) {
			t.Helper()
			until(t, 10*time.Second, "all have it", func() bool {
				return !slices.ContainsFunc(nodes, func(n *Node) bool { return !has(n, id) })
			})
		}
		allHave(nodes, issue(t, others[0], reading(0)))
		if err := back.Close(); err != nil {
			t.Fatal(err)
		}
		const lacks = 2 * coneLimit
		var last message.ID
		for i := range lacks {
			last = issue(t, others[i%len(others)], reading(i))
			time.Sleep(10 * time.Millisecond)
		}
		allHave(others, last)
		back = w.open(opts)
		for _, n := range others {
			w.meet(back, n)
		}
		until(t, time.Minute, "it has the last", func() bool { return has(back, last) })
		time.Sleep(2 * exchangeEvery)
		if fetched := int(testutil.ToFloat64(back.metrics.fetched)); fetched < lacks || fetched > lacks+lacks/10 {
			t.Errorf("%d were fetched, want %d", fetched, lacks)
		}
	})
}

// TestHistoryIsReadFromOnePeer: others are not asked for it while one brings something
// new, however long, nor after it brought all that it offered; but where it brought
// nothing.
func TestHistoryIsReadFromOnePeer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		n, source := w.node(0), w.node(1) // strangers
		var ids []message.ID
		for i := range 4 {
			ids = append(ids, issue(t, source, reading(i)))
		}
		var asked []gossip.FetchRequest
		stubLinks(n, func(_ context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			asked = append(asked, req)
			if of != "source" {
				return gossip.FetchReply{}, errors.New("not now")
			}
			time.Sleep(turnFor / 2)
			at, found := slices.BinarySearchFunc(ids, req.After, message.ID.Compare)
			if found {
				at++
			}
			r, err := source.Get(ids[at])
			if err != nil {
				t.Error(err)
			}
			reply := gossip.FetchReply{Messages: [][]byte{r.Message.Bytes()}}
			if at < len(ids)-1 {
				reply.Next = ids[at]
			}
			return reply, nil
		})
		others := n.askTips
		n.askTips = func(ctx context.Context, of peer.ID, ours []message.ID) ([]message.ID, error) {
			if of == "source" {
				return ids[len(ids)-1:], nil
			}
			return others(ctx, of, ours)
		}
		n.exchange(t.Context(), "one")
		n.exchange(t.Context(), "other")
		if len(asked) != 2 || asked[1].Since == 0 {
			t.Fatalf("one brings nothing, and no other is asked for history: %d requests", len(asked))
		}
		asked = nil
		reading := make(chan struct{})
		go func() {
			n.exchange(t.Context(), "source")
			close(reading)
		}()
		for range len(ids) {
			time.Sleep(turnFor/2 - 1)
			n.exchange(t.Context(), "other")
		}
		<-reading
		n.exchange(t.Context(), "third")
		for i, req := range asked[:len(asked)-1] {
			if req.Since == 0 || i > 0 && req.After != ids[i-1] {
				t.Errorf("request %d, of another than the one that is read: %+v", i, req)
			}
		}
		if last := asked[len(asked)-1]; len(asked) != len(ids)+1 || last.Since != 0 {
			t.Errorf("%d requests, want %d, and the last for no history, but since %d", len(asked), len(ids)+1, last.Since)
		}
	})
}

// TestTurnIsForHistories: what was lost here and there is asked for whoever is being
// read.
func TestTurnIsForHistories(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n, of := w.node(0), peer.ID("a")
		n.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) { return nil, nil }
		n.exchange(t.Context(), of) // they are equal
		asked := 0
		stubLinks(n, func(_ context.Context, _ peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			if asked++; req.Since != 0 {
				t.Error("is asked for history")
			}
			return gossip.FetchReply{}, errors.New("not now")
		})
		if !n.history.take("other", n.opts.Now()) {
			t.Fatal("not the turn of who asks first")
		}
		n.exchange(t.Context(), of)
		if asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}

// TestWhoNeedsNoHistoryWaitsForNone: a link whose peer turns out to have nothing that
// others lack does not hold up those behind it.
func TestWhoNeedsNoHistoryWaitsForNone(t *testing.T) {
	for name, tips := range map[string][]message.ID{
		"nothing is lacking": nil,
		"one message is":     {message.NewID(uint64(time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC).UnixNano()), [32]byte{1})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				n := w.node(0)
				now := n.opts.Now()
				n.askTips = func(_ context.Context, of peer.ID, _ []message.ID) ([]message.ID, error) {
					if of == "equal" {
						return nil, nil
					}
					return tips, nil
				}
				n.askFetch = func(context.Context, peer.ID, gossip.FetchRequest) (gossip.FetchReply, error) {
					return gossip.FetchReply{}, errors.New("not now")
				}
				n.exchange(t.Context(), "equal") // who is with one peer is not away
				if !n.history.take("reads", now) || n.history.take("first", now) || n.history.take("second", now) {
					t.Fatal("not in the order of asking")
				}
				n.exchange(t.Context(), "first")
				n.history.leave("reads")
				if !n.history.take("second", now) {
					t.Error("held up by who needs no history")
				}
			})
		})
	}
}

// TestWhatWaitsHereIsNotFetched: of a peer's tips those are not asked for that wait
// here for parents, which are asked for by themselves, or for their time.
func TestWhatWaitsHereIsNotFetched(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		n, of := w.node(0), peer.ID("a")
		time.Sleep(2 * time.Minute) // the genesis is older than an orphan's parent then
		var tips, wanted []message.ID
		n.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) { return tips, nil }
		n.askFetch = func(_ context.Context, _ peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			wanted = req.Want
			return gossip.FetchReply{}, errors.New("not now")
		}
		n.exchange(t.Context(), of) // they are equal
		unknown := message.NewID(uint64(time.Now().UnixNano()), [32]byte{1})
		early := draft(n, reading(0))
		early.Timestamp = uint64(time.Now().Add(2 * holdAhead).UnixNano())
		held := signed(t, keyOf(9), w.genesis.DataBits, early)
		if _, invalid, err := n.submitMany(t.Context(), [][]byte{held.Bytes()}, of.String(), false); invalid != nil || err != nil {
			t.Fatalf("submitMany: %v, %v", invalid, err)
		}
		tips = []message.ID{unknown, orphan(t, n, of, 0, 1, 0), held.ID()}
		n.exchange(t.Context(), of)
		if len(wanted) != 1 || wanted[0] != unknown {
			t.Errorf("%v are asked for, want %v", wanted, unknown)
		}
	})
}
