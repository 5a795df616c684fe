package ledger

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2b"
)

const (
	lthashNumbers = 1024
	lthashSize    = 2 * lthashNumbers
)

// lthash is LtHash16 with n = 1,024 and BLAKE2Xb: a hash of a set that is kept
// current by adding and removing elements, in any order. An element is expanded to
// 1,024 numbers of 16 bits by BLAKE2Xb of 2,048 bytes, and the hash is their sum
// modulo 2^16, number by number. To find two sets of one sum is a problem of short
// vectors in a lattice, of 200 bits of security or more.
//
// M. Bellare, D. Micciancio, A New Paradigm for Collision-free Hashing:
// Incrementality at Reduced Cost, EUROCRYPT 1997. K. Lewi, W. Kim, I. Maykov,
// S. Weis, Securing Update Propagation with Homomorphic Hashing, IACR 2019/227.
type lthash struct {
	sum      [lthashNumbers]uint16
	xof      blake2b.XOF
	expanded [lthashSize]byte
}

func newLtHash() *lthash {
	xof, err := blake2b.NewXOF(lthashSize, nil)
	if err != nil {
		panic(err) // the size is a constant that it takes
	}
	return &lthash{xof: xof}
}

func (h *lthash) expand(element []byte) {
	// Neither can fail before 2,048 bytes were read.
	h.xof.Reset()
	h.xof.Write(element)
	h.xof.Read(h.expanded[:])
}

// add and remove spend over nine tenths of their time on the expansion: to sum four
// numbers at once would not be felt.
func (h *lthash) add(element []byte) {
	h.expand(element)
	for i := range h.sum {
		h.sum[i] += binary.LittleEndian.Uint16(h.expanded[2*i:])
	}
}

func (h *lthash) remove(element []byte) {
	h.expand(element)
	for i := range h.sum {
		h.sum[i] -= binary.LittleEndian.Uint16(h.expanded[2*i:])
	}
}

// bytes is the sum as 1,024 little-endian numbers of 16 bits.
func (h *lthash) bytes() []byte {
	b := make([]byte, 0, lthashSize)
	for _, n := range h.sum {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}
