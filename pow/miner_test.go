package pow

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/blake2b"
)

// reference is the rule by the library, with nothing precomputed.
func reference(hash [32]byte, nonce uint64) [32]byte {
	return blake2b.Sum256(binary.BigEndian.AppendUint64(hash[:], nonce))
}

func randomHash(r *rand.Rand) (hash [32]byte) {
	for i := range hash {
		hash[i] = byte(r.Uint32())
	}
	return hash
}

func TestWordIsTheDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		hash := randomHash(r)
		b := newBlock(hash)
		for _, nonce := range []uint64{0, 1, math.MaxUint64, math.MaxUint32, 1 << 32, r.Uint64()} {
			sum := reference(hash, nonce)
			if got, want := b.word(nonce), binary.LittleEndian.Uint64(sum[:]); got != want {
				t.Fatalf("word(%x, %d) = %x, want %x", hash, nonce, got, want)
			}
		}
	}
}

func TestZeros(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		hash, nonce := randomHash(r), r.Uint64()
		sum, want := reference(hash, nonce), 0
		for want < 256 && sum[want/8]&(0x80>>(want%8)) == 0 {
			want++
		}
		if got := Zeros(hash, nonce); got != want {
			t.Fatalf("Zeros(%x, %d) = %d, want %d", hash, nonce, got, want)
		}
	}
}

// TestMineFindsTheLeast: alone and with many workers the least nonce is found.
func TestMineFindsTheLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, workers := range []int{1, 2, 7} {
		m := New(Options{Workers: workers})
		for _, zeros := range []int{0, 1, 7, 8, 9, aloneBits, aloneBits + 2} {
			hash := randomHash(r)
			want := uint64(0)
			for Zeros(hash, want) < zeros {
				want++
			}
			got, err := m.Mine(t.Context(), hash, zeros)
			if err != nil || got != want {
				t.Errorf("%d workers, %d bits: nonce %d, %v, want %d", workers, zeros, got, err, want)
			}
		}
	}
}

func TestSearchKeepsToItsRange(t *testing.T) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) { testRange(t, k.search) })
	}
}

func testRange(t *testing.T, search func(b *block, start, n uint64, zeros int) (uint64, bool)) {
	hash := [32]byte{9}
	b := newBlock(hash)
	const zeros = 10
	first, ok := search(&b, 0, 1<<20, zeros)
	if !ok || Zeros(hash, first) < zeros {
		t.Fatalf("among a million: %d, %v", first, ok)
	}
	if got, ok := search(&b, 0, first, zeros); ok {
		t.Errorf("found %d before the first, %d", got, first)
	}
	// Wherever the range begins, and so in every lane, the least is found.
	for start := first - min(first, 40); start <= first; start++ {
		if got, ok := search(&b, start, first-start+1, zeros); !ok || got != first {
			t.Errorf("from %d: %d, %v, want %d", start, got, ok, first)
		}
		if got, ok := search(&b, start, first-start, zeros); ok {
			t.Errorf("from %d to before %d: found %d", start, first, got)
		}
	}
	// The range goes on at zero behind the greatest nonce.
	for back := range uint64(20) {
		if got, ok := search(&b, -back, first+1+back, zeros); !ok || got != first && Zeros(hash, got) < zeros {
			t.Errorf("across the end, from %d before it: %d, %v", back, got, ok)
		}
	}
}

// TestKernelsAgree: every kernel finds what the portable one finds.
func TestKernelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, k := range kernels() {
		for range 300 {
			b := newBlock(randomHash(r))
			start, n, zeros := r.Uint64(), r.Uint64N(3000), 1+r.IntN(12)
			want, wantOK := searchPortable(&b, start, n, zeros)
			if got, ok := k.search(&b, start, n, zeros); got != want || ok != wantOK {
				t.Fatalf("%s from %d, %d nonces, %d bits: %d, %v; portable %d, %v", k.name, start, n, zeros, got, ok, want, wantOK)
			}
		}
	}
}

func TestMineRefusesBits(t *testing.T) {
	for _, zeros := range []int{-1, MaxBits + 1} {
		if _, err := New(Options{}).Mine(t.Context(), [32]byte{}, zeros); err == nil {
			t.Errorf("%d bits: nil error", zeros)
		}
	}
}

func TestMineEndsWithItsContext(t *testing.T) {
	const workers = 2
	for _, zeros := range []int{aloneBits - 1, MaxBits} {
		ctx, cancel := context.WithCancel(t.Context())
		m := New(Options{Workers: workers})
		var searched atomic.Int64
		m.kernel.search = func(*block, uint64, uint64, int) (uint64, bool) {
			searched.Add(1)
			cancel()
			return 0, false
		}
		if _, err := m.Mine(ctx, [32]byte{}, zeros); !errors.Is(err, context.Canceled) {
			t.Errorf("%d bits: %v, want context.Canceled", zeros, err)
		}
		if n := searched.Load(); n > workers {
			t.Errorf("%d bits: %d chunks searched, want one a worker at most", zeros, n)
		}
		if len(m.slots) != 0 {
			t.Errorf("%d bits: %d slots still taken", zeros, len(m.slots))
		}
	}
}

// TestWorkersAreShared: however many mine, as many goroutines search as the
// Miner has workers, no more.
func TestWorkersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		m := New(Options{Workers: workers})
		var now, most atomic.Int64
		m.kernel.search = func(b *block, start, _ uint64, _ int) (uint64, bool) {
			for at := now.Add(1); ; {
				if seen := most.Load(); at <= seen || most.CompareAndSwap(seen, at) {
					break
				}
			}
			defer now.Add(-1)
			time.Sleep(time.Millisecond)
			return start, b.m[0] == 1
		}
		endless, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 2 * workers {
			all.Go(func() {
				if _, err := m.Mine(endless, [32]byte{2, byte(i)}, MaxBits); !errors.Is(err, context.Canceled) {
					t.Errorf("endless search: %v", err)
				}
			})
		}
		for range 20 {
			if _, err := m.Mine(t.Context(), [32]byte{1}, 8); err != nil {
				t.Error(err)
			}
		}
		cancel()
		all.Wait()
		if most.Load() != workers {
			t.Errorf("%d searched at the same time, want %d", most.Load(), workers)
		}
	})
}

// TestLeastChunkWins: of the solutions that several workers find, the one in
// the least chunk wins, whichever is found first; and once one is known nobody
// begins another chunk.
func TestLeastChunkWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := []time.Duration{10, 5, 3, 7} // chunk 2 is done first, the empty chunk 0 last
		m := New(Options{Workers: len(took)})
		var searched atomic.Int64
		m.kernel.search = func(_ *block, start, _ uint64, _ int) (uint64, bool) {
			searched.Add(1)
			i := start / chunk
			time.Sleep(took[i%uint64(len(took))] * time.Second)
			return start + 5, i > 0
		}
		got, err := m.Mine(t.Context(), [32]byte{}, MaxBits)
		if want := uint64(chunk + 5); err != nil || got != want {
			t.Errorf("nonce %d, %v, want %d", got, err, want)
		}
		if n := searched.Load(); n != int64(len(took)) {
			t.Errorf("%d chunks searched, want %d", n, len(took))
		}
	})
}

// TestFewBitsAreSearchedAlone: a search that is over in a moment takes one
// worker, any other takes them all.
func TestFewBitsAreSearchedAlone(t *testing.T) {
	const workers = 4
	for zeros, want := range map[int]int64{1: 1, aloneBits: 1, aloneBits + 1: workers, MaxBits: workers} {
		synctest.Test(t, func(t *testing.T) {
			m := New(Options{Workers: workers})
			var searched atomic.Int64
			m.kernel.search = func(_ *block, start, _ uint64, _ int) (uint64, bool) {
				searched.Add(1)
				time.Sleep(time.Second)
				return start, true
			}
			if _, err := m.Mine(t.Context(), [32]byte{}, zeros); err != nil {
				t.Error(err)
			}
			if n := searched.Load(); n != want {
				t.Errorf("%d bits: %d chunks searched at once, want %d", zeros, n, want)
			}
		})
	}
}

// TestSolvedDoesNotQueue: a worker that waits for its turn goes home when
// another one has the solution.
func TestSolvedDoesNotQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Workers: 1})
		s := search{m: m, zeros: MaxBits, solved: make(chan struct{})}
		s.best.Store(noChunk)
		m.slots <- struct{}{} // someone else's, for ever
		var waiting sync.WaitGroup
		waiting.Go(func() { s.run(t.Context()) })
		synctest.Wait()
		s.found(0, 7)
		waiting.Wait()
	})
}

// TestLongSearchGivesWay: with one worker, a search waits for a turn of
// another at most, however long that other one has still to go.
func TestLongSearchGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{Workers: 1})
		m.kernel.search = func(b *block, start, _ uint64, _ int) (uint64, bool) {
			time.Sleep(time.Millisecond)
			return start, b.m[0] == 1
		}
		endless, cancel := context.WithCancel(t.Context())
		var other sync.WaitGroup
		other.Go(func() {
			if _, err := m.Mine(endless, [32]byte{2}, MaxBits); !errors.Is(err, context.Canceled) {
				t.Errorf("endless search: %v", err)
			}
		})
		synctest.Wait()
		began := time.Now()
		if _, err := m.Mine(t.Context(), [32]byte{1}, 1); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > (turn+1)*time.Millisecond {
			t.Errorf("took %v, want at most a turn and a chunk", took)
		}
		cancel()
		other.Wait()
	})
}

func FuzzSearch(f *testing.F) {
	f.Add(make([]byte, 32), uint64(0), 1)
	f.Add([]byte("a hash of thirty-two bytes, or so"), uint64(math.MaxUint64-10), 9)
	f.Fuzz(func(t *testing.T, h []byte, start uint64, zeros int) {
		hash := blake2b.Sum256(h)
		zeros = 1 + int(uint(zeros)%12)
		b := newBlock(hash)
		want, found := uint64(0), false
		for i := uint64(0); i < 256 && !found; i++ {
			want, found = start+i, Zeros(hash, start+i) >= zeros
		}
		for _, k := range kernels() {
			if nonce, ok := k.search(&b, start, 256, zeros); ok != found || ok && nonce != want {
				t.Fatalf("%s from %d: %d, %v, want %d, %v", k.name, start, nonce, ok, want, found)
			}
		}
	})
}

func BenchmarkSearch(b *testing.B) {
	for _, k := range kernels() {
		b.Run(k.name, func(b *testing.B) {
			blk := newBlock([32]byte{1})
			for b.Loop() {
				k.search(&blk, 0, 1024, MaxBits)
			}
			b.ReportMetric(float64(b.N)*1024/b.Elapsed().Seconds(), "hashes/s")
		})
	}
}

// BenchmarkSearchSum256 is the plain way, to compare with.
func BenchmarkSearchSum256(b *testing.B) {
	var in [inputSize]byte
	for b.Loop() {
		for nonce := range uint64(1024) {
			binary.BigEndian.PutUint64(in[32:], nonce)
			blake2b.Sum256(in[:])
		}
	}
	b.ReportMetric(float64(b.N)*1024/b.Elapsed().Seconds(), "hashes/s")
}

func BenchmarkMine10Bits(b *testing.B) {
	m := New(Options{})
	var hash [32]byte
	for i := uint64(0); b.Loop(); i++ {
		binary.BigEndian.PutUint64(hash[:], i)
		if _, err := m.Mine(b.Context(), hash, 10); err != nil {
			b.Fatal(err)
		}
	}
}
