package pow

import "math/bits"

//go:generate go run -C ../tools ./powgen -out ../pow/search_amd64.s -stubs ../pow/search_amd64.go -pkg pow

// kernel is one way to search.
type kernel struct {
	name string
	// search returns the least nonce in [start, start+n) whose hash has at least
	// the given number of leading zero bits, 1..64. The range wraps around at
	// 2^64.
	search func(b *block, start, n uint64, zeros int) (nonce uint64, ok bool)
}

// kernels are those that this machine can run, the fastest first.
func kernels() []kernel { return append(simdKernels(), portable()) }

func portable() kernel { return kernel{name: "portable", search: searchPortable} }

func searchPortable(b *block, start, n uint64, zeros int) (uint64, bool) {
	// The digest's first byte is the lowest of the word: its leading zero bits
	// are those of the word with its bytes turned around.
	limit := ^uint64(0) >> zeros // zero for 64
	for i := range n {
		if bits.ReverseBytes64(b.word(start+i)) <= limit {
			return start + i, true
		}
	}
	return 0, false
}
