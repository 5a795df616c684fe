package catchup

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// chain is a ledger made by hand, and the peer that has it.
type chain struct {
	t        testing.TB
	genesis  *genesis.Genesis
	seats    []ed25519.PrivateKey
	anchors  []anchor // anchors[0] is the genesis
	tree     merkle.Tree
	messages map[message.ID][]byte

	// What the peer has of it.
	from     uint64 // all from here on
	pageSize int
	file     []byte // a snapshot
	info     SnapshotInfo
}

type anchor struct {
	included   []Included
	commitment proof.Commitment
	hash       [32]byte
	signatures []proof.Signature
}

func testKey(name string, n int) ed25519.PrivateKey {
	seed := blake2b.Sum256(fmt.Appendf(nil, "%s %d", name, n))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newChain(t testing.TB, bits int) *chain {
	t.Helper()
	c := &chain{t: t, messages: make(map[message.ID][]byte), from: 1, pageSize: maxPage}
	c.genesis = &genesis.Genesis{
		Name: "catchup-test", Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Window: 30 * time.Minute,
		DataBits: bits, MaxIncluded: genesis.MaxMaxIncluded,
	}
	for i := range 4 {
		c.seats = append(c.seats, testKey("seat", i))
		c.genesis.Committee = append(c.genesis.Committee, genesis.Seat{Key: c.seat(i), Weight: 1})
	}
	if err := c.genesis.Validate(); err != nil {
		t.Fatal(err)
	}
	c.append(anchor{hash: c.genesis.Hash()})
	return c
}

func (c *chain) seat(i int) [32]byte { return [32]byte(c.seats[i].Public().(ed25519.PublicKey)) }

func (c *chain) append(a anchor) {
	c.anchors = append(c.anchors, a)
	c.tree.Append(a.hash[:])
}

func (c *chain) start() uint64 { return uint64(c.genesis.Start.UnixNano()) }

// draft is the n-th message of the next anchor.
func (c *chain) draft(n, size int) message.Draft {
	data := message.Data{Topic: "site/lamp", ContentType: "text/plain", Content: make([]byte, size)}
	return message.Draft{
		Network:   c.genesis.Network(),
		Timestamp: c.start() + uint64(len(c.anchors))*100_000_000 + uint64(n) + 1,
		Parents:   []message.ID{c.genesis.ID()},
		Kind:      message.KindData,
		Payload:   data.Append(nil),
	}
}

// sign makes a message of a draft, with the work it needs.
func (c *chain) sign(d message.Draft, key ed25519.PrivateKey, bits int) *message.Message {
	c.t.Helper()
	m, err := d.Sign(key)
	if err != nil {
		c.t.Fatal(err)
	}
	for nonce := uint64(0); m.Work() < bits; nonce++ {
		m.SetNonce(nonce)
	}
	return m
}

// transfer is a transfer as the n-th message of the next anchor.
func (c *chain) transfer(n int) *message.Message {
	d := c.draft(n, 0)
	t := message.Transfer{Nonce: uint64(n), Outputs: []message.Output{{Amount: 1}}, ValidUntil: d.Timestamp + 1}
	t.Sign(d.Network, testKey("owner", 0))
	d.Kind, d.Payload = message.KindTransfer, t.Append(nil)
	return c.sign(d, testKey("device", 0), 0)
}

// witness is a witness as the n-th message of the next anchor.
func (c *chain) witness(n int) *message.Message {
	d := c.draft(n, 0)
	w := message.Witness{Seat: 2, Round: 1}
	d.Kind, d.Payload = message.KindWitness, w.Append(nil)
	return c.sign(d, c.seats[2], 0)
}

// grow adds an anchor of count data messages, a transfer and a witness, as far as
// count goes, signed by these seats.
func (c *chain) grow(count int, seats ...int) {
	c.t.Helper()
	var messages []*message.Message
	var outcomes []uint8
	for n := range count {
		m, outcome := (*message.Message)(nil), uint8(outcomeIncluded)
		switch n {
		case 1:
			m, outcome = c.transfer(n), uint8(2+len(c.anchors)%6)
		case 2:
			m = c.witness(n)
		default:
			m = c.sign(c.draft(n, 60), testKey("device", n%3), c.genesis.DataBits)
		}
		messages, outcomes = append(messages, m), append(outcomes, outcome)
	}
	c.include(messages, outcomes, seats...)
}

// growFast adds an anchor of count data messages of size bytes, whose own
// signatures are none: nobody checks them.
func (c *chain) growFast(count, size int, seats ...int) {
	c.t.Helper()
	messages, outcomes := make([]*message.Message, count), make([]uint8, count)
	empty := c.draft(0, 0)
	bare, err := empty.Seal(message.Issuer{1}, [64]byte{})
	if err != nil {
		c.t.Fatal(err)
	}
	for n := range messages {
		d := c.draft(n, size-len(bare.Bytes()))
		if messages[n], err = d.Seal(message.Issuer{1}, [64]byte{}); err != nil {
			c.t.Fatal(err)
		}
		outcomes[n] = outcomeIncluded
	}
	c.include(messages, outcomes, seats...)
}

func (c *chain) include(messages []*message.Message, outcomes []uint8, seats ...int) {
	var a anchor
	for i, m := range messages {
		c.messages[m.ID()] = m.Bytes()
		a.included = append(a.included, Included{m.ID(), outcomes[i]})
	}
	c.seal(a, nil, seats...)
}

// seal adds an anchor with its commitment; change may spoil it before it is
// signed.
func (c *chain) seal(a anchor, change func(*proof.Commitment), seats ...int) {
	j := uint64(len(c.anchors))
	var leaves [][]byte
	for _, entry := range a.included {
		leaves = append(leaves, proof.Leaf(entry.ID, entry.Outcome))
	}
	a.commitment = proof.Commitment{
		Network: c.genesis.Network(), Index: j, Anchor: message.NewID(c.start()+j, [32]byte{byte(j)}),
		Time: c.start() + j*90_000_000, Previous: c.anchors[j-1].hash, Tree: c.tree.Root(),
		Count: uint64(len(a.included)), Included: merkle.Root(leaves), State: [32]byte{byte(j), 's'},
		Committee: c.genesis.CommitteeHash(), Parameters: c.genesis.ParametersHash(),
	}
	if change != nil {
		change(&a.commitment)
	}
	a.hash = a.commitment.Hash()
	a.signatures = c.signatures(&a.commitment, seats...)
	c.append(a)
}

func (c *chain) signatures(commitment *proof.Commitment, seats ...int) (set []proof.Signature) {
	hash := commitment.Hash()
	for _, seat := range seats {
		signed := message.CommitSigningBytes(commitment.Network, commitment.Epoch, commitment.Index, hash)
		set = append(set, proof.Signature{Seat: uint8(seat), Signature: [64]byte(ed25519.Sign(c.seats[seat], signed))})
	}
	return set
}

func (c *chain) last() uint64 { return uint64(len(c.anchors) - 1) }

// source is the peer's store.
func (c *chain) source() Source {
	here := func(anchor uint64) bool { return anchor >= c.from && anchor <= c.last() }
	return Source{
		LastAnchor:   c.last,
		CompleteFrom: func() uint64 { return c.from },
		Complete: func(from uint64) uint64 {
			if from < c.from {
				return from - 1
			}
			return c.last()
		},
		Commitment: func(anchor uint64) ([]byte, error) {
			if !here(anchor) {
				return nil, ErrNotHere
			}
			return c.anchors[anchor].commitment.Encode(), nil
		},
		Signatures: func(anchor uint64) (uint64, []byte, error) {
			for i := max(1, anchor); i <= c.last(); i++ {
				if set := c.anchors[i].signatures; set != nil {
					return i, proof.EncodeSignatures(set), nil
				}
			}
			return 0, nil, ErrNotHere
		},
		Included: func(_ context.Context, anchor uint64, from uint32) iter.Seq2[Included, error] {
			return func(yield func(Included, error) bool) {
				if !here(anchor) {
					yield(Included{}, ErrNotHere)
					return
				}
				for _, entry := range c.anchors[anchor].included[from:] {
					if !yield(entry, nil) {
						return
					}
				}
			}
		},
		Message: func(id message.ID) ([]byte, error) {
			body, ok := c.messages[id]
			if !ok {
				return nil, ErrNotHere
			}
			return body, nil
		},
		Snapshot: func() (SnapshotInfo, error) {
			if c.file == nil {
				return SnapshotInfo{}, ErrNotHere
			}
			return c.info, nil
		},
		ReadSnapshot: func(index, offset uint64, p []byte) (int, uint64, error) {
			if index != c.info.Index || offset > uint64(len(c.file)) {
				return 0, 0, ErrNotHere
			}
			return copy(p, c.file[offset:]), uint64(len(c.file)), nil
		},
	}
}

// serve is what the peer answers.
func (c *chain) serve(ctx context.Context, request []byte) ([]byte, error) {
	return serve(ctx, c.source(), request, c.pageSize)
}

// client asks the peer, whose answers lie may change.
func (c *chain) client(lie func(q request, reply []byte) []byte) *Client {
	return NewClient(c.genesis, Peer{Ask: func(ctx context.Context, encoded []byte) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		reply, err := c.serve(ctx, encoded)
		if err != nil || lie == nil {
			return reply, err
		}
		q, err := decodeRequest(encoded)
		if err != nil {
			return nil, err
		}
		return lie(q, reply), nil
	}})
}

// collect takes anchors until the sequence ends.
func collect(seq iter.Seq2[Verified, error]) (got []Verified, err error) {
	for v, err := range seq {
		if err != nil {
			return got, err
		}
		got = append(got, v)
	}
	return got, nil
}

// check tells whether got are the anchors of the chain from one on.
func (c *chain) check(got []Verified, from, count int) {
	c.t.Helper()
	if len(got) != count {
		c.t.Fatalf("%d anchors, want %d", len(got), count)
	}
	for i, v := range got {
		want := c.anchors[from+i]
		if v.Commitment != want.commitment || !slices.Equal(v.Included, want.included) || len(v.Messages) != len(want.included) {
			c.t.Fatalf("anchor %d is not the chain's", from+i)
		}
		for n, m := range v.Messages {
			if string(m.Bytes()) != string(c.messages[want.included[n].ID]) {
				c.t.Fatalf("message %d of anchor %d is not the chain's", n, from+i)
			}
		}
		if len(v.Signatures) > 0 && !slices.Equal(v.Signatures, want.signatures) {
			c.t.Fatalf("signatures of anchor %d are not the chain's", from+i)
		}
	}
}
