package consensus

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"tangled/message"
)

const (
	// maxTotal leaves room for 3*weight and 2*W in 63 bits.
	maxTotal = 1 << 61
	// maxCycle is the longest cycle of leaders, at a byte a wave.
	maxCycle = 1 << 16
)

// Seat is a place on the committee.
type Seat struct {
	Key    message.Issuer
	Weight uint64
}

// Seats is a set of seats: bit i is seat i.
type Seats uint32

func (s Seats) has(seat int) bool   { return s>>seat&1 == 1 }
func (s Seats) with(seat int) Seats { return s | 1<<seat }

// Committee is the seats of one epoch in genesis order. It never changes and may
// be read from many goroutines.
type Committee struct {
	seats   []Seat
	byKey   map[message.Issuer]int
	total   uint64
	leaders []uint8 // one cycle of the round robin
}

// NewCommittee takes 1..31 seats with unique keys. Weights are above zero; their
// sum is at most 2^61 and, divided by their greatest common divisor, 65,536.
// The error names the seat.
func NewCommittee(seats []Seat) (*Committee, error) {
	if len(seats) < 1 || len(seats) > message.MaxSeats {
		return nil, fmt.Errorf("committee: %d seats, want 1..%d", len(seats), message.MaxSeats)
	}
	c := &Committee{seats: slices.Clone(seats), byKey: make(map[message.Issuer]int, len(seats))}
	var divisor uint64
	for i, seat := range seats {
		if first, ok := c.byKey[seat.Key]; ok {
			return nil, fmt.Errorf("committee: seat %d repeats the key of seat %d", i, first)
		}
		c.byKey[seat.Key] = i
		if seat.Weight == 0 {
			return nil, fmt.Errorf("committee: seat %d has no weight", i)
		}
		if seat.Weight > maxTotal-c.total {
			return nil, errors.New("committee: the weights add up to more than 2^61")
		}
		c.total += seat.Weight
		divisor = gcd(divisor, seat.Weight)
	}
	if cycle := c.total / divisor; cycle > maxCycle {
		return nil, fmt.Errorf("committee: the leaders repeat after %d waves only, at most %d: choose rounder weights", cycle, maxCycle)
	}
	c.leaders = roundRobin(seats, divisor)
	return c, nil
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// roundRobin is one cycle of smooth weighted round robin: at every step each
// seat gains its weight, the one that has most leads (the first of equals) and
// pays the weight of all. In a cycle each leads as often as it weighs, and a
// heavy one's turns are spread. The balances are back at zero at its end.
func roundRobin(seats []Seat, divisor uint64) []uint8 {
	weights := make([]int, len(seats))
	cycle := 0
	for i, seat := range seats {
		weights[i] = int(seat.Weight / divisor)
		cycle += weights[i]
	}
	leaders := make([]uint8, cycle)
	balance := make([]int, len(seats))
	for step := range leaders {
		best := 0
		for i, weight := range weights {
			balance[i] += weight
			if balance[i] > balance[best] {
				best = i
			}
		}
		balance[best] -= cycle
		leaders[step] = uint8(best)
	}
	return leaders
}

// Size is the number of seats.
func (c *Committee) Size() int { return len(c.seats) }

// Seat is the i-th seat, 0 <= i < Size.
func (c *Committee) Seat(i int) Seat { return c.seats[i] }

// SeatOf finds the seat of a key.
func (c *Committee) SeatOf(key message.Issuer) (int, bool) {
	i, ok := c.byKey[key]
	return i, ok
}

// Total is the weight W of all seats.
func (c *Committee) Total() uint64 { return c.total }

// Weight is the weight of the set. Bits that are no seat weigh nothing.
func (c *Committee) Weight(set Seats) uint64 {
	var weight uint64
	for set &= 1<<len(c.seats) - 1; set != 0; set &= set - 1 {
		weight += c.seats[bits.TrailingZeros32(uint32(set))].Weight
	}
	return weight
}

// Quorum reports whether the set weighs more than two thirds of W. Two quorums
// share more than a third.
func (c *Committee) Quorum(set Seats) bool { return 3*c.Weight(set) > 2*c.total }

// MoreThanThird reports whether the set weighs more than a third of W: at least
// one of its seats is honest.
func (c *Committee) MoreThanThird(set Seats) bool { return 3*c.Weight(set) > c.total }

// Leader is the seat that leads a wave: step wave, the first being 0, of smooth
// weighted round robin in genesis order.
func (c *Committee) Leader(wave uint64) int {
	return int(c.leaders[wave%uint64(len(c.leaders))])
}
