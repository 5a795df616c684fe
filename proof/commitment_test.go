package proof_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"tangled/message"
	"tangled/proof"
)

func fill(b byte) [32]byte { return [32]byte(bytes.Repeat([]byte{b}, 32)) }

// everyField has another value in each field.
func everyField() proof.Commitment {
	return proof.Commitment{
		Network:    message.NetworkID{1, 2, 3, 4, 5, 6, 7, 8},
		Epoch:      0x11121314,
		Index:      0x2122232425262728,
		Anchor:     message.NewID(0x3132333435363738, fill(0x40)),
		Time:       0x5152535455565758,
		Previous:   fill(0x61),
		Tree:       fill(0x62),
		Count:      0x7172737475767778,
		Included:   fill(0x81),
		State:      fill(0x82),
		Committee:  fill(0x83),
		Parameters: fill(0x84),
	}
}

// TestCommitmentEncoding pins the encoding byte by byte: C_j is for ever.
func TestCommitmentEncoding(t *testing.T) {
	c := everyField()
	want := "0102030405060708" + "11121314" + "2122232425262728" +
		"3132333435363738" + strings.Repeat("40", 32) + "5152535455565758" +
		strings.Repeat("61", 32) + strings.Repeat("62", 32) + "7172737475767778" +
		strings.Repeat("81", 32) + strings.Repeat("82", 32) + strings.Repeat("83", 32) + strings.Repeat("84", 32)
	b := c.Encode()
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("encoded %s\n   want %s", got, want)
	}
	if len(b) != proof.CommitmentSize || proof.CommitmentSize != 268 {
		t.Errorf("%d bytes, CommitmentSize %d, want 268", len(b), proof.CommitmentSize)
	}
	if c.Hash() != blake2b.Sum256(b) {
		t.Error("the hash is not that of the encoding")
	}
	const wantHash = "308757a647a669ec41712395236819d3e6293dc29ad55e339dbf108e1577d63e"
	if hash := c.Hash(); hex.EncodeToString(hash[:]) != wantHash {
		t.Errorf("hash %x, want %s", hash, wantHash)
	}
	decoded, err := proof.DecodeCommitment(b)
	if err != nil || decoded != c {
		t.Errorf("decoded %+v, %v\n   want %+v", decoded, err, c)
	}
}

// TestEveryCommitmentByteHashed: no field is left out of C_j.
func TestEveryCommitmentByteHashed(t *testing.T) {
	c := everyField()
	for i := range proof.CommitmentSize {
		b := c.Encode()
		b[i] ^= 1
		other, err := proof.DecodeCommitment(b)
		if err != nil {
			t.Fatal(err)
		}
		if other.Hash() == c.Hash() || reflect.DeepEqual(other, c) {
			t.Errorf("byte %d makes no difference", i)
		}
	}
}

func TestDecodeCommitmentRefuses(t *testing.T) {
	c := everyField()
	for _, b := range [][]byte{nil, c.Encode()[:proof.CommitmentSize-1], append(c.Encode(), 0)} {
		_, err := proof.DecodeCommitment(b)
		wantReason(t, err, proof.ReasonEncoding)
	}
}

func TestLeaf(t *testing.T) {
	id := message.NewID(0x0102030405060708, fill(0x09))
	want := append(bytes.Clone(id[:]), 0x0a)
	if got := proof.Leaf(id, 0x0a); !bytes.Equal(got, want) || len(got) != proof.LeafSize {
		t.Errorf("leaf %x, want %x", got, want)
	}
}

func wantReason(t *testing.T, err error, want proof.Reason) {
	t.Helper()
	var invalid *proof.InvalidError
	switch {
	case !errors.As(err, &invalid):
		t.Errorf("error %v, want %s", err, want)
	case invalid.Reason != want:
		t.Errorf("reason %s (%v), want %s", invalid.Reason, err, want)
	case invalid.Unwrap() == nil || !strings.HasPrefix(err.Error(), "invalid proof: "):
		t.Errorf("error %q says nothing", err)
	}
}
