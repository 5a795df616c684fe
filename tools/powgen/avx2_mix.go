package main

import "github.com/mmcloughlin/avo/operand"

// mix does the mixings of a step, update by update, so that four instructions
// that do not wait for each other are always at hand.
func (k *avx2) mix(step []mixing) {
	for u := range 7 {
		for _, m := range step {
			if u < m.updates {
				k.update(m, u)
			}
		}
	}
	// Update 7, for which the guest has to leave.
	for _, m := range step {
		if m.updates == 8 {
			k.VPXOR(k.word(m.c), k.word(m.b), k.word(m.b))
		}
	}
	k.VMOVDQA(k.word(guest), k.slot(slotGuest))
	for _, m := range step {
		if m.updates == 8 {
			k.rotate63(m.b)
		}
	}
}

// update does one of the first seven updates of a mixing.
func (k *avx2) update(m mixing, u int) {
	a, b, c, d := k.word(m.a), k.word(m.b), k.word(m.c), k.word(m.d)
	switch u {
	case 0:
		k.add(m.a, m.b, m.x)
	case 1:
		k.VPXOR(a, d, d)
		k.VPSHUFD(operand.U8(0b10_11_00_01), d, d) // the halves of each word
	case 2:
		if m.c == guest {
			k.VPADDQ(k.slot(slotGuest), d, c)
			return
		}
		k.VPADDQ(d, c, c)
	case 3:
		k.VPXOR(c, b, b)
		k.VPSHUFB(k.t.rotate24, b, b)
	case 4:
		k.add(m.a, m.b, m.y)
	case 5:
		k.VPXOR(a, d, d)
		k.VPSHUFB(k.t.rotate16, d, d)
	case 6:
		k.VPADDQ(d, c, c)
	}
}

// add is a += b + m[word]. The message comes first: a is there before b.
func (k *avx2) add(a, b, word int) {
	if word < messageWords {
		k.VPADDQ(k.slot(slot(word)), k.word(a), k.word(a))
	}
	k.VPADDQ(k.word(b), k.word(a), k.word(a))
}

// rotate63 is w >>> 63, or w + w and the bit that this drops.
func (k *avx2) rotate63(w int) {
	y, free := k.word(w), k.word(guest)
	k.VPADDQ(y, y, free)
	k.VPSRLQ(operand.U8(63), y, y)
	k.VPXOR(free, y, y)
}
