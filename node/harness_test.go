package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/genesis"
	"tangled/gossip"
	"tangled/gossip/memnet"
	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/pow"
)

// world is a network in memory. Inside a synctest bubble its time is fake.
type world struct {
	t       testing.TB
	net     *memnet.Network
	genesis *genesis.Genesis
}

func newWorld(t testing.TB) *world {
	return &world{t: t, net: memnet.New(), genesis: &genesis.Genesis{
		Name: "test", Start: time.Now(), Window: 10 * time.Minute, DataBits: 4, MaxIncluded: genesis.DefaultMaxIncluded,
	}}
}

func keyOf(i int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	binary.BigEndian.PutUint64(seed, uint64(i+1))
	return ed25519.NewKeyFromSeed(seed)
}

func addrOf(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}) }

func listenOf(i int) multiaddr.Multiaddr {
	return multiaddr.StringCast(fmt.Sprintf("/ip4/%v/tcp/4001", addrOf(i)))
}

// options are those of the i-th node on fs, without neighbours.
func (w *world) options(i int, fs vfs.FS) Options {
	return Options{
		FS: fs, Genesis: w.genesis, Key: keyOf(i), Workers: 2,
		Gossip: gossip.Options{
			SwarmKey:   gossip.SwarmKey{1},
			Listen:     []multiaddr.Multiaddr{listenOf(i)},
			Transports: []libp2p.Option{w.net.Transport(addrOf(i))},
		},
	}
}

// open starts a node, in a directory of its own where opts name none.
func (w *world) open(opts Options) *Node {
	w.t.Helper()
	if opts.Dir == "" {
		opts.Dir = w.t.TempDir()
	}
	n, err := Open(w.t.Context(), opts)
	if err != nil {
		w.t.Fatalf("Open: %v", err)
	}
	w.t.Cleanup(func() {
		if err := n.Close(); err != nil && n.failure == nil {
			w.t.Errorf("Close: %v", err)
		}
	})
	return n
}

func (w *world) node(i int) *Node { return w.open(w.options(i, vfs.NewMem())) }

// meet makes two nodes neighbours.
func (w *world) meet(a, b *Node) {
	w.t.Helper()
	for _, pair := range [][2]*Node{{a, b}, {b, a}} {
		info := peer.AddrInfo{ID: pair[1].gossip.ID(), Addrs: pair[1].gossip.Addrs()}
		if err := pair[0].AddPeer(info); err != nil {
			w.t.Fatalf("AddPeer: %v", err)
		}
	}
}

// bubble runs test in fake time and closes its nodes inside the bubble.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	bubbletest.Run(t, func(t *testing.T) { test(t, newWorld(t)) })
}

// until waits, in fake time, for a condition.
func until(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func reading(i int) message.Data {
	return message.Data{
		Topic:   fmt.Sprintf("city/device/site/%d/air", i%7),
		Content: fmt.Appendf(nil, `{"seq":%d}`, i),
	}
}

func issue(t *testing.T, n *Node, d message.Data) message.ID {
	t.Helper()
	id, err := n.Issue(t.Context(), d)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return id
}

// signed makes a whole message the way a client does.
func signed(t *testing.T, key ed25519.PrivateKey, bits int, d message.Draft) *message.Message {
	t.Helper()
	slices.SortFunc(d.Parents, message.ID.Compare)
	m, err := d.Sign(key)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	nonce, err := pow.New(pow.Options{}).Mine(t.Context(), m.ID().Hash(), bits)
	if err != nil {
		t.Fatalf("Mine: %v", err)
	}
	m.SetNonce(nonce)
	return m
}

// draft is a data message on the parents that n would choose.
func draft(n *Node, d message.Data) message.Draft {
	p := n.Prepare()
	return message.Draft{
		Network: p.Network, Timestamp: p.Timestamp, Parents: p.Parents,
		Kind: message.KindData, Payload: d.Append(nil),
	}
}

func has(n *Node, id message.ID) bool {
	_, err := n.Get(id)
	return err == nil
}

func hasAll(n *Node, ids []message.ID) bool {
	return !slices.ContainsFunc(ids, func(id message.ID) bool { return !has(n, id) })
}

func content(t *testing.T, n *Node, id message.ID) []byte {
	t.Helper()
	r, err := n.Get(id)
	if err != nil {
		t.Fatalf("Get %v: %v", id, err)
	}
	d, err := r.Message.Data()
	if err != nil {
		t.Fatalf("Data of %v: %v", id, err)
	}
	return bytes.Clone(d.Content)
}

func info(t testing.TB, n *Node) Info {
	t.Helper()
	i, err := n.Info(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatalf("Info: %v", err)
	}
	return i
}

// fetchFor asks for one message.
func fetchFor(id message.ID) gossip.FetchRequest {
	return gossip.FetchRequest{Want: []message.ID{id}}
}
