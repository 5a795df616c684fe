package merkle_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"
)

// The definitions of RFC 6962, section 2.1, word by word and slow. The package
// is compared with them.

// referenceRoot is MTH(D[n]).
func referenceRoot(leaves [][]byte) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0x00}, leaves[0]...))
	default:
		k := largestPowerBelow(n)
		return referenceNode(referenceRoot(leaves[:k]), referenceRoot(leaves[k:]))
	}
}

// referencePath is PATH(m, D[n]).
func referencePath(leaves [][]byte, m int) [][32]byte {
	if len(leaves) == 1 {
		return nil
	}
	k := largestPowerBelow(len(leaves))
	if m < k {
		return append(referencePath(leaves[:k], m), referenceRoot(leaves[k:]))
	}
	return append(referencePath(leaves[k:], m-k), referenceRoot(leaves[:k]))
}

func referenceNode(left, right [32]byte) [32]byte {
	b := append([]byte{0x01}, left[:]...)
	return sha256.Sum256(append(b, right[:]...))
}

// largestPowerBelow is k: the largest power of two smaller than n.
func largestPowerBelow(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// numbered are n leaves of size bytes that differ.
func numbered(n, size int) [][]byte {
	leaves := make([][]byte, n)
	for i := range leaves {
		leaves[i] = make([]byte, size)
		binary.BigEndian.PutUint32(leaves[i], uint32(i))
	}
	return leaves
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
