package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanesAVX2 is how many nonces a 256-bit register holds.
const lanesAVX2 = 4

// avx2 is the state of four hashes. It fills all sixteen registers, one for each
// word, and what else there is lives in slots of the stack frame, which most
// instructions read at no cost. A second group of four between the instructions
// of the first would have half of its state in memory at any time.
//
// To rotate by 63 bits takes a free register. The word guest gives up its own:
// it is done early in a step, wanted late in the next one, and an addition can
// take it from its slot.
type avx2 struct {
	*build.Context
	frame reg.GPVirtual
	t     tables
}

// guest is the state word that is in its slot from the end of a step until it
// is updated in the next. It is a c of a mixing in either step; the first step,
// with one mixing left, does not touch it.
const guest = 8

// slot is the place of a vector in the stack frame.
type slot int

// The first slots are the message words.
const (
	slotGuest  slot = messageWords + iota // word guest between two steps
	slotNonces                            // of the next group
	slotMask                              // the bits of a digest word that tell a solution
	slotWant                              // what h0 wants the state to have there
	slots
)

// slotSize is the length of a vector, in bytes.
const slotSize = 8 * lanesAVX2

func (k *avx2) slot(s slot) operand.Mem {
	return operand.Mem{Base: k.frame, Disp: slotSize * int(s)}
}

// word is the register of a state word.
func (k *avx2) word(w int) reg.Register {
	return [...]reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}[w]
}

func searchAVX2(c *build.Context, t tables) {
	declare(c, "searchAVX2", lanesAVX2)
	k := avx2{Context: c, frame: c.GP64(), t: t}
	b := c.Load(c.Param("words"), c.GP64())
	n := c.Load(c.Param("n"), c.GP64())
	i := c.GP64()
	c.XORQ(i, i)
	k.prepare(b)

	c.Label("group")
	c.CMPQ(i, n)
	c.JAE(operand.LabelRef("done"))
	k.nextNonces()
	for w := range 16 {
		c.VPBROADCASTQ(operand.Mem{Base: b, Disp: 32 + 8*w}, k.word(w))
	}
	for _, step := range steps() {
		k.mix(step)
	}
	hits := k.hits()
	c.TESTL(hits, hits)
	c.JNZ(operand.LabelRef("found"))
	c.ADDQ(operand.U8(lanesAVX2), i)
	c.JMP(operand.LabelRef("group"))

	c.Label("found")
	c.BSFL(hits, hits)
	c.ADDQ(hits.As64(), i)

	c.Label("done")
	c.VZEROUPPER()
	c.Store(i, c.ReturnIndex(0))
	c.RET()
}

// prepare fills the slots with what all groups have in common; words are the
// 20 of a block.
func (k *avx2) prepare(words reg.Register) {
	// Go aligns a frame to a word; a vector across two cache lines is slow.
	local := k.AllocLocal(slotSize * int(slots+1))
	k.LEAQ(local.Offset(slotSize-1), k.frame)
	k.ANDQ(operand.I32(-slotSize), k.frame)

	y := k.word(0)
	for w := range nonceWord {
		k.VPBROADCASTQ(operand.Mem{Base: words, Disp: 8 * w}, y)
		k.VMOVDQA(y, k.slot(slot(w)))
	}
	k.broadcast(k.Load(k.Param("start"), k.GP64()))
	k.VPADDQ(k.t.iota, y, y)
	k.VMOVDQA(y, k.slot(slotNonces))

	mask, want := solution(k.Context)
	k.broadcast(mask)
	k.VMOVDQA(y, k.slot(slotMask))
	k.broadcast(want)
	k.VMOVDQA(y, k.slot(slotWant))
}

// broadcast sets all lanes of the first register.
func (k *avx2) broadcast(from reg.Register) {
	k.VMOVQ(from, reg.X0)
	k.VPBROADCASTQ(reg.X0, reg.Y0)
}

// nextNonces sets message word 4, and counts on.
func (k *avx2) nextNonces() {
	now, swapped := k.word(0), k.word(1)
	k.VMOVDQA(k.slot(slotNonces), now)
	k.VPSHUFB(k.t.swap, now, swapped)
	k.VMOVDQA(swapped, k.slot(nonceWord))
	k.VPADDQ(k.t.four, now, now)
	k.VMOVDQA(now, k.slot(slotNonces))
}

// hits has a bit for each hash that has enough zero bits. The digest word is
// h0 ^ v[0] ^ v[8], its lowest byte the digest's first.
func (k *avx2) hits() reg.GPVirtual {
	y := k.word(0)
	k.VPXOR(k.word(8), y, y)
	k.VPAND(k.slot(slotMask), y, y)
	k.VPCMPEQQ(k.slot(slotWant), y, y)
	hits := k.GP32()
	k.VMOVMSKPD(y, hits)
	return hits
}
