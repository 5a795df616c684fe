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
	hash := [32]byte{9}
	b := newBlock(hash)
	const zeros = 10
	first, ok := searchPortable(&b, 0, 1<<20, zeros)
	if !ok {
		t.Fatal("no solution among a million")
	}
	if _, ok := searchPortable(&b, 0, first, zeros); ok {
		t.Error("found one before the first")
	}
	if got, ok := searchPortable(&b, first, 1, zeros); !ok || got != first {
		t.Errorf("a range of one: %d, %v", got, ok)
	}
	// The range goes on at zero behind the greatest nonce.
	if got, ok := searchPortable(&b, math.MaxUint64-3, 1<<20, zeros); !ok || Zeros(hash, got) < zeros {
		t.Errorf("across the end: %d, %v", got, ok)
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
	for _, zeros := range []int{aloneBits - 1, MaxBits} {
		ctx, cancel := context.WithCancel(t.Context())
		m := New(Options{Workers: 2})
		m.kernel.search = func(*block, uint64, uint64, int) (uint64, bool) {
			cancel()
			return 0, false
		}
		if _, err := m.Mine(ctx, [32]byte{}, zeros); !errors.Is(err, context.Canceled) {
			t.Errorf("%d bits: %v, want context.Canceled", zeros, err)
		}
		if len(m.slots) != 0 {
			t.Errorf("%d bits: %d slots still taken", zeros, len(m.slots))
		}
	}
}

// TestWorkersAreShared: however many mine, no more goroutines search than the
// Miner has workers, and a search without end lets others have their turn.
func TestWorkersAreShared(t *testing.T) {
	const workers = 3
	m := New(Options{Workers: workers})
	plain := m.kernel.search
	var now, most atomic.Int64
	m.kernel.search = func(b *block, start, n uint64, zeros int) (uint64, bool) {
		for at := now.Add(1); ; {
			if seen := most.Load(); at <= seen || most.CompareAndSwap(seen, at) {
				break
			}
		}
		defer now.Add(-1)
		return plain(b, start, n, zeros)
	}
	endless, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 2 * workers {
		all.Go(func() {
			if _, err := m.Mine(endless, [32]byte{byte(i)}, MaxBits); !errors.Is(err, context.Canceled) {
				t.Errorf("endless search: %v", err)
			}
		})
	}
	for i := range 50 {
		if _, err := m.Mine(t.Context(), [32]byte{1, byte(i)}, 8); err != nil {
			t.Error(err)
		}
	}
	cancel()
	all.Wait()
	if most.Load() > workers {
		t.Errorf("%d searched at the same time, want at most %d", most.Load(), workers)
	}
}

func FuzzSearch(f *testing.F) {
	f.Add(make([]byte, 32), uint64(0), 1)
	f.Add([]byte("a hash of thirty-two bytes, or so"), uint64(math.MaxUint64-10), 9)
	f.Fuzz(func(t *testing.T, h []byte, start uint64, zeros int) {
		hash := blake2b.Sum256(h)
		zeros = 1 + int(uint(zeros)%12)
		b := newBlock(hash)
		nonce, ok := searchPortable(&b, start, 256, zeros)
		for i := range uint64(256) {
			if Zeros(hash, start+i) >= zeros {
				if !ok || nonce != start+i {
					t.Fatalf("search from %d: %d, %v, want %d", start, nonce, ok, start+i)
				}
				return
			}
		}
		if ok {
			t.Fatalf("search from %d found %d, which is none", start, nonce)
		}
	})
}

func BenchmarkSearchPortable(b *testing.B) {
	blk := newBlock([32]byte{1})
	for b.Loop() {
		searchPortable(&blk, 0, 1024, MaxBits)
	}
	b.ReportMetric(float64(b.N)*1024/b.Elapsed().Seconds(), "hashes/s")
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
