package node

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
)

// TestHistoryIsReadFromOnePeer: of several that have what a node lacks one is asked,
// and the next once that one has answered, or has had long enough.
func TestHistoryIsReadFromOnePeer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		n.askTips = func(context.Context, peer.ID, []message.ID) ([]message.ID, error) {
			return []message.ID{message.NewID(uint64(time.Now().UnixNano()), [32]byte{1})}, nil
		}
		var asked []peer.ID
		answer := make(map[peer.ID]chan struct{})
		n.askFetch = func(_ context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
			if req.Since == 0 {
				t.Errorf("%s is asked for no history", of)
			}
			asked = append(asked, of)
			<-answer[of]
			return gossip.FetchReply{}, errors.New("not now")
		}
		exchange := func(of peer.ID) {
			answer[of] = make(chan struct{})
			go n.exchange(t.Context(), of)
			synctest.Wait()
		}
		check := func(what string, want int) {
			t.Helper()
			if len(asked) != want {
				t.Errorf("%s: %v were asked, want %d", what, asked, want)
			}
		}
		exchange("a")
		exchange("b")
		check("while the first answers", 1)
		close(answer["a"])
		synctest.Wait()
		exchange("b")
		check("once it has", 2)
		time.Sleep(turnFor - 1)
		exchange("c")
		check("while the second has its turn", 2)
		time.Sleep(1)
		exchange("c")
		check("after its turn", 3)
		close(answer["b"]) // which takes nobody's turn away
		synctest.Wait()
		exchange("d")
		check("while the third has its turn", 3)
		close(answer["c"])
		synctest.Wait()
	})
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
