// Command powgen writes the assembly of package pow: see the go:generate line
// there. Its output is committed; the same sources give the same bytes.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// lanes is how many nonces a 512-bit register holds.
const lanes = 8

// sigma is BLAKE2b's message schedule (RFC 7693, section 2.7); the last two of
// the twelve rounds repeat the first two.
var sigma = [10][16]int{
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	{14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
	{11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
	{7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
	{9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
	{2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
	{12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
	{13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
	{6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
	{10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

// quarter lists the state words of the eight mixings of a round: columns, then
// diagonals.
var quarter = [8][4]int{
	{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
	{0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14},
}

var (
	v [16]VecVirtual
	m [5]VecVirtual // message words 0..4; all others are zero
)

func main() {
	ConstraintExpr("amd64")

	swap := GLOBL("swap", RODATA|NOPTR)
	for i := range 64 {
		DATA(i, U8(i/8*8+7-i%8))
	}
	iota := GLOBL("iota", RODATA|NOPTR)
	for i := range lanes {
		DATA(8*i, U64(i))
	}

	TEXT("searchAVX512", NOSPLIT, "func(words *uint64, start, n, limit uint64) (i uint64)")
	Pragma("noescape")
	Doc("searchAVX512 tries the n nonces from start on, n a multiple of 8, and returns",
		"the offset of the first whose digest's first word, in big-endian order, is at",
		"most limit; n if there is none. words are the 20 of a block.")
	b := Load(Param("words"), GP64())
	n := Load(Param("n"), GP64())
	i := GP64()
	XORQ(i, i)

	nonces, step, mask, limit := ZMM(), ZMM(), ZMM(), ZMM()
	at := GP64()
	Load(Param("start"), at)
	VPBROADCASTQ(at, nonces)
	VPADDQ(iota, nonces, nonces)
	MOVQ(U64(lanes), at)
	VPBROADCASTQ(at, step)
	Load(Param("limit"), at)
	VPBROADCASTQ(at, limit)
	VMOVDQU64(swap, mask)
	for w := range 4 {
		m[w] = ZMM()
		VPBROADCASTQ(Mem{Base: b, Disp: 8 * w}, m[w])
	}
	m[4] = ZMM()
	h0 := ZMM()
	MOVQ(U64(0x6a09e667f3bcc908^0x01010020), at)
	VPBROADCASTQ(at, h0)
	for w := range v {
		v[w] = ZMM()
	}

	Label("group")
	CMPQ(i, n)
	JAE(LabelRef("done"))
	VPSHUFB(mask, nonces, m[4])
	for w := range v {
		VPBROADCASTQ(Mem{Base: b, Disp: 32 + 8*w}, v[w])
	}
	for round := range 12 {
		for q := range 8 {
			// newBlock has done what does not depend on the nonce.
			if round == 0 && (q == 0 || q == 1 || q == 3) {
				continue
			}
			// The first digest word is made of v[0] and v[8] alone.
			if round == 11 && (q == 5 || q == 7) {
				continue
			}
			s := sigma[round%10]
			mix(quarter[q], s[2*q], s[2*q+1])
		}
	}
	// digest word = h0 ^ v[0] ^ v[8]; its lowest byte is the digest's first.
	VPXORQ(v[8], v[0], v[0])
	VPXORQ(h0, v[0], v[0])
	VPSHUFB(mask, v[0], v[0])
	hits := K()
	VPCMPUQ(U8(2), limit, v[0], hits) // 2: less or equal, unsigned
	bits := GP32()
	KMOVW(hits, bits)
	TESTL(bits, bits)
	JNZ(LabelRef("found"))
	VPADDQ(step, nonces, nonces)
	ADDQ(U8(lanes), i)
	JMP(LabelRef("group"))

	Label("found")
	BSFL(bits, bits)
	ADDQ(bits.As64(), i)

	Label("done")
	VZEROUPPER()
	Store(i, ReturnIndex(0))
	RET()
	Generate()
}

// mix is BLAKE2b's G (RFC 7693, section 3.1) on eight nonces at once.
func mix(words [4]int, x, y int) {
	a, b, c, d := v[words[0]], v[words[1]], v[words[2]], v[words[3]]
	half := func(word int, rotateD, rotateB uint64) {
		VPADDQ(b, a, a)
		if word < len(m) {
			VPADDQ(m[word], a, a)
		}
		VPXORQ(a, d, d)
		VPRORQ(U8(rotateD), d, d)
		VPADDQ(d, c, c)
		VPXORQ(c, b, b)
		VPRORQ(U8(rotateB), b, b)
	}
	half(x, 32, 24)
	half(y, 16, 63)
}
