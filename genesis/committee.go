package genesis

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/blake2b"
)

const (
	// MaxSeats is the largest committee.
	MaxSeats = 31
	// MaxCycle bounds the sum of the weights over their greatest common
	// divisor: after so many waves the leaders repeat, and nodes keep one such
	// cycle as a table.
	MaxCycle = 1 << 16

	// Quorums compare 3*weight with 2*W: 61 bits leave room for both.
	maxTotalWeight = 1 << 61
)

// Seat is one place on the committee. The weights add up to 2^61 at most, and
// to MaxCycle times their greatest common divisor at most.
type Seat struct {
	Key    [ed25519.PublicKeySize]byte
	Weight uint64 // above zero
}

func (g *Genesis) validateCommittee() error {
	if len(g.Committee) > MaxSeats {
		return fmt.Errorf("genesis: %d seats, at most %d", len(g.Committee), MaxSeats)
	}
	seen := make(map[[32]byte]bool, len(g.Committee))
	var total, divisor uint64
	for i, seat := range g.Committee {
		if seen[seat.Key] {
			return fmt.Errorf("genesis: seat %d repeats the key %x", i, seat.Key)
		}
		seen[seat.Key] = true
		if seat.Weight == 0 || seat.Weight > maxTotalWeight || total+seat.Weight > maxTotalWeight {
			return fmt.Errorf("genesis: seat %d has weight %d, want above zero and a sum of at most 2^61", i, seat.Weight)
		}
		total += seat.Weight
		divisor = gcd(divisor, seat.Weight)
	}
	if divisor > 0 && total/divisor > MaxCycle {
		return fmt.Errorf("genesis: the weights add up to %d times their greatest common divisor, at most %d: round them",
			total/divisor, MaxCycle)
	}
	return nil
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// Warnings are sentences for the operator about a valid committee that does less
// than one expects of a committee. A faulty seat is harmless only while the
// others are a quorum, that is while it has less than a third of the weight.
func (g *Genesis) Warnings() []string {
	switch n := len(g.Committee); {
	case n == 0:
		return []string{"the committee has no seats: nothing ever becomes final, and no transfer is applied"}
	case n <= 3:
		return []string{fmt.Sprintf("a committee of %d tolerates no fault: four seats of equal weight tolerate one", n)}
	}
	var total uint64
	for _, seat := range g.Committee {
		total += seat.Weight
	}
	var out []string
	for i, seat := range g.Committee {
		if 3*seat.Weight >= total {
			out = append(out, fmt.Sprintf("seat %d has a third of the weight or more (%d of %d): alone it can stop finality",
				i, seat.Weight, total))
		}
	}
	return out
}

func (g *Genesis) appendCommittee(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(g.Committee)))
	for i := range g.Committee {
		b = append(b, g.Committee[i].Key[:]...)
		b = binary.BigEndian.AppendUint64(b, g.Committee[i].Weight)
	}
	return b
}

// CommitteeHash is the BLAKE2b-256 of the committee's part of the canonical
// encoding: the count (2 bytes), then each seat's key (32) and weight (8).
func (g *Genesis) CommitteeHash() [32]byte { return blake2b.Sum256(g.appendCommittee(nil)) }
