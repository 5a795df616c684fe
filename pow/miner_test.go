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
	"time"

	"tangled/internal/bubbletest"
)

// TestMineFindsTheLeast: alone and with many workers, with every kernel, the
// least nonce is found.
func TestMineFindsTheLeast(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, workers := range []int{1, 2, 7} {
			m := New(Options{Workers: workers})
			m.kernel = k
			for _, zeros := range []int{0, 1, 7, 8, 9, aloneBits, aloneBits + 2} {
				hash := randomHash(r)
				want, _ := searchReference(hash, 0, math.MaxUint64, zeros)
				got, err := m.Mine(t.Context(), hash, zeros)
				if err != nil || got != want {
					t.Errorf("%d workers, %d bits: nonce %d, %v, want %d", workers, zeros, got, err, want)
				}
			}
		}
	})
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
	bubbletest.Run(t, func(t *testing.T) {
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
	bubbletest.Run(t, func(t *testing.T) {
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
		bubbletest.Run(t, func(t *testing.T) {
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
	bubbletest.Run(t, func(t *testing.T) {
		m := New(Options{Workers: 1})
		s := search{m: m, zeros: MaxBits, solved: make(chan struct{})}
		s.best.Store(noChunk)
		m.slots <- struct{}{} // someone else's, for ever
		var waiting sync.WaitGroup
		waiting.Go(func() { s.run(t.Context()) })
		bubbletest.Wait()
		s.found(0, 7)
		waiting.Wait()
	})
}

// TestLongSearchGivesWay: with one worker, a search waits for a turn of
// another at most, however long that other one has still to go.
func TestLongSearchGivesWay(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
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
		bubbletest.Wait()
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
