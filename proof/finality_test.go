package proof_test

import (
	"slices"
	"testing"

	"tangled/proof"
)

// TestQuorum: more than two thirds of the weight, not of the seats and not two
// thirds exactly.
func TestQuorum(t *testing.T) {
	for _, test := range []struct {
		name    string
		weights []uint64
		seats   []int
		final   bool
	}{
		{"one of one", equal(1), []int{0}, true},
		{"none of one", equal(1), nil, false},
		{"two of two", equal(2), []int{0, 1}, true},
		{"one of two", equal(2), []int{1}, false},
		{"two of three are two thirds", equal(3), []int{0, 2}, false},
		{"three of four", equal(4), []int{0, 1, 3}, true},
		{"two of four", equal(4), []int{0, 1}, false},
		{"four of seven", equal(7), []int{0, 1, 2, 3}, false},
		{"five of seven", equal(7), []int{0, 1, 2, 5, 6}, true},
		{"all of seven", equal(7), []int{0, 1, 2, 3, 4, 5, 6}, true},
		{"six of nine", equal(9), []int{0, 1, 2, 3, 4, 5}, false},
		{"one heavy seat", []uint64{7, 1, 1, 1}, []int{0}, true},
		{"three light seats", []uint64{7, 1, 1, 1}, []int{1, 2, 3}, false},
		{"two thirds by weight", []uint64{4, 1, 1}, []int{0}, false},
		{"two thirds and a bit", []uint64{4, 1, 1}, []int{0, 1}, true},
		{"as heavy as can be", slices.Repeat([]uint64{1 << 59}, 4), []int{0, 1, 2}, true},
		{"as heavy, too few", slices.Repeat([]uint64{1 << 59}, 4), []int{0, 1}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, test.weights...)
			c.grow(1, nil)
			f := c.sign(1, test.seats...)
			err := f.Verify(c.genesis)
			if test.final {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, proof.ReasonQuorum)
		})
	}
}

// TestFinalityOfNobody: without a committee nothing is ever final.
func TestFinalityOfNobody(t *testing.T) {
	c := newChain(t)
	c.grow(1, nil)
	f := c.sign(1)
	wantReason(t, f.Verify(c.genesis), proof.ReasonQuorum)
}

func TestFinalityRefuses(t *testing.T) {
	newSigned := func() (*chain, proof.Finality) {
		c := newChain(t, equal(4)...)
		c.grow(1, nil)
		return c, c.sign(1, 0, 1, 2, 3)
	}
	for _, test := range []struct {
		name   string
		change func(c *chain, f *proof.Finality)
		want   proof.Reason
	}{
		{"a seat twice", func(_ *chain, f *proof.Finality) {
			f.Signatures = []proof.Signature{f.Signatures[0], f.Signatures[1], f.Signatures[1]}
		}, proof.ReasonSeat},
		{"a seat twice, beside a quorum", func(_ *chain, f *proof.Finality) {
			f.Signatures = append(f.Signatures, f.Signatures[3])
		}, proof.ReasonSeat},
		{"seats out of order", func(_ *chain, f *proof.Finality) {
			f.Signatures[1], f.Signatures[2] = f.Signatures[2], f.Signatures[1]
		}, proof.ReasonSeat},
		{"an unknown seat beside a quorum", func(_ *chain, f *proof.Finality) {
			f.Signatures = append(f.Signatures, proof.Signature{Seat: 4})
		}, proof.ReasonSeat},
		{"a bad signature beside a quorum", func(_ *chain, f *proof.Finality) {
			f.Signatures[3].Signature[5] ^= 1
		}, proof.ReasonSignature},
		{"another's signature beside a quorum", func(c *chain, f *proof.Finality) {
			f.Signatures[3] = signature(testKey("stranger", 0), 3, &f.Commitment)
		}, proof.ReasonSignature},
		{"signatures over another commitment", func(_ *chain, f *proof.Finality) {
			f.Commitment.State[0] ^= 1
		}, proof.ReasonSignature},
		{"another committee", func(c *chain, _ *proof.Finality) {
			c.genesis.Committee = c.genesis.Committee[:3]
		}, proof.ReasonNetwork},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, f := newSigned()
			if err := f.Verify(c.genesis); err != nil {
				t.Fatal(err)
			}
			test.change(c, &f)
			wantReason(t, f.Verify(c.genesis), test.want)
		})
	}
}

// spoiledCommitments are what no commitment of a network may say, signed by all
// of its seats all the same.
var spoiledCommitments = []struct {
	name   string
	change func(*proof.Commitment)
	want   proof.Reason
}{
	{"another network", func(c *proof.Commitment) { c.Network[7] ^= 1 }, proof.ReasonNetwork},
	{"a later epoch", func(c *proof.Commitment) { c.Epoch = 1 }, proof.ReasonEpoch},
	{"index of the genesis", func(c *proof.Commitment) { c.Index = 0 }, proof.ReasonIndex},
	{"another committee hash", func(c *proof.Commitment) { c.Committee[0] ^= 1 }, proof.ReasonCommittee},
	{"another parameters hash", func(c *proof.Commitment) { c.Parameters[0] ^= 1 }, proof.ReasonParameters},
}

func TestFinalitySpoiledCommitment(t *testing.T) {
	for _, test := range spoiledCommitments {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, equal(4)...)
			c.grow(1, test.change)
			f := c.sign(1, 0, 1, 2, 3)
			wantReason(t, f.Verify(c.genesis), test.want)
		})
	}
}
