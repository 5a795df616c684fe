package pow

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// reference is the digest by the library, with nothing precomputed.
func reference(hash [32]byte, nonce uint64) [32]byte {
	return blake2b.Sum256(binary.BigEndian.AppendUint64(hash[:], nonce))
}

// zeroBits is how many of the reference's first 64 bits are zero before the
// first that is not.
func zeroBits(hash [32]byte, nonce uint64) int {
	sum := reference(hash, nonce)
	return bits.LeadingZeros64(binary.BigEndian.Uint64(sum[:]))
}

func randomHash(r *rand.Rand) (hash [32]byte) {
	for i := range hash {
		hash[i] = byte(r.Uint32())
	}
	return hash
}

func TestWordIsTheDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		hash := randomHash(r)
		b := newBlock(hash)
		for _, nonce := range []uint64{0, 1, math.MaxUint64, math.MaxUint32, 1 << 32, r.Uint64()} {
			sum := reference(hash, nonce)
			if got, want := b.word(nonce), binary.LittleEndian.Uint64(sum[:]); got != want {
				t.Fatalf("word(%x, %d) = %x, want %x", hash, nonce, got, want)
			}
		}
	}
}
