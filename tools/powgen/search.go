package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// signature is that of every search function.
const signature = "func(words *uint64, start, n, limit uint64) (i uint64)"

// declare begins a search function that tries so many nonces side by side.
func declare(c *build.Context, name string, lanes int) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Pragma("noescape")
	c.Doc(
		fmt.Sprintf("%s tries the n nonces from start on in groups of %d, and returns", name, lanes),
		"the offset of the first whose digest's first word, in big-endian order, is at",
		"most limit: 2^k-1 for any k. It is n or more if there is none; the last group",
		"may reach behind the range. words are the 20 of a block.")
}

// solution loads by what a solution is told: a digest word, before it is xored
// with h0, has to be want in the bits of mask. The limit is 2^k-1: a word in
// big-endian order is at most that if the bits above are zero, which spares to
// turn digest words around.
func solution(c *build.Context) (mask, want reg.GPVirtual) {
	mask, want = c.GP64(), c.GP64()
	c.Load(c.Param("limit"), mask)
	c.NOTQ(mask)
	c.BSWAPQ(mask)
	c.MOVQ(operand.U64(h0), want)
	c.ANDQ(mask, want)
	return mask, want
}
