package pow

import "golang.org/x/sys/cpu"

// simdKernels are the kernels in assembly that this machine can run, the
// widest first.
func simdKernels() []kernel {
	return simdKernelsWith(cpu.X86.HasAVX2, cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW)
}

func simdKernelsWith(avx2, avx512 bool) []kernel {
	var list []kernel
	if avx512 {
		list = append(list, kernel{name: "avx512", search: inGroups(searchAVX512)})
	}
	if avx2 {
		list = append(list, kernel{name: "avx2", search: inGroups(searchAVX2)})
	}
	return list
}

// inGroups searches by assembly, the contract of which is in search_amd64.go.
func inGroups(groups func(words *uint64, start, n, limit uint64) uint64) searchFunc {
	return func(b *block, start, n uint64, zeros int) (uint64, bool) {
		i := groups(&b.m[0], start, n, ^uint64(0)>>zeros)
		if i >= n {
			return 0, false
		}
		return start + i, true
	}
}
