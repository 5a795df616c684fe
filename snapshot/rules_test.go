package snapshot_test

import (
	"bytes"
	"slices"
	"testing"

	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/snapshot"
)

// TestRefuses breaks one rule at a time. The file is sealed again, so that digest
// and checksums are right.
func TestRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(n *network, p *parts)
		want   snapshot.Reason
	}{
		{"another network", func(_ *network, p *parts) { p.network[0] ^= 1 }, snapshot.ReasonGenesis},
		{"other parameters", func(_ *network, p *parts) { p.parameters[8]++ }, snapshot.ReasonGenesis},
		{"another committee", func(_ *network, p *parts) { p.committee[2] ^= 1 }, snapshot.ReasonGenesis},
		{"a higher index", func(_ *network, p *parts) { p.index++ }, snapshot.ReasonEncoding},
		{"a lower index", func(_ *network, p *parts) { p.index-- }, snapshot.ReasonRange},

		{"begins and ends at zero", func(n *network, p *parts) {
			c := n.anchors[0].Commitment
			c.Index, c.Tree = 0, merkle.Root(nil)
			p.first, p.index, p.before, p.peaks = 0, 0, nil, nil
			p.anchors = [][]byte{anchorRecord(&snapshot.Anchor{Commitment: c, Included: n.anchors[0].Included})}
		}, snapshot.ReasonChain},
		{"begins behind the end", func(n *network, p *parts) {
			p.first, p.before, p.peaks = p.index+1, n.last().Commitment.Encode(), make([][32]byte, 1)
			p.anchors = nil
		}, snapshot.ReasonChain},
		{"another commitment before", func(_ *network, p *parts) { p.before[180] ^= 1 }, snapshot.ReasonChain},
		{"the commitment before that", func(n *network, p *parts) { p.before = n.anchors[3].Commitment.Encode() }, snapshot.ReasonChain},
		{"another peak", func(_ *network, p *parts) { p.peaks[0][0] ^= 1 }, snapshot.ReasonChain},
		{"an anchor missing in front", func(n *network, p *parts) { n.begin(p, 7) }, snapshot.ReasonRange},
		{"an anchor too many in front", func(n *network, p *parts) { n.begin(p, 5) }, snapshot.ReasonRange},
		{"the anchors from the genesis on", func(n *network, p *parts) { n.begin(p, 1) }, snapshot.ReasonRange},

		{"an anchor missing", func(_ *network, p *parts) { p.anchors = slices.Delete(p.anchors, 4, 5) }, snapshot.ReasonChain},
		{"an anchor twice", func(_ *network, p *parts) { p.anchors = slices.Insert(p.anchors, 4, p.anchors[4]) }, snapshot.ReasonChain},
		{"anchors swapped", func(_ *network, p *parts) { p.anchors[4], p.anchors[5] = p.anchors[5], p.anchors[4] }, snapshot.ReasonChain},
		{"no anchor", func(_ *network, p *parts) { p.anchors = nil }, snapshot.ReasonEncoding},
		{"another state on the way", func(_ *network, p *parts) { p.anchors[4][1+172] ^= 1 }, snapshot.ReasonChain},

		{"a message missing", func(_ *network, p *parts) { p.anchors[3] = p.anchors[3][:len(p.anchors[3])-41] }, snapshot.ReasonList},
		{"another outcome", func(_ *network, p *parts) { p.anchors[3][1+268+40] ^= 1 }, snapshot.ReasonList},
		{"another ID", func(_ *network, p *parts) { p.anchors[3][1+268+20] ^= 1 }, snapshot.ReasonList},
		{"messages swapped", func(_ *network, p *parts) {
			list := p.anchors[3][1+268:]
			p.anchors[3] = slices.Concat(p.anchors[3][:1+268], list[41:82], list[:41], list[82:])
		}, snapshot.ReasonList},

		{"another balance", func(_ *network, p *parts) { p.accounts[2][40] ^= 1 }, snapshot.ReasonState},
		{"an account missing", func(_ *network, p *parts) { p.accounts = p.accounts[1:] }, snapshot.ReasonState},
		{"no account", func(_ *network, p *parts) { p.accounts = nil }, snapshot.ReasonState},
		{"an account more", func(_ *network, p *parts) {
			p.accounts = append(p.accounts, slices.Concat([]byte{2}, bytes.Repeat([]byte{255}, 32), make([]byte, 23), []byte{1}))
		}, snapshot.ReasonState},
		{"more money than there may be", func(_ *network, p *parts) { p.accounts[2][33] |= 0x80 }, snapshot.ReasonState},
		{"an account twice", func(_ *network, p *parts) { p.accounts = slices.Insert(p.accounts, 1, p.accounts[1]) }, snapshot.ReasonEncoding},
		{"accounts swapped", func(_ *network, p *parts) { p.accounts[1], p.accounts[2] = p.accounts[2], p.accounts[1] }, snapshot.ReasonEncoding},
		{"an account all zero", func(_ *network, p *parts) {
			p.accounts = append(p.accounts, slices.Concat([]byte{2}, bytes.Repeat([]byte{255}, 32), make([]byte, 24)))
		}, snapshot.ReasonEncoding},

		{"another expiry", func(_ *network, p *parts) { p.transfers[6][8] ^= 1 }, snapshot.ReasonState},
		{"a transfer missing", func(_ *network, p *parts) { p.transfers = p.transfers[1:] }, snapshot.ReasonState},
		{"a transfer twice", func(_ *network, p *parts) { p.transfers = slices.Insert(p.transfers, 1, p.transfers[1]) }, snapshot.ReasonEncoding},
		{"transfers swapped", func(_ *network, p *parts) { p.transfers[0], p.transfers[1] = p.transfers[1], p.transfers[0] }, snapshot.ReasonEncoding},
		{"a transfer under two expiries", func(_ *network, p *parts) {
			again := bytes.Clone(p.transfers[0])
			again[1] = 0x7f
			p.transfers = append(p.transfers, again)
		}, snapshot.ReasonState},

		{"an account after the transfers", func(_ *network, p *parts) { p.transfers = append(p.transfers, p.accounts[6]) }, snapshot.ReasonEncoding},
		{"a transfer before the accounts", func(_ *network, p *parts) { p.accounts = slices.Insert(p.accounts, 0, p.transfers[0]) }, snapshot.ReasonEncoding},
		{"an anchor after the accounts", func(_ *network, p *parts) { p.accounts = append(p.accounts, p.anchors[0]) }, snapshot.ReasonEncoding},
		{"no end", func(_ *network, p *parts) { p.end = nil }, snapshot.ReasonEncoding},
		{"an unknown record", func(_ *network, p *parts) { p.end = []byte{5} }, snapshot.ReasonEncoding},

		{"another digest", func(_ *network, p *parts) { p.digest = make([]byte, 32) }, snapshot.ReasonChecksum},
		{"no signature", func(_ *network, p *parts) { p.signatures = nil }, snapshot.ReasonFinality},
		{"a signature missing", func(_ *network, p *parts) { p.signatures = p.signatures[1:] }, snapshot.ReasonFinality},
		{"a bad signature", func(_ *network, p *parts) { p.signatures[1].Signature[5] ^= 1 }, snapshot.ReasonFinality},
		{"a seat twice", func(_ *network, p *parts) { p.signatures = append(p.signatures, p.signatures[2]) }, snapshot.ReasonFinality},
		{"an unknown seat", func(_ *network, p *parts) { p.signatures[2].Seat = 4 }, snapshot.ReasonFinality},
		{"signatures over the commitment before", func(n *network, p *parts) {
			p.signatures = n.signatures(&n.anchors[13].Commitment, 0, 1, 2, 3)
		}, snapshot.ReasonFinality},

		{"no witness", func(_ *network, p *parts) { p.witness = nil }, snapshot.ReasonWitness},
		{"a witness cut short", func(_ *network, p *parts) { p.witness = p.witness[:200] }, snapshot.ReasonWitness},
		{"another witness", func(n *network, p *parts) {
			p.witness = n.makeWitness(15, func(_ *message.Draft, w *message.Witness) { w.Round++ }).Bytes()
		}, snapshot.ReasonWitness},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := city(t)
			p := n.parts()
			if _, err := n.read(p.seal()); err != nil {
				t.Fatal(err)
			}
			test.change(n, p)
			_, err := n.read(p.seal())
			wantReason(t, err, test.want)
		})
	}
}

// begin lets the snapshot begin at another anchor, with everything that belongs to
// it.
func (n *network) begin(p *parts, first int) {
	p.first, p.before, p.anchors = uint64(first), nil, nil
	if first > 1 {
		p.before = n.anchors[first-2].Commitment.Encode()
	}
	p.peaks = nil
	for level := 63; level >= 0; level-- {
		if first>>level&1 == 1 {
			p.peaks = append(p.peaks, n.nodes[[2]uint64{uint64(level), uint64(first>>level - 1)}])
		}
	}
	for i := range n.anchors[first-1:] {
		p.anchors = append(p.anchors, anchorRecord(&n.anchors[first-1+i]))
	}
}

// TestSignedRubbish is what a quorum signed and a node must refuse all the same,
// for it could not have come about.
func TestSignedRubbish(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(n *network, c *proof.Commitment)
		want   snapshot.Reason
	}{
		{"another network", func(_ *network, c *proof.Commitment) { c.Network[0] ^= 1 }, snapshot.ReasonGenesis},
		{"a later epoch", func(_ *network, c *proof.Commitment) { c.Epoch = 1 }, snapshot.ReasonGenesis},
		{"another committee", func(_ *network, c *proof.Commitment) { c.Committee[0] ^= 1 }, snapshot.ReasonGenesis},
		{"other parameters", func(_ *network, c *proof.Commitment) { c.Parameters[0] ^= 1 }, snapshot.ReasonGenesis},
		{"another index", func(_ *network, c *proof.Commitment) { c.Index++ }, snapshot.ReasonChain},
		{"time goes back", func(n *network, c *proof.Commitment) { c.Time = n.time(14) - 1 }, snapshot.ReasonChain},
		{"another tree", func(_ *network, c *proof.Commitment) { c.Tree[0] ^= 1 }, snapshot.ReasonChain},
		{"another anchor before", func(_ *network, c *proof.Commitment) { c.Previous[0] ^= 1 }, snapshot.ReasonChain},
		{"more messages than an anchor may have", func(_ *network, c *proof.Commitment) { c.Count = 3001 }, snapshot.ReasonList},
		{"fewer messages than its root", func(_ *network, c *proof.Commitment) { c.Count = 0 }, snapshot.ReasonList},
		{"another root", func(_ *network, c *proof.Commitment) { c.Included[0] ^= 1 }, snapshot.ReasonList},
		{"another state", func(_ *network, c *proof.Commitment) { c.State[0] ^= 1 }, snapshot.ReasonState},
		{"another anchor", func(_ *network, c *proof.Commitment) { c.Anchor[0] ^= 1 }, snapshot.ReasonWitness},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := city(t)
			test.change(n, &n.last().Commitment)
			_, err := n.read(n.parts().seal())
			wantReason(t, err, test.want)
		})
	}
}

// TestSignedWitnesses: the anchor is the one that was signed, and yet no witness
// of this network.
func TestSignedWitnesses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*message.Draft, *message.Witness)
	}{
		{"a data message", func(d *message.Draft, _ *message.Witness) {
			d.Kind, d.Payload = message.KindData, (&message.Data{Topic: "a"}).Append(nil)
		}},
		{"of another network", func(d *message.Draft, _ *message.Witness) { d.Network[0] ^= 1 }},
		{"of a later epoch", func(_ *message.Draft, w *message.Witness) { w.Epoch = 1 }},
		{"of another seat", func(_ *message.Draft, w *message.Witness) { w.Seat = 2 }},
		{"with a bad commit signature", func(_ *message.Draft, w *message.Witness) { w.Commit.Signature[3] ^= 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := city(t)
			m := n.makeWitness(15, test.change)
			n.witness, n.last().Commitment.Anchor = m.Bytes(), m.ID()
			_, err := n.read(n.parts().seal())
			wantReason(t, err, snapshot.ReasonWitness)
		})
	}
}

// TestOtherGenesis: the reader's genesis decides, not the file's.
func TestOtherGenesis(t *testing.T) {
	n := city(t)
	file, _ := n.write()
	other, _ := testGenesis("elsewhere")
	_, err := snapshot.Read(t.Context(), bytes.NewReader(file), snapshot.ReadOptions{Genesis: other}, snapshot.Sink{})
	wantReason(t, err, snapshot.ReasonGenesis)
}

func TestTrust(t *testing.T) {
	n := city(t)
	right := snapshot.Trust{Index: 15, Commitment: n.last().Commitment.Hash()}
	wrongHash, wrongIndex := right, right
	wrongHash.Commitment[0] ^= 1
	wrongIndex.Index--
	bad := n.signatures(&n.last().Commitment, 2)
	bad[0].Signature[1] ^= 1
	for _, test := range []struct {
		name       string
		trust      *snapshot.Trust
		signatures []proof.Signature
		refused    bool
		trusted    bool
	}{
		{"a quorum", nil, n.signatures(&n.last().Commitment, 0, 2, 3), false, false},
		{"a quorum and trust", &right, n.signatures(&n.last().Commitment, 0, 2, 3), false, false},
		{"a quorum, another trusted", &wrongHash, n.signatures(&n.last().Commitment, 0, 2, 3), true, false},
		{"a quorum, another index trusted", &wrongIndex, n.signatures(&n.last().Commitment, 0, 2, 3), true, false},
		{"trust alone", &right, nil, false, true},
		{"trust and too few signatures", &right, n.signatures(&n.last().Commitment, 2), false, true},
		{"trust and a bad signature", &right, bad, true, false},
		{"neither", nil, nil, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := n.parts()
			p.signatures = test.signatures
			options := n.options()
			options.Trust = test.trust
			info, err := snapshot.Read(t.Context(), bytes.NewReader(p.seal()), options, snapshot.Sink{})
			if test.refused {
				wantReason(t, err, snapshot.ReasonFinality)
			} else if err != nil || info.Trusted != test.trusted {
				t.Errorf("trusted %v, %v, want %v", info.Trusted, err, test.trusted)
			}
		})
	}
	// The accounts are not read before the word is compared.
	options := n.options()
	options.Trust = &wrongHash
	sink := snapshot.Sink{Account: func(snapshot.Account) error { t.Error("got an account"); return nil }}
	file, _ := n.write()
	_, err := snapshot.Read(t.Context(), bytes.NewReader(file), options, sink)
	wantReason(t, err, snapshot.ReasonFinality)
}
