package pow

import (
	"slices"
	"testing"

	"golang.org/x/sys/cpu"
)

// TestKernelsOfAMachine: a kernel is there where the machine can run it, and
// the widest is the first.
func TestKernelsOfAMachine(t *testing.T) {
	for _, c := range []struct {
		avx2, avx512 bool
		want         []string
	}{
		{false, false, nil},
		{true, false, []string{"avx2"}},
		{false, true, []string{"avx512"}},
		{true, true, []string{"avx512", "avx2"}},
	} {
		if got := names(simdKernelsWith(c.avx2, c.avx512)); !slices.Equal(got, c.want) {
			t.Errorf("AVX2 %v, AVX-512 %v: %v, want %v", c.avx2, c.avx512, got, c.want)
		}
	}
	here := names(kernels())
	if got := slices.Contains(here, "avx2"); got != cpu.X86.HasAVX2 {
		t.Errorf("avx2 here: %v, want %v", got, cpu.X86.HasAVX2)
	}
	if got := slices.Contains(here, "avx512"); got != (cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW) {
		t.Errorf("avx512 here: %v", got)
	}
	if last := here[len(here)-1]; last != "portable" {
		t.Errorf("the last kernel is %s, want portable", last)
	}
	if got := New(Options{}).kernel.name; got != here[0] {
		t.Errorf("New takes %s, want %s", got, here[0])
	}
}

func names(list []kernel) (names []string) {
	for _, k := range list {
		names = append(names, k.name)
	}
	return names
}
