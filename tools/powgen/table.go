package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// tables are the constants in memory. A kernel with shorter registers reads the
// beginning of a table.
type tables struct {
	swap operand.Mem // VPSHUFB: the bytes of every word turned around
	iota operand.Mem // 0, 1, 2 and so on: the lanes of the first nonces
	four operand.Mem // the distance of one group of nonces from the next
	// VPSHUFB: every word rotated to the right by so many bits.
	rotate24, rotate16 operand.Mem
}

func newTables(c *build.Context) tables {
	return tables{
		swap:     shuffle(c, "swap", 8, func(i int) int { return 7 - i }),
		iota:     table(c, "iota", lanesAVX512, func(lane int) uint64 { return uint64(lane) }),
		four:     table(c, "four", 4, func(int) uint64 { return 4 }),
		rotate24: shuffle(c, "rotate24", 4, func(i int) int { return (i + 3) % 8 }),
		rotate16: shuffle(c, "rotate16", 4, func(i int) int { return (i + 2) % 8 }),
	}
}

// table lays down a word for each lane.
func table(c *build.Context, name string, lanes int, word func(lane int) uint64) operand.Mem {
	at := c.StaticGlobal(name)
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for lane := range lanes {
		c.AddDatum(8*lane, operand.U64(word(lane)))
	}
	return at
}

// shuffle lays down what VPSHUFB needs to take the byte i of every word from
// its byte from(i). VPSHUFB counts bytes from the beginning of a register's 128
// bits, which hold two words.
func shuffle(c *build.Context, name string, lanes int, from func(i int) int) operand.Mem {
	return table(c, name, lanes, func(lane int) (word uint64) {
		for i := range 8 {
			word |= uint64(lane%2*8+from(i)) << (8 * i)
		}
		return word
	})
}
