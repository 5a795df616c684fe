package pow

import "golang.org/x/sys/cpu"

// lanesAVX512 is how many nonces the kernel searches side by side.
const lanesAVX512 = 8

func simdKernels() []kernel {
	if !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW {
		return nil
	}
	return []kernel{{name: "avx512", search: func(b *block, start, n uint64, zeros int) (uint64, bool) {
		whole := n / lanesAVX512 * lanesAVX512
		if i := searchAVX512(&b.m[0], start, whole, ^uint64(0)>>zeros); i < whole {
			return start + i, true
		}
		return searchPortable(b, start+whole, n-whole, zeros)
	}}}
}
