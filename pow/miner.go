package pow

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// MaxBits is the most work Mine can be asked for.
	MaxBits = 64

	// chunk is how many nonces are searched between two looks at the context:
	// half a millisecond with the portable kernel, the slowest.
	chunk = 4096
	// turn is how many chunks a search may do before others have their turn.
	turn = 16
	// aloneBits is up to where a search runs in the caller's goroutine alone. A
	// second worker starts late and searches chunks behind the solution: on two
	// cores it makes 12 bits a quarter slower, and only at 14 is it even.
	aloneBits = 14
)

// Options configure a Miner. The zero value works.
type Options struct {
	// Workers is how many goroutines search at the same time, whoever asked;
	// GOMAXPROCS by default.
	Workers int
}

// Miner searches nonces. It may be used from many goroutines.
type Miner struct {
	kernel kernel
	slots  chan struct{} // one value for each goroutine that searches
}

// New returns a Miner.
func New(opts Options) *Miner {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	return &Miner{kernel: kernels()[0], slots: make(chan struct{}, opts.Workers)}
}

// Mine returns the least nonce with which hash has at least the given number
// of leading zero bits, 0..MaxBits. It takes 2^bits tries on average, and is
// over within milliseconds of ctx's end, with ctx's error.
func (m *Miner) Mine(ctx context.Context, hash [32]byte, zeros int) (uint64, error) {
	if zeros < 0 || zeros > MaxBits {
		return 0, fmt.Errorf("pow: %d bits, want 0..%d", zeros, MaxBits)
	}
	if zeros == 0 {
		return 0, ctx.Err()
	}
	s := search{m: m, block: newBlock(hash), zeros: zeros, solved: make(chan struct{})}
	s.best.Store(noChunk)
	workers := 1
	if zeros > aloneBits {
		workers = cap(m.slots)
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(func() { s.run(ctx) })
	}
	s.run(ctx)
	others.Wait()
	if s.best.Load() == noChunk {
		return 0, ctx.Err()
	}
	return s.nonce, nil
}

const noChunk = ^uint64(0)

// search is one call of Mine. Its workers take chunks in ascending order, and
// each goes on until its next chunk lies behind one with a solution: so the
// least nonce is found, however many workers there are.
type search struct {
	m     *Miner
	block block
	zeros int
	next  atomic.Uint64 // the next chunk to take
	best  atomic.Uint64 // the least chunk with a solution
	// solved is closed at the first solution: who still waits for a slot then
	// has taken no chunk, and Mine must not wait for its turn to come.
	solved chan struct{}

	mu    sync.Mutex
	nonce uint64 // in chunk best
}

// run searches until a solution is known or ctx ended.
func (s *search) run(ctx context.Context) {
	for {
		select {
		case s.m.slots <- struct{}{}:
		case <-s.solved:
			return
		case <-ctx.Done():
			return
		}
		again := s.takeTurn(ctx)
		<-s.m.slots
		if !again {
			return
		}
	}
}

// takeTurn searches some chunks, and reports whether there is more to do.
func (s *search) takeTurn(ctx context.Context) bool {
	for range turn {
		if ctx.Err() != nil {
			return false
		}
		i := s.next.Add(1) - 1
		if i > s.best.Load() {
			return false
		}
		if nonce, ok := s.m.kernel.search(&s.block, i*chunk, chunk, s.zeros); ok {
			s.found(i, nonce)
			return false
		}
	}
	return true
}

func (s *search) found(i, nonce uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.best.Load() == noChunk {
		close(s.solved)
	}
	if i < s.best.Load() {
		s.best.Store(i)
		s.nonce = nonce
	}
}
