package pow

import "math/bits"

//go:generate go run -C ../tools ./powgen ../pow

// searchFunc returns the least nonce in [start, start+n) whose hash has at least
// the given number of leading zero bits, 1..64. The range wraps around at 2^64:
// least is then the first from start on.
type searchFunc func(b *block, start, n uint64, zeros int) (nonce uint64, ok bool)

// kernel is one way to search.
type kernel struct {
	name   string
	search searchFunc
}

// kernels are those that this machine can run, the widest first.
func kernels() []kernel { return append(simdKernels(), portable()) }

func portable() kernel { return kernel{name: "portable", search: searchPortable} }

func searchPortable(b *block, start, n uint64, zeros int) (uint64, bool) {
	// The digest's first byte is the lowest of the word, its first bit the
	// highest of that byte.
	mask := bits.ReverseBytes64(^(^uint64(0) >> zeros))
	for i := range n {
		if b.word(start+i)&mask == 0 {
			return start + i, true
		}
	}
	return 0, false
}
