package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// chain is a small ledger made by hand: a genesis, and for each anchor what it
// included and its commitment, C_0 (the genesis) at index 0.
type chain struct {
	t       testing.TB
	genesis *genesis.Genesis
	seats   []ed25519.PrivateKey
	anchors []anchor // anchors[0] has nothing but its hash
	tree    merkle.Tree
	nodes   map[[2]uint64][32]byte
}

type anchor struct {
	bodies     [][]byte // messages without nonce
	ids        []message.ID
	outcomes   []uint8
	commitment proof.Commitment
	hash       [32]byte
}

func testKey(name string, n int) ed25519.PrivateKey {
	seed := blake2b.Sum256(fmt.Appendf(nil, "%s %d", name, n))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

// equal are the weights of n seats.
func equal(n int) []uint64 { return slices.Repeat([]uint64{1}, n) }

func newChain(t testing.TB, weights ...uint64) *chain {
	t.Helper()
	c := &chain{t: t, nodes: make(map[[2]uint64][32]byte)}
	c.genesis = &genesis.Genesis{
		Name:        "proof-test",
		Start:       time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Window:      30 * time.Minute,
		DataBits:    10,
		MaxIncluded: 50_000,
	}
	for i, weight := range weights {
		c.seats = append(c.seats, testKey("seat", i))
		c.genesis.Committee = append(c.genesis.Committee, genesis.Seat{Key: public(c.seats[i]), Weight: weight})
	}
	if err := c.genesis.Validate(); err != nil {
		t.Fatal(err)
	}
	c.append(anchor{hash: c.genesis.Hash()})
	return c
}

func (c *chain) append(a anchor) {
	c.anchors = append(c.anchors, a)
	for _, node := range c.tree.Append(a.hash[:]) {
		c.nodes[[2]uint64{uint64(node.Level), node.Index}] = node.Hash
	}
}

// draft is the n-th message of anchor j.
func (c *chain) draft(j, n int) message.Draft {
	data := message.Data{Topic: "site/lamp", ContentType: "text/plain", Content: fmt.Appendf(nil, "%d of %d", n, j)}
	return message.Draft{
		Network:   c.genesis.Network(),
		Timestamp: uint64(c.genesis.Start.UnixNano()) + uint64(j)*1_000_000 + uint64(n) + 1,
		Parents:   []message.ID{c.genesis.ID()},
		Kind:      message.KindData,
		Payload:   data.Append(nil),
	}
}

// grow adds an anchor that includes count messages; change, if not nil, may
// spoil the commitment before it is hashed.
func (c *chain) grow(count int, change func(*proof.Commitment)) {
	c.t.Helper()
	var a anchor
	j := len(c.anchors)
	for n := range count {
		draft := c.draft(j, n)
		m, err := draft.Sign(testKey("device", n%3))
		if err != nil {
			c.t.Fatal(err)
		}
		m.SetNonce(uint64(n) + 7)
		a.include(proof.IdentityBytes(m), m.ID(), uint8(1+n%7))
	}
	c.seal(a, change)
}

func (a *anchor) include(body []byte, id message.ID, outcome uint8) {
	a.bodies = append(a.bodies, body)
	a.ids = append(a.ids, id)
	a.outcomes = append(a.outcomes, outcome)
}

func (a *anchor) leaves() [][]byte {
	leaves := make([][]byte, len(a.ids))
	for i, id := range a.ids {
		leaves[i] = proof.Leaf(id, a.outcomes[i])
	}
	return leaves
}

// seal adds an anchor with its commitment.
func (c *chain) seal(a anchor, change func(*proof.Commitment)) {
	j := uint64(len(c.anchors))
	a.commitment = proof.Commitment{
		Network:    c.genesis.Network(),
		Index:      j,
		Anchor:     message.NewID(uint64(c.genesis.Start.UnixNano())+j*1_000_000, blake2b.Sum256([]byte{byte(j)})),
		Time:       uint64(c.genesis.Start.UnixNano()) + j*900_000,
		Previous:   c.anchors[j-1].hash,
		Tree:       c.tree.Root(),
		Count:      uint64(len(a.ids)),
		Included:   merkle.Root(a.leaves()),
		State:      blake2b.Sum256([]byte{byte(j), 's'}),
		Committee:  c.genesis.CommitteeHash(),
		Parameters: c.genesis.ParametersHash(),
	}
	if change != nil {
		change(&a.commitment)
	}
	a.hash = a.commitment.Hash()
	c.append(a)
}

// sign is commitment k with the signatures of these seats.
func (c *chain) sign(k int, seats ...int) proof.Finality {
	f := proof.Finality{Commitment: c.anchors[k].commitment}
	for _, seat := range seats {
		f.Signatures = append(f.Signatures, signature(c.seats[seat], uint8(seat), &f.Commitment))
	}
	return f
}

// signature writes out what a seat signs, without the package under test.
func signature(key ed25519.PrivateKey, seat uint8, c *proof.Commitment) proof.Signature {
	signed := append([]byte("tangled/commit"), c.Network[:]...)
	signed = binary.BigEndian.AppendUint32(signed, c.Epoch)
	signed = binary.BigEndian.AppendUint64(signed, c.Index)
	hash := blake2b.Sum256(c.Encode())
	return proof.Signature{Seat: seat, Signature: [64]byte(ed25519.Sign(key, append(signed, hash[:]...)))}
}

// prove leads from message index of anchor j to signatures over commitment k.
func (c *chain) prove(j, index, k int, seats ...int) *proof.Proof {
	c.t.Helper()
	a := c.anchors[j]
	p := &proof.Proof{
		Message:    bytes.Clone(a.bodies[index]),
		Outcome:    a.outcomes[index],
		Index:      uint64(index),
		Commitment: a.commitment,
		Finality:   c.sign(k, seats...),
	}
	var err error
	if p.Path, err = merkle.Path(a.leaves(), uint64(index)); err != nil {
		c.t.Fatal(err)
	}
	if k > j {
		if p.TreePath, err = merkle.PathOf(uint64(j), uint64(k), c.node); err != nil {
			c.t.Fatal(err)
		}
	}
	return p
}

func (c *chain) node(level uint8, index uint64) ([32]byte, error) {
	hash, ok := c.nodes[[2]uint64{uint64(level), index}]
	if !ok {
		return hash, fmt.Errorf("no node %d of level %d", index, level)
	}
	return hash, nil
}
