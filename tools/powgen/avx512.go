package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanesAVX512 is how many nonces a 512-bit register holds.
const lanesAVX512 = 8

// avx512 is the state of eight hashes: 32 registers hold all of it.
type avx512 struct {
	*build.Context
	v [16]reg.VecVirtual
	m [messageWords]reg.VecVirtual
}

func searchAVX512(c *build.Context, t tables) {
	declare(c, "searchAVX512", lanesAVX512)
	k := avx512{Context: c}
	b := c.Load(c.Param("words"), c.GP64())
	n := c.Load(c.Param("n"), c.GP64())
	i := c.GP64()
	c.XORQ(i, i)

	nonces, step, mask, limit := c.ZMM(), c.ZMM(), c.ZMM(), c.ZMM()
	at := c.GP64()
	c.Load(c.Param("start"), at)
	c.VPBROADCASTQ(at, nonces)
	c.VPADDQ(t.iota, nonces, nonces)
	c.MOVQ(operand.U64(lanesAVX512), at)
	c.VPBROADCASTQ(at, step)
	c.Load(c.Param("limit"), at)
	c.VPBROADCASTQ(at, limit)
	c.VMOVDQU64(t.swap, mask)
	for w := range nonceWord {
		k.m[w] = c.ZMM()
		c.VPBROADCASTQ(operand.Mem{Base: b, Disp: 8 * w}, k.m[w])
	}
	k.m[nonceWord] = c.ZMM()
	chain := c.ZMM()
	c.MOVQ(operand.U64(h0), at)
	c.VPBROADCASTQ(at, chain)
	for w := range k.v {
		k.v[w] = c.ZMM()
	}

	c.Label("group")
	c.CMPQ(i, n)
	c.JAE(operand.LabelRef("done"))
	c.VPSHUFB(mask, nonces, k.m[nonceWord])
	for w := range k.v {
		c.VPBROADCASTQ(operand.Mem{Base: b, Disp: 32 + 8*w}, k.v[w])
	}
	for _, step := range steps() {
		for _, m := range step {
			k.mix(m)
		}
	}
	// digest word = h0 ^ v[0] ^ v[8]; its lowest byte is the digest's first.
	c.VPXORQ(k.v[8], k.v[0], k.v[0])
	c.VPXORQ(chain, k.v[0], k.v[0])
	c.VPSHUFB(mask, k.v[0], k.v[0])
	hits := c.K()
	c.VPCMPUQ(operand.U8(2), limit, k.v[0], hits) // 2: less or equal, unsigned
	bits := c.GP32()
	c.KMOVW(hits, bits)
	c.TESTL(bits, bits)
	c.JNZ(operand.LabelRef("found"))
	c.VPADDQ(step, nonces, nonces)
	c.ADDQ(operand.U8(lanesAVX512), i)
	c.JMP(operand.LabelRef("group"))

	c.Label("found")
	c.BSFL(bits, bits)
	c.ADDQ(bits.As64(), i)

	c.Label("done")
	c.VZEROUPPER()
	c.Store(i, c.ReturnIndex(0))
	c.RET()
}

// mix does a mixing of eight hashes at once.
func (k *avx512) mix(m mixing) {
	a, b, c, d := k.v[m.a], k.v[m.b], k.v[m.c], k.v[m.d]
	for u := range m.updates {
		switch u {
		case 0:
			k.add(a, b, m.x)
		case 1:
			k.rotate(d, a, 32)
		case 3:
			k.rotate(b, c, 24)
		case 4:
			k.add(a, b, m.y)
		case 5:
			k.rotate(d, a, 16)
		case 2, 6:
			k.VPADDQ(d, c, c)
		case 7:
			k.rotate(b, c, 63)
		}
	}
}

// add is a += b + m[word].
func (k *avx512) add(a, b reg.VecVirtual, word int) {
	k.VPADDQ(b, a, a)
	if word < messageWords {
		k.VPADDQ(k.m[word], a, a)
	}
}

// rotate is a = (a^b) >>> n.
func (k *avx512) rotate(a, b reg.VecVirtual, n uint64) {
	k.VPXORQ(b, a, a)
	k.VPRORQ(operand.U8(n), a, a)
}
