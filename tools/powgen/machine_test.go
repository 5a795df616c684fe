package main

import (
	"fmt"
	"math/bits"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// machine runs a search function instruction by instruction, by Intel's manual
// (volume 2), so that a kernel is tested where no processor can run it. It knows
// what the kernels need, and gives up at anything else.
type machine struct {
	// registers are 512 bits; shorter ones are the lowest words. A write clears
	// the rest, as those of vectors and of 32 bits do.
	registers map[reg.ID]vector
	memory    map[uint64]uint64 // words by address
	symbols   map[string]uint64 // addresses
	writable  [2]uint64         // the stack frame
	// flags names the instruction that set the flags last, as far as a jump may
	// depend on it; below and zero are what CMPQ and TESTL found.
	flags       string
	below, zero bool
	dirty       bool // more than 128 bits of a vector were written since VZEROUPPER
}

// vector is the words of a register.
type vector [8]uint64

// Where a machine has things. The stack is aligned to a word and no more, as
// Go's is.
const (
	argumentsAt = 0x1000
	resultAt    = argumentsAt + 4*8
	wordsAt     = 0x2008
	tablesAt    = 0x3000
	stackAt     = 0x8008
)

// run calls a search function, whose signature is that in search.go.
func run(f *ir.File, name string, words [20]uint64, start, n, limit uint64) (i uint64, err error) {
	m := &machine{registers: map[reg.ID]vector{}, memory: map[uint64]uint64{}, symbols: map[string]uint64{}}
	for at, word := range []uint64{wordsAt, start, n, limit} {
		m.memory[argumentsAt+8*uint64(at)] = word
	}
	for at, word := range words {
		m.memory[wordsAt+8*uint64(at)] = word
	}
	next := uint64(tablesAt)
	var function *ir.Function
	for _, s := range f.Sections {
		switch s := s.(type) {
		case *ir.Global:
			m.symbols[s.Symbol.Name] = next
			for _, d := range s.Data {
				m.memory[next+uint64(d.Offset)] = constant(d.Value)
			}
			next += uint64(s.Size)
		case *ir.Function:
			if s.Name == name {
				function = s
			}
		}
	}
	if function == nil {
		return 0, fmt.Errorf("no function %s", name)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: %v", name, r)
		}
	}()
	m.writable = [2]uint64{stackAt, stackAt + uint64(function.LocalSize)}
	m.call(function)
	return m.memory[resultAt], nil
}

func (m *machine) call(f *ir.Function) {
	labels := map[ir.Label]int{}
	for at, node := range f.Nodes {
		if l, ok := node.(ir.Label); ok {
			labels[l] = at
		}
	}
	for at := 0; ; at++ {
		in, ok := f.Nodes[at].(*ir.Instruction)
		if !ok {
			continue
		}
		switch in.Opcode {
		case "RET":
			if m.dirty {
				panic("RET without VZEROUPPER")
			}
			return
		case "JMP":
			at = labels[*in.TargetLabel()]
		case "JAE":
			m.flagsOf("CMPQ")
			if !m.below {
				at = labels[*in.TargetLabel()]
			}
		case "JNZ":
			m.flagsOf("TESTL")
			if !m.zero {
				at = labels[*in.TargetLabel()]
			}
		default:
			m.step(in)
		}
	}
}

// flagsOf makes sure that a jump depends on what an instruction found.
func (m *machine) flagsOf(opcode string) {
	if m.flags != opcode {
		panic("a jump by the flags of " + m.flags + ", want " + opcode)
	}
}

// step does an instruction that is no jump. Operands are in Go's order, with the
// destination last.
func (m *machine) step(in *ir.Instruction) {
	op := in.Operands
	// each sets every word of the third operand by those of the others.
	each := func(word func(x, y uint64) uint64) {
		var out vector
		n := width(op[2])
		x, y := m.vector(op[0], n), m.vector(op[1], n)
		for w := range n {
			out[w] = word(x[w], y[w])
		}
		m.set(op[2], out)
	}
	switch in.Opcode {
	case "XORQ", "ADDQ", "ANDQ", "BSFL", "CMPQ", "TESTL":
		m.flags = in.Opcode
	}
	switch in.OpcodeWithSuffixes() {
	case "MOVQ", "VMOVQ", "KMOVW":
		m.set(op[1], vector{m.vector(op[0], 1)[0]})
	case "LEAQ":
		m.set(op[1], vector{m.address(op[0].(operand.Mem))})
	case "XORQ":
		if op[0] != op[1] {
			panic("XORQ that does not clear")
		}
		m.set(op[1], vector{})
	case "ADDQ":
		m.set(op[1], vector{m.vector(op[1], 1)[0] + m.vector(op[0], 1)[0]})
	case "ANDQ":
		m.set(op[1], vector{m.vector(op[1], 1)[0] & m.vector(op[0], 1)[0]})
	case "NOTQ":
		m.set(op[0], vector{^m.vector(op[0], 1)[0]})
	case "BSWAPQ":
		m.set(op[0], vector{bits.ReverseBytes64(m.vector(op[0], 1)[0])})
	case "BSFL":
		m.set(op[1], vector{uint64(bits.TrailingZeros32(uint32(m.vector(op[0], 1)[0])))})
	case "CMPQ":
		m.below = m.vector(op[0], 1)[0] < m.vector(op[1], 1)[0]
	case "TESTL":
		m.zero = uint32(m.vector(op[0], 1)[0]&m.vector(op[1], 1)[0]) == 0

	case "VZEROUPPER":
		// It clears registers 0 to 15, and the processor treats the others as clean
		// by themselves: no instruction of the older sets can name them.
		for id := range m.registers {
			if id.Kind() == reg.KindVector && id.Index() < 16 {
				v := m.registers[id]
				clear(v[2:])
				m.registers[id] = v
			}
		}
		m.dirty = false
	case "VMOVDQA", "VMOVDQA64":
		n := width(op[0])
		if _, ok := op[0].(operand.Mem); ok {
			n = width(op[1])
		}
		for _, o := range op {
			if at, ok := o.(operand.Mem); ok && m.address(at)%(8*uint64(n)) != 0 {
				panic(fmt.Sprintf("%s: not aligned", at.Asm()))
			}
		}
		m.store(op[1], m.vector(op[0], n), n)
	case "VPBROADCASTQ":
		word := m.vector(op[0], 1)[0]
		m.set(op[1], vector{word, word, word, word, word, word, word, word})
	case "VPADDQ":
		each(func(x, y uint64) uint64 { return x + y })
	case "VPADDQ.BCST":
		word := m.vector(op[0], 1)[0]
		each(func(_, y uint64) uint64 { return word + y })
	case "VPXOR", "VPXORQ":
		each(func(x, y uint64) uint64 { return x ^ y })
	case "VPAND", "VPANDQ":
		each(func(x, y uint64) uint64 { return x & y })
	case "VPSRLQ":
		n := constant(op[0].(operand.Constant))
		each(func(_, y uint64) uint64 { return y >> n })
	case "VPRORQ":
		n := constant(op[0].(operand.Constant))
		each(func(_, y uint64) uint64 { return bits.RotateLeft64(y, -int(n)) })
	case "VPSHUFD":
		if constant(op[0].(operand.Constant)) != 0b10_11_00_01 {
			panic("VPSHUFD that does not swap the halves of words")
		}
		each(func(_, y uint64) uint64 { return bits.RotateLeft64(y, 32) })
	case "VPSHUFB":
		n := width(op[2])
		m.set(op[2], shuffled(m.vector(op[0], n), m.vector(op[1], n), n))
	case "VPCMPEQQ":
		m.compare(op[2], m.vector(op[0], width(op[1])), m.vector(op[1], width(op[1])), width(op[1]))
	case "VMOVMSKPD":
		var mask uint64
		for w, word := range m.vector(op[0], width(op[0])) {
			mask |= word >> 63 << w
		}
		m.set(op[1], vector{mask})
	case "KUNPCKBW":
		m.set(op[2], vector{m.vector(op[0], 1)[0]&0xff | m.vector(op[1], 1)[0]&0xff<<8})
	default:
		panic("unknown: " + in.OpcodeWithSuffixes())
	}
}

// compare is VPCMPEQQ, which sets a bit of a mask register for each word, or all
// bits of the word in a vector.
func (m *machine) compare(to operand.Op, x, y vector, n int) {
	var mask uint64
	var words vector
	for w := range n {
		if x[w] == y[w] {
			mask |= 1 << w
			words[w] = ^uint64(0)
		}
	}
	if to.(reg.Register).Kind() == reg.KindOpmask {
		words = vector{mask}
	}
	m.set(to, words)
}

// shuffled takes bytes by their places within 128 bits.
func shuffled(places, from vector, n int) (out vector) {
	for i := range 8 * n {
		place := places[i/8] >> (i % 8 * 8) & 0xff
		if place > 15 {
			panic("VPSHUFB that clears a byte")
		}
		source := i/16*16 + int(place)
		out[i/8] |= from[source/8] >> (source % 8 * 8) & 0xff << (i % 8 * 8)
	}
	return out
}

// vector reads n words.
func (m *machine) vector(o operand.Op, n int) (v vector) {
	switch o := o.(type) {
	case operand.Constant:
		v[0] = constant(o)
	case operand.Mem:
		for w := range n {
			word, ok := m.memory[m.address(o)+8*uint64(w)]
			if !ok {
				panic(o.Asm() + ": nothing was ever written there")
			}
			v[w] = word
		}
	case reg.Register:
		all, ok := m.registers[o.(reg.Physical).ID()]
		if !ok {
			panic(o.Asm() + ": read before it was set")
		}
		copy(v[:n], all[:n])
	}
	return v
}

// set writes to a register, or a word to memory.
func (m *machine) set(o operand.Op, v vector) { m.store(o, v, width(o)) }

func (m *machine) store(o operand.Op, v vector, n int) {
	at, ok := o.(operand.Mem)
	if !ok {
		r := o.(reg.Physical)
		clear(v[n:])
		if r.Size() == 4 {
			v[0] = uint64(uint32(v[0]))
		}
		m.registers[r.ID()] = v
		m.dirty = m.dirty || n > 2
		return
	}
	for w := range n {
		word := m.address(at) + 8*uint64(w)
		if word != resultAt && (word < m.writable[0] || word+8 > m.writable[1]) {
			panic(at.Asm() + ": written outside of the frame")
		}
		m.memory[word] = v[w]
	}
}

func (m *machine) address(at operand.Mem) uint64 {
	if at.Index != nil {
		panic(at.Asm() + ": has an index")
	}
	offset := uint64(at.Disp)
	switch at.Base {
	case reg.FramePointer:
		return argumentsAt + offset
	case reg.StackPointer:
		return stackAt + offset
	case reg.StaticBase:
		return m.symbols[at.Symbol.Name] + offset
	}
	return m.vector(at.Base, 1)[0] + offset
}

// width is how many words an operand has; memory has one.
func width(o operand.Op) int {
	if r, ok := o.(reg.Register); ok {
		return max(1, int(r.Size())/8)
	}
	return 1
}

// constant is the value of a constant, its sign extended.
func constant(c operand.Constant) uint64 {
	switch c := c.(type) {
	case operand.U8:
		return uint64(c)
	case operand.I32:
		return uint64(int64(c))
	case operand.U64:
		return uint64(c)
	}
	panic(fmt.Sprintf("constant %s", c.Asm()))
}
