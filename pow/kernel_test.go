package pow

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// searchReference is what a kernel has to find, by the library.
func searchReference(hash [32]byte, start, n uint64, zeros int) (uint64, bool) {
	for i := range n {
		if zeroBits(hash, start+i) >= zeros {
			return start + i, true
		}
	}
	return 0, false
}

// eachKernel runs a test with every kernel of this machine.
func eachKernel(t *testing.T, test func(t *testing.T, k kernel)) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// check compares a kernel with the library.
func (k kernel) check(t *testing.T, hash [32]byte, start, n uint64, zeros int) {
	t.Helper()
	b := newBlock(hash)
	want, wantOK := searchReference(hash, start, n, zeros)
	if got, ok := k.search(&b, start, n, zeros); got != want || ok != wantOK {
		t.Fatalf("hash %x from %d, %d nonces, %d bits: %d, %v, want %d, %v",
			hash, start, n, zeros, got, ok, want, wantOK)
	}
}

// TestSearchIsTheReference: with any hash, from anywhere, over any length. With
// few bits a group of lanes has several solutions, and the first one counts.
func TestSearchIsTheReference(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(7, 8))
		for range 300 {
			k.check(t, randomHash(r), r.Uint64(), r.Uint64N(1500), 1+r.IntN(12))
		}
	})
}

// TestSearchFromTheEdges: where a nonce carries into its next byte or word, or
// from 2^64 to zero, inside a group of lanes and between two groups.
func TestSearchFromTheEdges(t *testing.T) {
	edges := []uint64{0, 1 << 8, 1 << 16, 1 << 31, 1 << 32, 1 << 56, 1 << 63}
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(9, 10))
		for _, edge := range edges {
			for before := range uint64(2 * 16) {
				for _, zeros := range []int{1, 3, 5} {
					k.check(t, randomHash(r), edge-before, before+r.Uint64N(48), zeros)
				}
			}
		}
	})
}

// TestSearchKeepsToItsRange: the first solution is found in whichever lane it
// is, and not by a range that ends before it, which is of any length.
func TestSearchKeepsToItsRange(t *testing.T) {
	hash := [32]byte{9}
	const zeros = 10
	first, ok := searchReference(hash, 0, 1<<20, zeros)
	if !ok {
		t.Fatal("no solution among a million")
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for start := first - min(first, 40); start <= first; start++ {
			k.check(t, hash, start, first-start+1, zeros)
			k.check(t, hash, start, first-start, zeros)
		}
		for back := range uint64(20) {
			k.check(t, hash, -back, first+1+back, zeros)
		}
	})
}

// TestSearchCountsEveryBit: a digest with 32 zero bits has enough for 32 and
// less, and not for any more.
func TestSearchCountsEveryBit(t *testing.T) {
	hash, nonce, has := [32]byte{'r', 'a', 'r', 'e'}, uint64(483704211), 32
	if got := zeroBits(hash, nonce); got != has {
		t.Fatalf("%d zero bits, want %d", got, has)
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for before := range uint64(16) {
			for zeros := 1; zeros <= MaxBits; zeros++ {
				k.check(t, hash, nonce-before, 32, zeros)
			}
		}
	})
}

func FuzzSearch(f *testing.F) {
	f.Add(make([]byte, 32), uint64(0), 1)
	f.Add([]byte("a hash of thirty-two bytes, or so"), uint64(math.MaxUint64-10), 9)
	f.Fuzz(func(t *testing.T, h []byte, start uint64, zeros int) {
		for _, k := range kernels() {
			k.check(t, blake2b.Sum256(h), start, 256, 1+int(uint(zeros)%12))
		}
	})
}

// BenchmarkSearch has sum256, the plain way, to compare with.
func BenchmarkSearch(b *testing.B) {
	const nonces = 1024
	sum256 := func(_ *block, start, n uint64, _ int) (uint64, bool) {
		var in [inputSize]byte
		for nonce := start; nonce < start+n; nonce++ {
			binary.BigEndian.PutUint64(in[32:], nonce)
			blake2b.Sum256(in[:])
		}
		return 0, false
	}
	for _, k := range append(kernels(), kernel{"sum256", sum256}) {
		b.Run(k.name, func(b *testing.B) {
			blk := newBlock([32]byte{1})
			for b.Loop() {
				k.search(&blk, 0, nonces, MaxBits)
			}
			b.ReportMetric(float64(b.N)*nonces/b.Elapsed().Seconds(), "hashes/s")
		})
	}
}
