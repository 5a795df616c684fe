//go:build soak

package localnet

import (
	"fmt"
	"testing"
)

// TestSoakCity is the city test for many seeds.
func TestSoakCity(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { everyMessageReachesEveryNode(t, seed) })
	}
}

// TestSoakFinality is the same with a committee.
func TestSoakFinality(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { everythingBecomesFinal(t, seed) })
	}
}
