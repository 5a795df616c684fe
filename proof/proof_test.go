package proof_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/crypto/blake2b"

	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// quorums of equal seats.
var quorums = map[int][]int{1: {0}, 4: {0, 1, 3}, 7: {0, 2, 3, 4, 6}}

// TestProof proves every message of a chain, under every commitment from its own
// on, in networks of 1, 4 and 7 seats, and reads the proof back from its file.
func TestProof(t *testing.T) {
	for n, seats := range quorums {
		t.Run(fmt.Sprint(n, " seats"), func(t *testing.T) {
			c := newChain(t, equal(n)...)
			for _, count := range []int{1, 2, 3, 8, 5} {
				c.grow(count, nil)
			}
			for j := 1; j < len(c.anchors); j++ {
				for index := range c.anchors[j].ids {
					for k := j; k < len(c.anchors); k++ {
						checkProof(t, c, j, index, k, seats)
					}
				}
			}
		})
	}
}

func checkProof(t *testing.T, c *chain, j, index, k int, seats []int) {
	t.Helper()
	p, err := proof.Decode(c.prove(j, index, k, seats...).Encode())
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Verify(c.genesis)
	if err != nil {
		t.Fatalf("message %d of anchor %d under %d: %v", index, j, k, err)
	}
	a := c.anchors[j]
	ok := s.Network == message.NetworkID(c.genesis.Network()) &&
		s.ID == a.ids[index] && s.Message.ID() == s.ID && s.Message.Nonce == 0 &&
		bytes.Equal(proof.IdentityBytes(s.Message), a.bodies[index]) &&
		s.Outcome == a.outcomes[index] &&
		s.Anchor == uint64(j) && s.Time == a.commitment.Time && s.Index == uint64(index) &&
		s.Signed == uint64(k) && slices.EqualFunc(s.Signers, seats, func(a uint8, b int) bool { return int(a) == b }) &&
		s.Weight == uint64(len(seats)) && s.Total == uint64(len(c.seats))
	if !ok {
		t.Errorf("message %d of anchor %d under %d proves %+v", index, j, k, s)
	}
}

// TestStatementWeights: weights, not seats, are counted.
func TestStatementWeights(t *testing.T) {
	c := newChain(t, 5, 3, 9, 2)
	c.grow(1, nil)
	s, err := c.prove(1, 0, 1, 0, 2).Verify(c.genesis)
	if err != nil {
		t.Fatal(err)
	}
	if s.Weight != 14 || s.Total != 19 {
		t.Errorf("weight %d of %d, want 14 of 19", s.Weight, s.Total)
	}
}

// TestIdentityBytes: the nonce is outside, and appending leaves the message be.
func TestIdentityBytes(t *testing.T) {
	c := newChain(t, 1)
	draft := c.draft(1, 0)
	m, err := draft.Sign(testKey("device", 0))
	if err != nil {
		t.Fatal(err)
	}
	m.SetNonce(0x0102030405060708)
	body := proof.IdentityBytes(m)
	if !bytes.Equal(binary.BigEndian.AppendUint64(body, m.Nonce), m.Bytes()) {
		t.Error("the encoding is not these bytes and the nonce")
	}
	if m.ID().Hash() != blake2b.Sum256(body) {
		t.Error("the ID is not the hash of these bytes")
	}
	_ = append(body, 9, 9, 9, 9, 9, 9, 9, 9)
	if _, err := message.Decode(m.Bytes()); err != nil || m.Bytes()[len(m.Bytes())-1] != 8 {
		t.Error("appending changed the message")
	}
}

// TestProofRefuses breaks one step at a time. Everything else in the proof stays
// true, and is signed.
func TestProofRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(c *chain, p *proof.Proof)
		want   proof.Reason
	}{
		{"another outcome", func(_ *chain, p *proof.Proof) { p.Outcome++ }, proof.ReasonInclusion},
		{"another place", func(_ *chain, p *proof.Proof) { p.Index++ }, proof.ReasonInclusion},
		{"a place beyond the end", func(_ *chain, p *proof.Proof) { p.Index = 5 }, proof.ReasonInclusion},
		{"a step of the path changed", func(_ *chain, p *proof.Proof) { p.Path[1][0] ^= 1 }, proof.ReasonInclusion},
		{"a step of the path missing", func(_ *chain, p *proof.Proof) { p.Path = p.Path[1:] }, proof.ReasonInclusion},
		{"a step of the path more", func(_ *chain, p *proof.Proof) { p.Path = append(p.Path, p.Path[0]) }, proof.ReasonInclusion},
		{"no path", func(_ *chain, p *proof.Proof) { p.Path = nil }, proof.ReasonInclusion},
		{"another message of the anchor", func(c *chain, p *proof.Proof) { p.Message = c.anchors[2].bodies[3] }, proof.ReasonInclusion},
		{"the nonce left on", func(_ *chain, p *proof.Proof) { p.Message = append(p.Message, make([]byte, 8)...) }, proof.ReasonMessage},
		{"a message cut short", func(_ *chain, p *proof.Proof) { p.Message = p.Message[:len(p.Message)-1] }, proof.ReasonMessage},
		{"no message", func(_ *chain, p *proof.Proof) { p.Message = nil }, proof.ReasonMessage},
		{"the commitment of another anchor", func(c *chain, p *proof.Proof) { p.Commitment = c.anchors[1].commitment }, proof.ReasonInclusion},
		{"a commitment that is not in the tree", func(_ *chain, p *proof.Proof) { p.Commitment.State[0] ^= 1 }, proof.ReasonTree},
		{"a step of the tree's path changed", func(_ *chain, p *proof.Proof) { p.TreePath[0][0] ^= 1 }, proof.ReasonTree},
		{"a step of the tree's path missing", func(_ *chain, p *proof.Proof) { p.TreePath = p.TreePath[1:] }, proof.ReasonTree},
		{"a step of the tree's path more", func(_ *chain, p *proof.Proof) { p.TreePath = append(p.TreePath, p.TreePath[0]) }, proof.ReasonTree},
		{"signatures on an earlier commitment", func(c *chain, p *proof.Proof) { p.Finality = c.sign(1, 0, 1, 2, 3) }, proof.ReasonTree},
		{"signatures on another commitment of the index", func(c *chain, p *proof.Proof) {
			p.Finality = c.sign(2, 0, 1, 2, 3)
			p.Finality.Commitment.State[0] ^= 1
			for i, key := range c.seats {
				p.Finality.Signatures[i] = signature(key, uint8(i), &p.Finality.Commitment)
			}
			p.TreePath = nil
		}, proof.ReasonTree},
		{"a path to the commitment itself", func(c *chain, p *proof.Proof) { p.Finality = c.sign(2, 0, 1, 2, 3) }, proof.ReasonTree},
		{"the path of another size", func(c *chain, p *proof.Proof) { p.Finality = c.sign(3, 0, 1, 2, 3) }, proof.ReasonTree},
		{"too few signatures", func(_ *chain, p *proof.Proof) { p.Finality.Signatures = p.Finality.Signatures[:2] }, proof.ReasonQuorum},
		{"no signature", func(_ *chain, p *proof.Proof) { p.Finality.Signatures = nil }, proof.ReasonQuorum},
		{"another genesis", func(c *chain, _ *proof.Proof) { c.genesis.Name = "elsewhere" }, proof.ReasonNetwork},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, equal(4)...)
			for _, count := range []int{5, 5, 1, 2, 1} {
				c.grow(count, nil)
			}
			p := c.prove(2, 1, 5, 0, 1, 2, 3)
			if _, err := p.Verify(c.genesis); err != nil {
				t.Fatal(err)
			}
			test.change(c, p)
			s, err := p.Verify(c.genesis)
			wantReason(t, err, test.want)
			if s.Message != nil || s.Weight != 0 {
				t.Errorf("and yet it states %+v", s)
			}
		})
	}
}

// TestProofSpoiledCommitment: C_j is judged as C_k is, though only C_k is signed.
func TestProofSpoiledCommitment(t *testing.T) {
	for _, test := range spoiledCommitments {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, equal(4)...)
			c.grow(3, test.change)
			c.grow(1, nil)
			_, err := c.prove(1, 0, 2, 0, 1, 2).Verify(c.genesis)
			wantReason(t, err, test.want)

			c = newChain(t, equal(4)...)
			c.grow(3, nil)
			c.grow(1, nil)
			p := c.prove(1, 0, 2, 0, 1, 2)
			test.change(&p.Finality.Commitment)
			for i, s := range p.Finality.Signatures {
				p.Finality.Signatures[i] = signature(c.seats[s.Seat], s.Seat, &p.Finality.Commitment)
			}
			_, err = p.Verify(c.genesis)
			if p.Finality.Commitment.Index == 0 { // no tree has C_j before C_0
				test.want = proof.ReasonTree
			}
			wantReason(t, err, test.want)
		})
	}
}

// TestProofOfIncludedRubbish: a committee that includes what no node takes proves
// nothing to those who check.
func TestProofOfIncludedRubbish(t *testing.T) {
	seal := func(change func(d *message.Draft), signature [64]byte) (*chain, *message.Message) {
		c := newChain(t, 1)
		draft := c.draft(1, 0)
		change(&draft)
		m, err := draft.Sign(testKey("device", 0))
		if err != nil {
			t.Fatal(err)
		}
		if signature != [64]byte{} {
			if m, err = draft.Seal(m.Issuer, signature); err != nil {
				t.Fatal(err)
			}
		}
		return c, m
	}
	for _, test := range []struct {
		name      string
		change    func(d *message.Draft)
		signature [64]byte
		want      proof.Reason
	}{
		{"a message of another network", func(d *message.Draft) { d.Network[0] ^= 1 }, [64]byte{}, proof.ReasonNetwork},
		{"a message that its issuer did not sign", func(*message.Draft) {}, [64]byte{1}, proof.ReasonMessage},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, m := seal(test.change, test.signature)
			var a anchor
			a.include(proof.IdentityBytes(m), m.ID(), 1)
			c.seal(a, nil)
			_, err := c.prove(1, 0, 1, 0).Verify(c.genesis)
			wantReason(t, err, test.want)
		})
	}
}

// TestInnerNodeAsCommitment: a node of the tree of commitments is no commitment
// in a smaller tree of the same root; nor is a leaf of S_j anything but 41 bytes.
func TestInnerNodeAsCommitment(t *testing.T) {
	c := newChain(t, equal(4)...)
	for range 4 {
		c.grow(4, nil)
	}
	// Of C_4's tree, whose leaves are C_0..C_3, the right half holds C_2 and C_3.
	p := c.prove(2, 0, 4, 0, 1, 2)
	p.TreePath = p.TreePath[1:]
	p.Finality.Commitment.Index = 3
	for i, s := range p.Finality.Signatures {
		p.Finality.Signatures[i] = signature(c.seats[s.Seat], s.Seat, &p.Finality.Commitment)
	}
	_, err := p.Verify(c.genesis)
	wantReason(t, err, proof.ReasonTree)

	// A committee's list of two, whose first entry is the hash of two leaves:
	// the path of the first message is shorter by one then.
	leaves := c.anchors[3].leaves()
	p = c.prove(3, 0, 4, 0, 1, 2)
	first, second := merkle.LeafHash(leaves[0]), merkle.LeafHash(leaves[1])
	if p.Path[0] != second {
		t.Fatalf("the path begins with %x, want %x", p.Path[0], second)
	}
	p.Path = p.Path[1:]
	_, err = p.Verify(c.genesis)
	wantReason(t, err, proof.ReasonInclusion)
	if merkle.Verify(p.Commitment.Included, 2, 0, slices.Concat(first[:], second[:]), p.Path) == nil {
		t.Error("an inner node of S_j goes through as a leaf")
	}
}

// TestGenesisIsNoCommitment: C_0 is a leaf of every tree, and nothing is in it.
func TestGenesisIsNoCommitment(t *testing.T) {
	c := newChain(t, 1)
	c.grow(1, nil)
	c.grow(1, nil)
	p := c.prove(1, 0, 2, 0)
	p.Commitment.Index = 0
	path, err := merkle.PathOf(0, 2, c.node)
	if err != nil {
		t.Fatal(err)
	}
	p.TreePath = path
	_, err = p.Verify(c.genesis)
	wantReason(t, err, proof.ReasonIndex)
}

func BenchmarkVerify(b *testing.B) {
	c := newChain(b, equal(7)...)
	for range 8 {
		c.grow(16, nil)
	}
	text := c.prove(3, 5, 8, quorums[7]...).Encode()
	b.ReportAllocs()
	for b.Loop() {
		p, err := proof.Decode(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Verify(c.genesis); err != nil {
			b.Fatal(err)
		}
	}
}
