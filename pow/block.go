package pow

import (
	"encoding/binary"
	"math/bits"
)

// The initial state of BLAKE2b (RFC 7693, section 2.6).
const (
	iv0 = 0x6a09e667f3bcc908
	iv1 = 0xbb67ae8584caa73b
	iv2 = 0x3c6ef372fe94f82b
	iv3 = 0xa54ff53a5f1d36f1
	iv4 = 0x510e527fade682d1
	iv5 = 0x9b05688c2b3e6c1f
	iv6 = 0x1f83d9abfb41bd6b
	iv7 = 0x5be0cd19137e2179
)

const (
	// inputSize is the length of what is hashed, in bytes: hash, then nonce.
	inputSize = 32 + 8
	// h0 is the first chaining word of an unkeyed BLAKE2b with a digest of 32
	// bytes: the parameter block 0x01010020 over iv0 (RFC 7693, section 3.3).
	h0 = iv0 ^ 0x01010020
)

// block is the one BLAKE2b block of a search with everything in it that does
// not depend on the nonce worked out in advance. It is read-only once made, so
// any number of goroutines may search it at once.
//
// Of the sixteen message words only five are not zero: the hash is words 0 to
// 3 and the nonce is word 4. In the first round's column step the nonce meets
// the third column alone; v is the working state after the other three. The
// assembly reads the 20 words in this order.
type block struct {
	m [4]uint64
	v [16]uint64
}

// newBlock prepares the search of hash.
func newBlock(hash [32]byte) block {
	var b block
	for i := range b.m {
		b.m[i] = binary.LittleEndian.Uint64(hash[8*i:])
	}
	v := [16]uint64{
		h0, iv1, iv2, iv3, iv4, iv5, iv6, iv7,
		iv0, iv1, iv2, iv3, iv4 ^ inputSize, iv5, ^uint64(iv6), iv7,
	}
	v[0], v[4], v[8], v[12] = g(v[0], v[4], v[8], v[12], b.m[0], b.m[1])
	v[1], v[5], v[9], v[13] = g(v[1], v[5], v[9], v[13], b.m[2], b.m[3])
	v[3], v[7], v[11], v[15] = g(v[3], v[7], v[11], v[15], 0, 0)
	b.v = v
	return b
}

// g is BLAKE2b's mixing function (RFC 7693, section 3.1).
func g(a, b, c, d, x, y uint64) (uint64, uint64, uint64, uint64) {
	a += b + x
	d = bits.RotateLeft64(d^a, -32)
	c += d
	b = bits.RotateLeft64(b^c, -24)
	a += b + y
	d = bits.RotateLeft64(d^a, -16)
	c += d
	b = bits.RotateLeft64(b^c, -63)
	return a, b, c, d
}
