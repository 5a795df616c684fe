package node

import (
	"math/rand/v2"
	"time"

	"tangled/genesis"
)

// allowed is how far off a clock may be that is not wrong.
const allowed = 2 * time.Second

// fault is what is wrong with a seat.
type fault uint8

const (
	sound  fault = iota
	scribe       // the simulation writes its witnesses: whatever is worst
	twin         // two machines have its key, and know nothing of each other
	absent       // its clock is so wrong that it does not witness, or witnesses nobody takes
	loser        // it loses its store
)

func (f fault) String() string {
	return [...]string{"sound", "scribe", "twin", "absent", "loser"}[f]
}

// lies tells whether such a seat may write two witnesses for one round.
func (f fault) lies() bool { return f == scribe || f == twin }

// plan is what a seed makes of a simulation.
type plan struct {
	weights   []uint64
	faults    []fault
	skews     []time.Duration
	steps     bool // clocks are set
	observers int
	window    time.Duration
	included  int
	delay     time.Duration // on the way, at most, mostly
	loss      int           // of a thousand frames and questions
	busy      time.Duration // how long there is load and trouble
	crashes   int
	parasite  int // length of the chain
	readings  time.Duration
}

// draw makes a plan. Whatever fails at the same time weighs less than a third.
func draw(rng *rand.Rand, seed uint64) plan {
	pick := func(of ...time.Duration) time.Duration { return of[rng.IntN(len(of))] }
	p := plan{
		window:   pick(genesis.MinWindow, 30*time.Second, 10*time.Minute),
		included: []int{60, 200, 50_000}[rng.IntN(3)],
		delay:    pick(10*time.Millisecond, 50*time.Millisecond, 120*time.Millisecond),
		loss:     []int{0, 10, 100}[rng.IntN(3)],
		busy:     20 * time.Second,
		crashes:  3 + rng.IntN(4),
		parasite: 50,
		readings: pick(100*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond),
	}
	if seed%100 == 50 {
		p.parasite, p.included = 10_000, 4_000
	}
	p.steps = profileOf(seed).fault == absent || rng.IntN(4) == 0
	seats := 4 + rng.IntN(4)
	p.observers = rng.IntN(2)
	p.weights = make([]uint64, seats)
	var total uint64
	for i := range p.weights {
		p.weights[i] = 1
		if seed%3 == 0 {
			p.weights[i] += rng.Uint64N(3)
		}
		total += p.weights[i]
	}
	p.faults = make([]fault, seats)
	p.skews = make([]time.Duration, seats+p.observers)
	for i := range p.skews {
		if rng.IntN(2) == 0 {
			p.skews[i] = time.Duration(rng.Int64N(int64(2*allowed))) - allowed
		}
	}
	// The first fault is what the profile wants, the others are any.
	wanted := profileOf(seed).fault
	var weight uint64
	for _, i := range rng.Perm(seats) {
		if 3*(weight+p.weights[i]) >= total {
			continue
		}
		weight += p.weights[i]
		p.faults[i] = wanted
		wanted = fault(rng.IntN(int(loser) + 1))
	}
	for i, f := range p.faults {
		if f == absent {
			p.skews[i] = pick(-time.Minute, -5*time.Second, 5*time.Second, time.Minute)
		}
	}
	if p.observers > 0 && rng.IntN(4) == 0 {
		p.skews[seats] = pick(-time.Minute, -5*time.Second, 5*time.Second, time.Minute)
	}
	return p
}

// profile is what the seeds of a kind have more of, and what each of them must at
// least have had to count.
type profile struct {
	name  string
	fault fault
	least counts
}

var profiles = []profile{
	{"lies", scribe, counts{anchors: 2, crashes: 2, partitions: 2, doubleSpends: 5, equivocations: 5}},
	{"twins", twin, counts{anchors: 2, crashes: 2, partitions: 2, doubleSpends: 5, equivocations: 1}},
	{"memory", loser, counts{anchors: 2, crashes: 2, partitions: 2, doubleSpends: 5, lost: 1, rejoins: 1}},
	{"clocks", absent, counts{anchors: 2, crashes: 2, partitions: 2, doubleSpends: 5, clocks: 1}},
}

func profileOf(seed uint64) profile { return profiles[seed%uint64(len(profiles))] }
