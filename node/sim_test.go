package node

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("sim.seeds", 20, "how many seeds TestSimulation runs")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
	simTrace = flag.Bool("sim.trace", false, "tell what happens in each")
)

// simulate runs one seed.
func simulate(seed uint64) (*sim, error) {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := newSim(seed, draw(rng, seed), rng)
	if *simTrace {
		s.trace = os.Stdout
	}
	return s, s.run()
}

func (s *sim) sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// TestSimulation runs networks of real nodes through everything that a city can
// do to them. Each seed is one run; a seed that fails fails again.
func TestSimulation(t *testing.T) {
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= uint64(*simSeeds) || t.Failed() && i > 50 {
					return
				}
				runSeed(t, *simFirst+i)
			}
		})
	}
	wg.Wait()
}

func runSeed(t *testing.T, seed uint64) {
	began := time.Now()
	s, err := simulate(seed)
	p := profileOf(seed)
	if err == nil {
		if names := s.counts.less(p.least); len(names) > 0 {
			err = fmt.Errorf("too little happened: %v", names)
		}
	}
	t.Logf("seed %d (%s, %d seats): %v; %v, digest %x, took %v", seed, p.name, len(s.plan.weights), s.counts, s.now.Round(time.Second), s.sum(), time.Since(began).Round(time.Millisecond))
	if err != nil {
		t.Errorf("seed %d: %v\nagain: go test ./node -run '^TestSimulation$' -v -sim.first=%d -sim.seeds=1 -sim.trace", seed, err, seed)
	}
}

var _ io.Writer
