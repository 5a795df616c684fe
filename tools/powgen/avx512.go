package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	// halfAVX512 is how many nonces a 512-bit register holds.
	halfAVX512 = 8
	// lanesAVX512 is how many nonces a group has.
	lanesAVX512 = 2 * halfAVX512
	// vectorAVX512 is the length of a register, in bytes.
	vectorAVX512 = 8 * halfAVX512
)

// avx512 is the state of sixteen hashes, in two halves that take turns: with
// eight mixings side by side a processor whose vector instructions take two
// cycles still has four to begin in each. The state fills all 32 registers.
// Message words come from memory, which an addition reads at no cost: those of
// the hash are repeated for all lanes as they are read, the nonces lie in the
// stack frame.
type avx512 struct {
	*build.Context
	words reg.Register // the 20 of a block
	frame reg.GPVirtual
	t     tables
}

// half is one of the two.
type half int

var halves = [...]half{0, 1}

// word is the register of a state word.
func (h half) word(w int) reg.Register {
	return [...]reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}[16*int(h)+w]
}

// nonces is where message word 4 of a half is.
func (k *avx512) nonces(h half) operand.Mem {
	return operand.Mem{Base: k.frame, Disp: vectorAVX512 * int(h)}
}

func searchAVX512(c *build.Context, t tables) {
	declare(c, "searchAVX512", lanesAVX512)
	k := avx512{Context: c, words: c.Load(c.Param("words"), c.GP64()), frame: c.GP64(), t: t}
	n := c.Load(c.Param("n"), c.GP64())
	start := c.Load(c.Param("start"), c.GP64())
	mask, want := solution(c)
	// Go aligns a frame to a word; a vector across two cache lines is slow.
	local := c.AllocLocal(vectorAVX512 * (len(halves) + 1))
	c.LEAQ(local.Offset(vectorAVX512-1), k.frame)
	c.ANDQ(operand.I32(-vectorAVX512), k.frame)
	i := c.GP64()
	c.XORQ(i, i)

	c.Label("group")
	c.CMPQ(i, n)
	c.JAE(operand.LabelRef("done"))
	k.setNonces(start)
	for w := range 16 {
		for _, h := range halves {
			c.VPBROADCASTQ(operand.Mem{Base: k.words, Disp: 32 + 8*w}, h.word(w))
		}
	}
	for _, step := range steps() {
		k.mix(step)
	}
	hits := k.hits(mask, want)
	c.TESTL(hits, hits)
	c.JNZ(operand.LabelRef("found"))
	c.ADDQ(operand.U8(lanesAVX512), start)
	c.ADDQ(operand.U8(lanesAVX512), i)
	c.JMP(operand.LabelRef("group"))

	c.Label("found")
	c.BSFL(hits, hits)
	c.ADDQ(hits.As64(), i)

	c.Label("done")
	c.VZEROUPPER()
	c.Store(i, c.ReturnIndex(0))
	c.RET()
}

// setNonces sets message word 4 of both halves.
func (k *avx512) setNonces(start reg.Register) {
	for _, h := range halves {
		z := h.word(0)
		k.VPBROADCASTQ(start, z)
		k.VPADDQ(k.t.iota.Offset(vectorAVX512*int(h)), z, z)
		k.VPSHUFB(k.t.swap, z, z)
		k.VMOVDQA64(z, k.nonces(h))
	}
}

// mix does the mixings of a step in both halves, update by update, so that
// eight instructions that do not wait for each other are always at hand.
func (k *avx512) mix(step []mixing) {
	for u := range 8 {
		for _, m := range step {
			for _, h := range halves {
				if u < m.updates {
					k.update(h, m, u)
				}
			}
		}
	}
}

// update does one update of a mixing in a half.
func (k *avx512) update(h half, m mixing, u int) {
	a, b, c, d := h.word(m.a), h.word(m.b), h.word(m.c), h.word(m.d)
	switch u {
	case 0:
		k.add(h, a, b, m.x)
	case 1:
		k.rotate(d, a, 32)
	case 3:
		k.rotate(b, c, 24)
	case 4:
		k.add(h, a, b, m.y)
	case 5:
		k.rotate(d, a, 16)
	case 2, 6:
		k.VPADDQ(d, c, c)
	case 7:
		k.rotate(b, c, 63)
	}
}

// add is a += b + m[word]. The message comes first: a is there before b.
func (k *avx512) add(h half, a, b reg.Register, word int) {
	switch {
	case word < nonceWord:
		k.VPADDQ_BCST(operand.Mem{Base: k.words, Disp: 8 * word}, a, a)
	case word == nonceWord:
		k.VPADDQ(k.nonces(h), a, a)
	}
	k.VPADDQ(b, a, a)
}

// rotate is a = (a^b) >>> n.
func (k *avx512) rotate(a, b reg.Register, n uint64) {
	k.VPXORQ(b, a, a)
	k.VPRORQ(operand.U8(n), a, a)
}

// hits has a bit for each hash that has enough zero bits, those of the first
// half lowest.
func (k *avx512) hits(mask, want reg.Register) reg.GPVirtual {
	// Nothing depends on words 1 and 2 any more.
	zmask, zwant := halves[0].word(1), halves[0].word(2)
	k.VPBROADCASTQ(mask, zmask)
	k.VPBROADCASTQ(want, zwant)
	var hits [len(halves)]reg.Register
	for _, h := range halves {
		hits[h] = k.K()
		z := h.word(0)
		k.VPXORQ(h.word(8), z, z)
		k.VPANDQ(zmask, z, z)
		k.VPCMPEQQ(zwant, z, hits[h])
	}
	k.KUNPCKBW(hits[0], hits[1], hits[0])
	all := k.GP32()
	k.KMOVW(hits[0], all)
	return all
}
