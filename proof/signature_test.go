package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"tangled/genesis"
	"tangled/message"
	"tangled/proof"
)

// TestSignatureRefuses: a signature is one seat's over one commitment.
func TestSignatureRefuses(t *testing.T) {
	c := newChain(t, equal(4)...)
	c.grow(1, nil)
	commitment := c.anchors[1].commitment
	good := signature(c.seats[1], 1, &commitment)
	if err := good.Verify(&commitment, c.genesis); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*proof.Commitment){
		"network": func(c *proof.Commitment) { c.Network[0] ^= 1 },
		"epoch":   func(c *proof.Commitment) { c.Epoch++ },
		"index":   func(c *proof.Commitment) { c.Index++ },
		"content": func(c *proof.Commitment) { c.State[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			other := commitment
			change(&other)
			wantReason(t, good.Verify(&other, c.genesis), proof.ReasonSignature)
		})
	}
	for _, seat := range []uint8{0, 2, 3} {
		s := proof.Signature{Seat: seat, Signature: good.Signature}
		wantReason(t, s.Verify(&commitment, c.genesis), proof.ReasonSignature)
	}
	for _, seat := range []uint8{4, 31, 255} {
		s := proof.Signature{Seat: seat, Signature: good.Signature}
		wantReason(t, s.Verify(&commitment, c.genesis), proof.ReasonSeat)
	}
	for bit := range 64 * 8 {
		s := good
		s.Signature[bit/8] ^= 1 << (bit % 8)
		wantReason(t, s.Verify(&commitment, c.genesis), proof.ReasonSignature)
	}
}

// TestSignatureOverAny: every field of what is signed comes from the commitment,
// and whether that is one of the genesis's network is not the signature's
// business.
func TestSignatureOverAny(t *testing.T) {
	c := newChain(t, equal(4)...)
	commitment := everyField()
	s := signature(c.seats[2], 2, &commitment)
	if err := s.Verify(&commitment, c.genesis); err != nil {
		t.Error(err)
	}
}

// TestSignatureHeader: the network, epoch and index in what was signed are those
// of the commitment, whatever its hash says.
func TestSignatureHeader(t *testing.T) {
	c := newChain(t, 1)
	c.grow(1, nil)
	commitment := c.anchors[1].commitment
	network := c.genesis.Network()
	for name, signed := range map[string][]byte{
		"network": message.CommitSigningBytes(message.NetworkID{1}, 0, 1, commitment.Hash()),
		"epoch":   message.CommitSigningBytes(network, 1, 1, commitment.Hash()),
		"index":   message.CommitSigningBytes(network, 0, 2, commitment.Hash()),
		"tag":     bytes.Replace(message.CommitSigningBytes(network, 0, 1, commitment.Hash()), []byte("commit"), []byte("vermit"), 1),
	} {
		s := proof.Signature{Signature: [64]byte(ed25519.Sign(c.seats[0], signed))}
		t.Run(name, func(t *testing.T) { wantReason(t, s.Verify(&commitment, c.genesis), proof.ReasonSignature) })
	}
}

// TestSignatureZIP215: what RFC 8032 leaves open is decided as for messages. With
// points of small order as key and R, canonical or not, and s = 0 the cofactored
// equation holds whatever was signed; the standard library refuses most of them.
func TestSignatureZIP215(t *testing.T) {
	points := []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	commitment := everyField()
	for _, key := range points {
		g := &genesis.Genesis{Committee: []genesis.Seat{{Key: unhex32(t, key), Weight: 1}}}
		for _, r := range points {
			var s proof.Signature
			point := unhex32(t, r)
			copy(s.Signature[:], point[:])
			if err := s.Verify(&commitment, g); err != nil {
				t.Errorf("key %s, R %s: %v", key, r, err)
			}
		}
	}
}

// TestSignatureScalar: s plus the order of the group is the same number, and no
// second signature.
func TestSignatureScalar(t *testing.T) {
	c := newChain(t, 1)
	c.grow(1, nil)
	s := c.sign(1, 0).Signatures[0]
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	slices.Reverse(s.Signature[32:])
	order.Add(order, new(big.Int).SetBytes(s.Signature[32:])).FillBytes(s.Signature[32:])
	slices.Reverse(s.Signature[32:])
	wantReason(t, s.Verify(&c.anchors[1].commitment, c.genesis), proof.ReasonSignature)
}

func TestEncodeSignatures(t *testing.T) {
	c := newChain(t, equal(7)...)
	c.grow(1, nil)
	for _, seats := range [][]int{nil, {0}, {0, 3, 6}, {0, 1, 2, 3, 4, 5, 6}} {
		want := c.sign(1, seats...).Signatures
		b := proof.EncodeSignatures(want)
		if len(b) != 65*len(seats) {
			t.Errorf("%d signatures in %d bytes", len(seats), len(b))
		}
		for i, s := range want {
			if b[65*i] != s.Seat || !bytes.Equal(b[65*i+1:65*i+65], s.Signature[:]) {
				t.Errorf("signature %d of %d is not where it belongs", i, len(want))
			}
		}
		got, err := proof.DecodeSignatures(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decoded %v, %v, want %v", got, err, want)
		}
	}
}

func TestDecodeSignaturesRefuses(t *testing.T) {
	entry := func(seat byte) []byte { return append([]byte{seat}, make([]byte, 64)...) }
	for _, test := range []struct {
		name string
		b    []byte
		want proof.Reason
	}{
		{"a byte too few", entry(1)[:64], proof.ReasonEncoding},
		{"a byte too many", append(entry(1), 2), proof.ReasonEncoding},
		{"a seat twice", append(entry(1), entry(1)...), proof.ReasonSeat},
		{"descending", append(entry(2), entry(1)...), proof.ReasonSeat},
		{"no such seat", entry(31), proof.ReasonSeat},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := proof.DecodeSignatures(test.b)
			wantReason(t, err, test.want)
		})
	}
	if _, err := proof.DecodeSignatures(entry(30)); err != nil {
		t.Errorf("the last seat: %v", err)
	}
}

// FuzzDecodeSignatures: whatever is taken has one encoding.
func FuzzDecodeSignatures(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 65))
	f.Add(append(make([]byte, 65), append([]byte{30}, make([]byte, 64)...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		signatures, err := proof.DecodeSignatures(b)
		if err != nil {
			return
		}
		if again := proof.EncodeSignatures(signatures); !bytes.Equal(again, b) {
			t.Errorf("decoded %x, encoded %x", b, again)
		}
	})
}

func unhex32(t *testing.T, s string) [32]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(b)
}
