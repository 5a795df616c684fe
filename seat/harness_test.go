package seat

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"tangled/consensus"
	"tangled/message"
)

// epoch is when every test begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newCommittee makes a committee whose keys are made up.
func newCommittee(tb testing.TB, weights ...uint64) *consensus.Committee {
	tb.Helper()
	seats := make([]consensus.Seat, len(weights))
	for i, weight := range weights {
		seats[i] = consensus.Seat{Key: message.Issuer{byte(i + 1)}, Weight: weight}
	}
	c, err := consensus.NewCommittee(seats)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// equal are n seats of weight 1.
func equal(n int) []uint64 { return slices.Repeat([]uint64{1}, n) }

// newWitness is the one witness that a seat of these tests writes for a round
// with these refs.
func newWitness(seat int, round uint64, refs []message.Ref) consensus.Witness {
	hash := sha256.Sum256(fmt.Append(nil, seat, round, refs))
	stamp := uint64(epoch.UnixNano()) + round
	return consensus.Witness{ID: message.NewID(stamp, hash), Seat: seat, Round: round, Refs: refs}
}

// memory is a witness graph and the store behind it.
type memory struct {
	*consensus.Graph
	store map[message.ID]consensus.Witness
}

func newMemory(c *consensus.Committee, nextWave uint64) *memory {
	m := &memory{store: make(map[message.ID]consensus.Witness)}
	m.Graph = consensus.New(consensus.Options{Committee: c, NextWave: nextWave, Lookup: m.lookup})
	return m
}

func (m *memory) lookup(id message.ID) (consensus.Witness, bool) {
	w, ok := m.store[id]
	return w, ok
}

// see stores w and observes it.
func (m *memory) see(w consensus.Witness) consensus.Observation {
	m.store[w.ID] = w
	return m.Observe(w)
}

// full is the graph in which the given seats wrote a witness for every round up
// to the last, each with refs to all.
func full(tb testing.TB, c *consensus.Committee, last uint64, seats ...int) *consensus.Graph {
	tb.Helper()
	m := newMemory(c, 0)
	for round := uint64(1); round <= last; round++ {
		refs := m.Refs(round - 1)
		for _, seat := range seats {
			if !m.see(newWitness(seat, round, refs)).Counts {
				tb.Fatalf("the witness of seat %d for round %d does not count", seat, round)
			}
		}
	}
	return m.Graph
}
