package node

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeeds = flag.Int("sim.seeds", defaultSeeds, "how many seeds TestSimulation runs")
	simFirst = flag.Uint64("sim.first", 1, "the first of them")
	simTrace = flag.Bool("sim.trace", false, "tell what happens in each")
)

// TestSimulation runs networks of real nodes through everything that a city can
// do to them. Each seed is one run; a seed that fails fails again.
func TestSimulation(t *testing.T) {
	var next atomic.Uint64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var sum counts
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < uint64(*simSeeds); i = next.Add(1) - 1 {
				c := runSeed(t, *simFirst+i)
				mu.Lock()
				sum.add(c)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds: %v", *simSeeds, sum)
	// Each may be poor in anchors, all together are not.
	if least := 5 * *simSeeds; *simSeeds >= 20 && sum.anchors < least {
		t.Errorf("%d anchors in %d seeds, at least %d", sum.anchors, *simSeeds, least)
	}
}

func runSeed(t *testing.T, seed uint64) counts {
	began := time.Now()
	s := newSim(seed)
	err := s.run()
	p := profileOf(seed)
	if names := s.counts.less(p.least); err == nil && len(names) > 0 {
		err = fmt.Errorf("too little happened: %s", strings.Join(names, ", "))
	}
	t.Logf("seed %d (%s, %d seats): %v; final %v after the last trouble; %v, digest %x, took %v", seed, p.name, len(s.plan.weights),
		s.counts, s.healed.Round(time.Second), s.now.Round(time.Second), s.sum(), time.Since(began).Round(time.Millisecond))
	if err != nil {
		t.Errorf("seed %d: %v\nagain: go test ./node -run '^TestSimulation$' -v -sim.first=%d -sim.seeds=1 -sim.trace", seed, err, seed)
	}
	return s.counts
}

// TestSimulationRepeats: one seed is one run, to the last message.
func TestSimulationRepeats(t *testing.T) {
	for seed := uint64(1); seed <= uint64(len(profiles)); seed++ {
		var sums [2]uint64
		for i := range sums {
			s := newSim(seed)
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
			sums[i] = s.sum()
		}
		if sums[0] != sums[1] {
			t.Errorf("seed %d gives %x and %x", seed, sums[0], sums[1])
		}
	}
}

// TestSimulationSeesForks: with more than a third of the weight in two places,
// each side of a partition has a quorum and goes on alone. The checks find that.
func TestSimulationSeesForks(t *testing.T) {
	for seed := range uint64(4) {
		s := newPlanned(seed, plan{
			weights: []uint64{1, 1, 1, 1}, faults: []fault{twin, sound, twin, sound}, skews: make([]time.Duration, 4),
			window: 10 * time.Minute, included: 50_000, delay: 20 * time.Millisecond, busy: 10 * time.Second, readings: 200 * time.Millisecond,
		}, rand.New(rand.NewPCG(seed, 12)))
		for _, a := range s.hosts {
			for _, b := range s.hosts {
				s.join(a, b)
			}
		}
		s.parted = true
		for i, h := range s.hosts {
			h.side = []int{0, 1, 0, 0, 1, 1}[i] // each side has both twins and a sound seat
		}
		err := s.run()
		if err == nil || !s.forked {
			t.Errorf("seed %d: half of the weight lies, %d anchors, and no fork is seen: %v", seed, s.counts.anchors, err)
		}
		t.Logf("seed %d: %v", seed, err)
	}
}

// newSim is the simulation of a seed.
func newSim(seed uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 11))
	s := newPlanned(seed, draw(rng, seed), rng)
	if *simTrace {
		s.trace = os.Stdout
	}
	return s
}
