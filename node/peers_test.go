package node

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/gossip"
	"tangled/message"
)

// line starts n nodes in a row: each meets the next.
func (w *world) line(n int) []*Node {
	w.t.Helper()
	var nodes []*Node
	for i := range n {
		nodes = append(nodes, w.node(i))
		if i > 0 {
			w.meet(nodes[i-1], nodes[i])
		}
	}
	w.connect(nodes...)
	return nodes
}

func (w *world) connect(nodes ...*Node) {
	w.t.Helper()
	until(w.t, 60*time.Second, "every node has a peer", func() bool {
		for _, n := range nodes {
			if info(w.t, n).Peers == 0 {
				return false
			}
		}
		return true
	})
}

// TestNewNeighbourHearsAtOnce: nobody has to wait for the exchange of tips
// because a mesh is not formed yet.
func TestNewNeighbourHearsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.net.SetLatency(5 * time.Millisecond)
		nodes := w.line(2)
		time.Sleep(50 * time.Millisecond) // the neighbours tell each other their topics
		id := issue(t, nodes[0], reading(1))
		until(t, time.Second, "the neighbour has it", func() bool { return has(nodes[1], id) })
	})
}

func TestMessagesTravelOverSeveralHops(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.net.SetLatency(10 * time.Millisecond)
		nodes := w.line(4)
		time.Sleep(3 * time.Second) // heartbeats: GossipSub grafts its mesh
		var ids []message.ID
		for i := range 100 {
			ids = append(ids, issue(t, nodes[i%4], reading(i)))
		}
		start := time.Now()
		for i, n := range nodes {
			until(t, 3*time.Second, fmt.Sprintf("node %d has all", i), func() bool { return hasAll(n, ids) })
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v: gossip did not carry it, the exchange of tips did", took)
		}
		want := info(t, nodes[0])
		for _, n := range nodes[1:] {
			if got := info(t, n); got.Messages != want.Messages || got.Tips != want.Tips || got.Newest != want.Newest || got.Orphans != 0 {
				t.Errorf("a node ends with %+v, the first with %+v", got, want)
			}
		}
	})
}

// TestLateJoinerFetchesThePast: what was gossiped before a node came is
// fetched, ancestors and all.
func TestLateJoinerFetchesThePast(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.node(0)
		var ids []message.ID
		for i := range 300 {
			ids = append(ids, issue(t, a, reading(i)))
		}
		b := w.node(1)
		w.meet(a, b)
		until(t, 10*time.Second, "the joiner has all", func() bool { return hasAll(b, ids) })
		if got := info(t, b); got.Orphans != 0 || got.Messages != 300 {
			t.Errorf("the joiner: %+v", got)
		}
	})
}

// TestAcknowledgedBeforeAKillReachesTheOthers: a message that was acknowledged
// and never left the node reaches the others after a restart.
func TestAcknowledgedBeforeAKillReachesTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := vfs.NewCrashableMem()
		opts := w.options(0, fs)
		a := w.open(opts)
		ids := []message.ID{issue(t, a, reading(1)), issue(t, a, reading(2))}
		again := w.options(1, fs.CrashClone(vfs.CrashCloneCfg{}))
		again.Key, again.Dir = opts.Key, a.opts.Dir
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		b, c := w.open(again), w.node(2)
		w.meet(b, c)
		until(t, 10*time.Second, "the neighbour has them", func() bool { return hasAll(c, ids) })
	})
}

// TestUnapproved: what is announced again at Open is our own and has no child
// of another issuer.
func TestUnapproved(t *testing.T) {
	u := unapproved{issuer: message.Issuer(keyOf(1)[32:]), own: map[message.ID]*message.Message{}}
	make := func(key, at int, parents ...message.ID) *message.Message {
		m := signed(t, keyOf(key), 0, message.Draft{
			Timestamp: uint64(at), Parents: parents, Kind: message.KindData,
			Payload: (&message.Data{Topic: "t"}).Append(nil),
		})
		u.see(m)
		return m
	}
	first := make(1, 10, message.ID{})
	second := make(1, 20, first.ID())   // our own child counts for nothing
	third := make(1, 25, first.ID())    // approved below
	make(2, 30, first.ID(), third.ID()) // somebody else's
	if len(u.own) != 1 || u.own[second.ID()] == nil {
		t.Errorf("%d messages to announce, want the second alone", len(u.own))
	}
}

// TestPartitionHeals: both sides go on alone and are one DAG again afterwards.
func TestPartitionHeals(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		nodes := w.line(4)
		time.Sleep(3 * time.Second)
		w.net.Partition([]netip.Addr{addrOf(0), addrOf(1)}, []netip.Addr{addrOf(2), addrOf(3)})
		var ids []message.ID
		for i := range 200 {
			ids = append(ids, issue(t, nodes[i%4], reading(i)))
			time.Sleep(100 * time.Millisecond)
		}
		if hasAll(nodes[0], ids) || hasAll(nodes[3], ids) {
			t.Fatal("the partition let messages through")
		}
		w.net.Heal()
		for i, n := range nodes {
			until(t, 2*time.Minute, fmt.Sprintf("node %d has both sides", i), func() bool { return hasAll(n, ids) })
		}
	})
}

// TestLongAbsence: a node that missed more than one answer holds is read the
// history page by page.
func TestLongAbsence(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		a := w.node(0)
		var last message.ID
		for i := range coneLimit + 100 {
			last = issue(t, a, reading(i))
		}
		b := w.node(1)
		w.meet(a, b)
		until(t, time.Minute, "the joiner has the newest", func() bool { return has(b, last) })
		if got := info(t, b); got.Messages != coneLimit+100 || got.Orphans != 0 {
			t.Errorf("the joiner: %+v", got)
		}
	})
}

// TestLongAbsenceOfAnIssuer: both sides went on issuing, each more than one
// answer holds, and the one that comes back issues before it has caught up.
func TestLongAbsenceOfAnIssuer(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.genesis.DataBits = 0
		nodes := w.line(2)
		both := issue(t, nodes[0], reading(0))
		until(t, 10*time.Second, "both have the first", func() bool { return hasAll(nodes[1], []message.ID{both}) })
		time.Sleep(6 * time.Second) // an exchange of tips finds them equal
		w.net.Partition([]netip.Addr{addrOf(0)}, []netip.Addr{addrOf(1)})
		var ids []message.ID
		// More than the last seconds' worth above the limit: what those lack must
		// not fit one answer either.
		for i := range coneLimit + 5_000 {
			ids = append(ids, issue(t, nodes[0], reading(i)))
			if i%100 == 0 {
				ids = append(ids, issue(t, nodes[1], reading(i)))
				time.Sleep(time.Second)
			}
		}
		w.net.Heal()
		ids = append(ids, issue(t, nodes[1], reading(1)))
		for i, n := range nodes {
			until(t, 3*time.Minute, fmt.Sprintf("node %d has all", i), func() bool {
				return n.store.Count() > uint64(len(ids)) && hasAll(n, ids)
			})
		}
	})
}

// TestRestartWithARootParent: a message whose parent was never here, and older
// than the window, is solid; after a restart it still is.
func TestRestartWithARootParent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		fs := vfs.NewMem()
		opts := w.options(0, fs)
		n := w.open(opts)
		opts.Dir = n.opts.Dir
		time.Sleep(2 * w.genesis.Window)
		issue(t, n, reading(1))
		d := draft(n, reading(2))
		lost := message.NewID(uint64(time.Now().Add(-w.genesis.Window-6*time.Second).UnixNano()), [32]byte{1})
		d.Parents = []message.ID{lost, d.Parents[0]}
		d.Timestamp = uint64(time.Now().UnixNano()) - 1
		d.Parents[1] = w.genesis.ID()
		m := signed(t, keyOf(9), w.genesis.DataBits, d)
		if r, err := n.Submit(t.Context(), m.Bytes()); err != nil || r.State != Durable {
			t.Fatalf("with a root parent: %v, %v", r.State, err)
		}
		issue(t, n, reading(3))
		before := info(t, n)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		after := info(t, w.open(opts))
		if after.Orphans != 0 || after.Messages != before.Messages || after.Vertices != before.Vertices {
			t.Errorf("after the restart %+v, before %+v", after, before)
		}
	})
}

// TestManyTipsAreAllTold: tips beyond what one exchange holds have their turn.
func TestManyTipsAreAllTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a := w.node(0)
		var ids []message.ID
		for i := range 3 * exchangeTips {
			d := draft(a, reading(i))
			d.Parents = []message.ID{w.genesis.ID()}
			m := signed(t, keyOf(9), w.genesis.DataBits, d)
			if r, err := a.Submit(t.Context(), m.Bytes()); err != nil || r.State != Durable {
				t.Fatalf("Submit: %v, %v", r.State, err)
			}
			ids = append(ids, m.ID())
		}
		b := w.node(1)
		w.meet(a, b)
		until(t, time.Minute, "the neighbour has every tip", func() bool { return hasAll(b, ids) })
	})
}

// TestJudgeFrame: one bad message rejects the frame, its good ones are taken
// all the same; a frame without news goes no further.
func TestJudgeFrame(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		from := n.gossip.ID()
		good := signed(t, keyOf(9), w.genesis.DataBits, draft(n, reading(1)))
		other := signed(t, keyOf(9), w.genesis.DataBits, draft(n, reading(2)))
		bad := mined(t, w.genesis.DataBits, func() []byte {
			b := append([]byte(nil), other.Bytes()...)
			b[len(b)-10] ^= 1
			return b
		}())
		if v := n.judgeFrame(t.Context(), from, [][]byte{bad, good.Bytes()}); v != gossip.Reject {
			t.Errorf("a frame with a bad message: verdict %v, want Reject", v)
		}
		if !has(n, good.ID()) {
			t.Error("the good message of a bad frame was not taken")
		}
		if v := n.judgeFrame(t.Context(), from, [][]byte{good.Bytes()}); v != gossip.Ignore {
			t.Errorf("nothing new: verdict %v, want Ignore", v)
		}
		if v := n.judgeFrame(t.Context(), from, [][]byte{good.Bytes(), other.Bytes()}); v != gossip.Accept {
			t.Errorf("something new: verdict %v, want Accept", v)
		}
		d := draft(n, reading(3))
		d.Timestamp = uint64(time.Now().Add(time.Hour).UnixNano())
		ahead := signed(t, keyOf(9), w.genesis.DataBits, d)
		if v := n.judgeFrame(t.Context(), from, [][]byte{ahead.Bytes()}); v != gossip.Ignore {
			t.Errorf("a clock ahead: verdict %v, want Ignore, since nobody is at fault", v)
		}
	})
}

// TestCone compares the walk with a plain search, for every pair of wanted and
// held message in a small DAG.
func TestCone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := w.node(0)
		var ids []message.ID
		for i := range 40 {
			d := draft(n, reading(i))
			if i > 3 {
				d.Parents = []message.ID{ids[(i*7)%i], ids[(i*5+1)%i]}
				if d.Parents[0] == d.Parents[1] {
					d.Parents[1] = ids[i-1]
					if d.Parents[0] == d.Parents[1] {
						d.Parents[1] = ids[0]
					}
				}
			}
			m := signed(t, keyOf(9), w.genesis.DataBits, d)
			if r, err := n.Submit(t.Context(), m.Bytes()); err != nil || r.State != Durable {
				t.Fatalf("Submit: %v, %v", r.State, err)
			}
			ids = append(ids, m.ID())
		}
		past := func(id message.ID) map[message.ID]bool {
			seen := map[message.ID]bool{}
			for queue := []message.ID{id}; len(queue) > 0; queue = queue[1:] {
				r, err := n.Get(queue[0])
				if errors.Is(err, ErrNotFound) || seen[queue[0]] {
					continue
				}
				seen[queue[0]] = true
				queue = append(queue, r.Message.Parents...)
			}
			return seen
		}
		for _, want := range ids {
			for _, have := range ids {
				got, _, whole, err := n.cone(t.Context(), []message.ID{want}, []message.ID{have}, message.ID{})
				if err != nil || !whole {
					t.Fatalf("cone: whole %v, %v", whole, err)
				}
				expect, held := past(want), past(have)
				for id := range held {
					delete(expect, id)
				}
				if len(got) != len(expect) {
					t.Fatalf("cone has %d messages, want %d", len(got), len(expect))
				}
				for i, id := range got {
					if !expect[id] || i > 0 && got[i-1].Compare(id) >= 0 {
						t.Fatal("cone has a message that is held, or is not ascending")
					}
				}
			}
		}
	})
}
