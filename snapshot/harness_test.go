package snapshot_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/snapshot"
)

// step is the ledger time between two anchors. With a window of 30 s and the 60 s
// that a clock may be ahead, a snapshot has the last ten anchors.
const (
	step   = 10 * time.Second
	window = 30 * time.Second
	inside = 10
)

// network is a small ledger made by hand.
type network struct {
	t         testing.TB
	genesis   *genesis.Genesis
	seats     []ed25519.PrivateKey
	anchors   []snapshot.Anchor // anchors[i] is anchor i+1
	accounts  []snapshot.Account
	transfers []ledger.AppliedTransfer
	witness   []byte
	tree      merkle.Tree // over C_0..C_{j-1}
	nodes     map[[2]uint64][32]byte
}

func testKey(name string, n int) ed25519.PrivateKey {
	seed := blake2b.Sum256(fmt.Appendf(nil, "%s %d", name, n))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

func hashOf(format string, args ...any) [32]byte {
	return blake2b.Sum256(fmt.Appendf(nil, format, args...))
}

func testGenesis(name string) (*genesis.Genesis, []ed25519.PrivateKey) {
	g := &genesis.Genesis{
		Name: name, Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Window: window,
		DataBits: 10, TransferBits: 9, MaxIncluded: 3000,
		Balances: []genesis.Balance{{Address: hashOf("rich"), Amount: 1_000_000}},
	}
	var seats []ed25519.PrivateKey
	for i := range 4 {
		seats = append(seats, testKey("seat", i))
		g.Committee = append(g.Committee, genesis.Seat{Key: public(seats[i]), Weight: uint64(i + 5)})
	}
	return g, seats
}

// newNetwork has anchors as many as counts, which is what each included.
func newNetwork(t testing.TB, counts ...int) *network {
	t.Helper()
	g, _ := testGenesis("snapshot-test")
	return newNetworkOf(t, g, counts...)
}

// newNetworkOf is that of a genesis with the seats of testGenesis.
func newNetworkOf(t testing.TB, g *genesis.Genesis, counts ...int) *network {
	t.Helper()
	n := &network{t: t, genesis: g, nodes: make(map[[2]uint64][32]byte)}
	_, n.seats = testGenesis("")
	if err := n.genesis.Validate(); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		n.accounts = append(n.accounts, snapshot.Account{
			Address: hashOf("owner %d", i),
			Account: ledger.Account{Balance: uint64(i) * 1000, Base: uint64(i + 1), Used: uint64(i) << 1},
		})
		n.transfers = append(n.transfers, ledger.AppliedTransfer{ID: hashOf("transfer %d", i), ValidUntil: n.time(uint64(len(counts)) + uint64(i/2))})
	}
	slices.SortFunc(n.accounts, func(a, b snapshot.Account) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	slices.SortFunc(n.transfers, func(a, b ledger.AppliedTransfer) int {
		if a.ValidUntil != b.ValidUntil {
			return int(a.ValidUntil) - int(b.ValidUntil)
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	hash := n.genesis.Hash()
	n.append(hash)
	for i, count := range counts {
		n.grow(uint64(i+1), count, i == len(counts)-1)
	}
	return n
}

// city has enough anchors for some to be out of the window.
func city(t testing.TB) *network {
	return newNetwork(t, 3, 2, 1, 0, 4, 2, 3, 1, 5, 2, 0, 1, 3, 2, 4)
}

func (n *network) time(index uint64) uint64 {
	return uint64(n.genesis.Start.UnixNano()) + index*uint64(step)
}

func (n *network) append(hash [32]byte) {
	for _, node := range n.tree.Append(hash[:]) {
		n.nodes[[2]uint64{uint64(node.Level), node.Index}] = node.Hash
	}
}

func (n *network) node(level uint8, index uint64) ([32]byte, error) {
	hash, ok := n.nodes[[2]uint64{uint64(level), index}]
	if !ok {
		return hash, fmt.Errorf("no node %d of level %d", index, level)
	}
	return hash, nil
}

func (n *network) grow(index uint64, count int, last bool) {
	var a snapshot.Anchor
	var leaves [][]byte
	for i := range count {
		id := message.NewID(n.time(index)-uint64(count-i)*1_000_000, hashOf("message %d of %d", i, index))
		a.Included = append(a.Included, snapshot.Included{ID: id, Outcome: uint8(1 + i%7)})
		leaves = append(leaves, proof.Leaf(id, uint8(1+i%7)))
	}
	previous := n.genesis.Hash()
	if index > 1 {
		previous = n.anchors[index-2].Commitment.Hash()
	}
	a.Commitment = proof.Commitment{
		Network: n.genesis.Network(), Index: index, Anchor: message.NewID(n.time(index), hashOf("anchor %d", index)),
		Time: n.time(index), Previous: previous, Tree: n.tree.Root(),
		Count: uint64(count), Included: merkle.Root(leaves), State: hashOf("state %d", index),
		Committee: n.genesis.CommitteeHash(), Parameters: n.genesis.ParametersHash(),
	}
	if last {
		m := n.makeWitness(index, nil)
		n.witness = m.Bytes()
		a.Commitment.Anchor, a.Commitment.State = m.ID(), n.stateHash()
	}
	n.anchors = append(n.anchors, a)
	if !last {
		n.append(a.Commitment.Hash())
	}
}

func (n *network) stateHash() [32]byte {
	l, err := ledger.Restore(n.genesis.Network(),
		func(yield func(message.Address, ledger.Account) bool) {
			for _, a := range n.accounts {
				if !yield(a.Address, a.Account) {
					return
				}
			}
		},
		func(yield func(message.TransferID, uint64) bool) {
			for _, t := range n.transfers {
				if !yield(t.ID, t.ValidUntil) {
					return
				}
			}
		})
	if err != nil {
		n.t.Fatal(err)
	}
	return l.StateHash()
}

// makeWitness is the witness of seat 1 that is the anchor, of round 3*index-2.
// change may spoil it.
func (n *network) makeWitness(index uint64, change func(*message.Draft, *message.Witness)) *message.Message {
	n.t.Helper()
	w := message.Witness{Seat: 1, Round: 3*index - 2, Commit: message.Commit{Hash: n.genesis.Hash()}}
	if index > 1 {
		for seat := range 3 {
			w.Refs = append(w.Refs, message.Ref{Seat: uint8(seat), ID: message.NewID(n.time(index)-9, hashOf("ref %d", seat))})
		}
	}
	draft := message.Draft{
		Network: n.genesis.Network(), Timestamp: n.time(index),
		Parents: []message.ID{n.genesis.ID()}, Kind: message.KindWitness,
	}
	key := n.seats[1]
	signed := message.CommitSigningBytes(draft.Network, 0, 0, w.Commit.Hash)
	w.Commit.Signature = [64]byte(ed25519.Sign(key, signed))
	if change != nil {
		change(&draft, &w)
	}
	if draft.Kind == message.KindWitness {
		draft.Payload = w.Append(nil)
	}
	m, err := draft.Sign(key)
	if err != nil {
		n.t.Fatal(err)
	}
	return m
}

// signatures are those of seats over a commitment.
func (n *network) signatures(c *proof.Commitment, seats ...int) []proof.Signature {
	var out []proof.Signature
	for _, seat := range seats {
		signed := message.CommitSigningBytes(c.Network, c.Epoch, c.Index, c.Hash())
		out = append(out, proof.Signature{Seat: uint8(seat), Signature: [64]byte(ed25519.Sign(n.seats[seat], signed))})
	}
	return out
}

func (n *network) last() *snapshot.Anchor { return &n.anchors[len(n.anchors)-1] }

// source is what a node would hand to Write.
func (n *network) source() snapshot.Source {
	first := max(len(n.anchors)-inside, 0)
	src := snapshot.Source{
		Genesis: n.genesis, Index: uint64(len(n.anchors)),
		Anchors: all(n.anchors[first:]), Accounts: all(n.accounts), Transfers: all(n.transfers),
		Node: n.node, Signatures: n.signatures(&n.last().Commitment, 0, 2, 3), Witness: n.witness,
	}
	if first > 0 {
		src.Before = n.anchors[first-1].Commitment
	}
	return src
}

func all[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// write is the file of n.
func (n *network) write() ([]byte, snapshot.Info) {
	n.t.Helper()
	var b bytes.Buffer
	info, err := snapshot.Write(context.Background(), &b, n.source())
	if err != nil {
		n.t.Fatal(err)
	}
	return b.Bytes(), info
}

// options are those of a reader that knows the genesis.
func (n *network) options() snapshot.ReadOptions { return snapshot.ReadOptions{Genesis: n.genesis} }

// read verifies a file and passes over what is in it.
func (n *network) read(file []byte) (snapshot.Info, error) {
	return snapshot.Read(context.Background(), bytes.NewReader(file), n.options(), snapshot.Sink{})
}

func wantReason(t *testing.T, err error, want snapshot.Reason) {
	t.Helper()
	invalid := new(snapshot.InvalidError)
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want an InvalidError for %s", err, want)
	}
	if invalid.Reason != want {
		t.Fatalf("refused for %s (%v), want %s", invalid.Reason, err, want)
	}
}

// content is all that a sink gets.
type content struct {
	anchors   []snapshot.Anchor
	accounts  []snapshot.Account
	transfers []ledger.AppliedTransfer
}

func (c *content) sink() snapshot.Sink {
	return snapshot.Sink{
		Anchor: func(a snapshot.Anchor) error {
			a.Included, a.Nodes = slices.Clone(a.Included), slices.Clone(a.Nodes)
			c.anchors = append(c.anchors, a)
			return nil
		},
		Account:  func(a snapshot.Account) error { c.accounts = append(c.accounts, a); return nil },
		Transfer: func(t ledger.AppliedTransfer) error { c.transfers = append(c.transfers, t); return nil },
	}
}

func u32(v int) []byte    { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func blake(b []byte) [32]byte { return blake2b.Sum256(b) }

func onesCount(v uint64) int { return bits.OnesCount64(v) }

func rootOf(t *testing.T, size uint64, peaks [][32]byte) [32]byte {
	t.Helper()
	tree, err := merkle.Restore(size, peaks)
	if err != nil {
		t.Fatal(err)
	}
	return tree.Root()
}

// allocations is how many bytes f allocates.
func allocations(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
