package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/genesis"
	"tangled/ledger"
	"tangled/message"
)

// seated gives the world a committee of n equal seats, those of nodes 0 to n-1.
func (w *world) seated(n int) {
	for i := range n {
		w.genesis.Committee = append(w.genesis.Committee, genesis.Seat{Key: [32]byte(keyOf(i)[32:]), Weight: 1})
	}
}

// first are the options of a node that starts for the first time.
func (w *world) first(i int, fs vfs.FS) Options {
	opts := w.options(i, fs)
	opts.FirstStart = true
	return opts
}

// ring opens n nodes, each a neighbour of the next.
func (w *world) ring(n int) []*Node {
	var nodes []*Node
	for i := range n {
		nodes = append(nodes, w.open(w.first(i, vfs.NewMem())))
	}
	for i := range n {
		if n > 2 || i+1 < n {
			w.meet(nodes[i], nodes[(i+1)%n])
		}
	}
	return nodes
}

func isFinal(n *Node, id message.ID) bool {
	md, err := n.Metadata(context.Background(), id)
	return err == nil && md.Final != nil
}

func allFinal(nodes []*Node, ids ...message.ID) func() bool {
	return func() bool {
		for _, n := range nodes {
			if slices.ContainsFunc(ids, func(id message.ID) bool { return !isFinal(n, id) }) {
				return false
			}
		}
		return true
	}
}

// sameAnchors fails unless all nodes have the same commitments as far as they
// go.
func sameAnchors(t *testing.T, nodes []*Node) {
	t.Helper()
	for i, n := range nodes[1:] {
		last := min(n.LastAnchor(), nodes[0].LastAnchor())
		if last == 0 {
			t.Fatalf("node %d has no anchor", i+1)
		}
		for j := uint64(1); j <= last; j++ {
			a, errA := nodes[0].Anchor(j)
			b, errB := n.Anchor(j)
			if errA != nil || errB != nil || a.Commitment != b.Commitment {
				t.Fatalf("anchor %d: %v %v\n%+v\n%+v", j, errA, errB, a.Commitment, b.Commitment)
			}
		}
	}
}

// sameAnchorsFrom is sameAnchors where some nodes have pruned.
func sameAnchorsFrom(t *testing.T, nodes []*Node, from uint64) {
	t.Helper()
	for i, n := range nodes[1:] {
		last := min(n.LastAnchor(), nodes[0].LastAnchor())
		if last <= from {
			t.Fatalf("node %d is at anchor %d", i+1, last)
		}
		for j := from; j <= last; j++ {
			a, errA := nodes[0].Anchor(j)
			b, errB := n.Anchor(j)
			if errA != nil || errB != nil || a.Commitment != b.Commitment {
				t.Fatalf("anchor %d: %v %v\n%+v\n%+v", j, errA, errB, a.Commitment, b.Commitment)
			}
		}
	}
}

func TestOneSeatFinalises(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		n := w.open(w.first(0, vfs.NewMem()))
		id := issue(t, n, reading(1))
		f, err := n.WaitFinal(t.Context(), id)
		if err != nil || f.Outcome != uint8(ledger.Included) {
			t.Fatalf("%+v, %v", f, err)
		}
	})
}

func TestFourSeatsFinalise(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		nodes := w.ring(4)
		var ids []message.ID
		for i := range 40 {
			ids = append(ids, issue(t, nodes[i%4], reading(i)))
			time.Sleep(20 * time.Millisecond)
		}
		start := time.Now()
		until(t, 10*time.Second, "all final on all nodes", allFinal(nodes, ids...))
		t.Logf("final after %v", time.Since(start))
		sameAnchors(t, nodes)
	})
}

// TestFollowIsTheSameEverywhere: the order of final messages is one, and a
// cursor of one node goes on at another.
func TestFollowIsTheSameEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		nodes := w.ring(4)
		var ids []message.ID
		for i := range 30 {
			ids = append(ids, issue(t, nodes[i%4], reading(i)))
			time.Sleep(50 * time.Millisecond)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var orders [4][]message.ID
		for i := range nodes {
			var after Cursor
			// From one node to the next in the middle of it.
			for at := i; len(orders[i]) < len(ids); at++ {
				read := 0
				for e, err := range nodes[at%4].Follow(ctx, after) {
					if err != nil {
						t.Fatal(err)
					}
					after = e.Cursor
					if e.Message.Kind == message.KindData {
						orders[i] = append(orders[i], e.Message.ID())
						if read++; read == 11 || len(orders[i]) == len(ids) {
							break
						}
					}
				}
			}
			if !slices.Equal(orders[i], orders[0]) {
				t.Errorf("node %d has another order", i)
			}
		}
		slices.SortFunc(ids, message.ID.Compare)
		slices.SortFunc(orders[0], message.ID.Compare)
		if !slices.Equal(ids, orders[0]) {
			t.Error("the order misses or repeats messages")
		}
	})
}

// TestTransfersMoveOnce: two nodes take two spends of one nonce; every node
// applies the same one.
func TestTransfersMoveOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		owner, shop, friend := keyOf(100), message.Address{1}, message.Address{2}
		from := message.AddressOf([32]byte(owner[32:]))
		w.genesis.Balances = []genesis.Balance{{Address: from, Amount: 100}}
		nodes := w.ring(4)
		network := message.NetworkID(w.genesis.Network())
		spend := func(to message.Address) message.Transfer {
			t := message.Transfer{
				Nonce: 0, ValidUntil: ValidUntil(time.Now()), Outputs: []message.Output{{Address: to, Amount: 70}},
			}
			t.Sign(network, owner)
			return t
		}
		a, b := spend(shop), spend(friend)
		idA, errA := nodes[0].Transfer(t.Context(), a)
		idB, errB := nodes[2].Transfer(t.Context(), b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		until(t, 10*time.Second, "both final", allFinal(nodes, idA, idB))
		fateA, errA := nodes[0].TransferFate(a.ID(network))
		fateB, errB := nodes[0].TransferFate(b.ID(network))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		got := []ledger.Outcome{fateA.Outcome, fateB.Outcome}
		slices.Sort(got)
		if !slices.Equal(got, []ledger.Outcome{ledger.Applied, ledger.DoubleSpend}) {
			t.Errorf("outcomes %v", got)
		}
		for i, n := range nodes {
			sum := uint64(0)
			for _, address := range []message.Address{from, shop, friend} {
				balance, err := n.Balance(t.Context(), address)
				if err != nil {
					t.Fatal(err)
				}
				sum += balance.Account.Balance
			}
			left, err := n.Balance(t.Context(), from)
			if err != nil || left.Account.Balance != 30 || left.NextNonce != 1 || sum != 100 {
				t.Errorf("node %d: %+v, %v, sum %d", i, left, err, sum)
			}
		}
		sameAnchors(t, nodes)
	})
}

// TestProofVerifies: what any node proves, anyone can check.
func TestProofVerifies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		nodes := w.ring(4)
		var ids []message.ID
		for i := range 20 {
			ids = append(ids, issue(t, nodes[i%4], reading(i)))
			time.Sleep(100 * time.Millisecond)
		}
		for i, id := range ids {
			n := nodes[(i+1)%4]
			until(t, 10*time.Second, "proven", func() bool {
				_, err := n.Prove(t.Context(), id)
				if err != nil && !errors.Is(err, ErrNotFinal) && !errors.Is(err, ErrNotFound) {
					t.Fatal(err)
				}
				return err == nil
			})
			p, err := n.Prove(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			statement, err := p.Verify(w.genesis)
			if err != nil || statement.ID != id {
				t.Fatalf("message %d: %+v, %v", i, statement, err)
			}
		}
	})
}

// TestHalfOfTheSeats: with two of four seats nothing becomes final and data
// still flows; with one of them back finality resumes by itself, and nothing is
// lost.
func TestHalfOfTheSeats(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(4)
		disks := make([]vfs.FS, 4)
		dirs := make([]string, 4)
		nodes := make([]*Node, 4)
		open := func(i int) {
			opts := w.options(i, disks[i])
			opts.Dir, opts.FirstStart = dirs[i], nodes[i] == nil
			nodes[i] = w.open(opts)
		}
		for i := range nodes {
			disks[i], dirs[i] = vfs.NewMem(), t.TempDir()
			open(i)
		}
		for i := range nodes {
			for j := range i {
				w.meet(nodes[i], nodes[j])
			}
		}
		before := issue(t, nodes[0], reading(0))
		until(t, 10*time.Second, "first final", allFinal(nodes, before))
		for _, i := range []int{2, 3} {
			if err := nodes[i].Close(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		stopped := nodes[0].LastAnchor()
		var ids []message.ID
		for i := range 50 {
			ids = append(ids, issue(t, nodes[i%2], reading(i+1)))
			time.Sleep(200 * time.Millisecond)
		}
		if got := nodes[0].LastAnchor(); got != stopped {
			t.Fatalf("anchor %d after %d, with two of four seats", got, stopped)
		}
		if !hasAll(nodes[0], ids) || !hasAll(nodes[1], ids) {
			until(t, 5*time.Second, "data everywhere", func() bool { return hasAll(nodes[0], ids) && hasAll(nodes[1], ids) })
		}
		open(2)
		until(t, 10*time.Second, "finality resumed", allFinal(nodes[:3], ids...))
		sameAnchors(t, nodes[:3])
	})
}

// TestReplayEqualsLive: a node that is killed and opened again has the same
// anchors, and goes on.
func TestReplayEqualsLive(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		fs, dir := vfs.NewCrashableMem(), t.TempDir()
		opts := w.first(0, fs)
		opts.Dir = dir
		n := w.open(opts)
		var ids []message.ID
		for round := range 5 {
			for i := range 10 {
				ids = append(ids, issue(t, n, reading(round*100+i)))
				time.Sleep(37 * time.Millisecond)
			}
			last := n.LastAnchor()
			crashed := fs.CrashClone(vfs.CrashCloneCfg{})
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			fs = crashed
			again := w.options(0, fs)
			again.Dir = dir
			n = w.open(again)
			if got := n.LastAnchor(); got < last {
				t.Fatalf("anchor %d after %d", got, last)
			}
		}
		until(t, 10*time.Second, "all final", allFinal([]*Node{n}, ids...))
		for j := uint64(1); j <= n.LastAnchor(); j++ {
			if _, err := n.Anchor(j); err != nil {
				t.Fatal(fmt.Errorf("anchor %d: %w", j, err))
			}
		}
	})
}
