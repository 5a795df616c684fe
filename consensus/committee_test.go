package consensus

import (
	"math"
	"slices"
	"strings"
	"testing"

	"tangled/message"
)

func TestNewCommitteeRefuses(t *testing.T) {
	key := func(n int) message.Issuer { return message.Issuer{byte(n + 1)} }
	seats := func(weights ...uint64) []Seat {
		var seats []Seat
		for i, weight := range weights {
			seats = append(seats, Seat{key(i), weight})
		}
		return seats
	}
	for _, test := range []struct {
		name  string
		seats []Seat
		want  string // no error if empty
	}{
		{"no seat", nil, "0 seats"},
		{"one seat", seats(1), ""},
		{"31 seats", seats(equal(31)...), ""},
		{"32 seats", seats(equal(32)...), "32 seats"},
		{"no weight", seats(1, 0, 1), "seat 1 has no weight"},
		{"one key twice", []Seat{{key(1), 1}, {key(2), 1}, {key(1), 1}}, "seat 2 repeats the key of seat 0"},
		{"heavy", seats(1<<60, 1<<60), ""},
		{"too heavy", seats(1<<60, 1<<60, 1), "more than 2^61"},
		{"too heavy to add up", seats(1, math.MaxUint64), "more than 2^61"},
		{"longest cycle", seats(65_535, 1), ""},
		{"longest cycle of large weights", seats(65_535<<40, 1<<40), ""},
		{"cycle too long", seats(65_536, 1), "repeat after 65537 waves"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := NewCommittee(test.seats)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("error %v, want %q", err, test.want)
			case err != nil:
				return
			}
			for i, seat := range test.seats {
				if at, ok := c.SeatOf(seat.Key); !ok || at != i || c.Seat(i) != seat {
					t.Errorf("seat %d is found at %d, %v", i, at, ok)
				}
			}
			if _, ok := c.SeatOf(key(99)); ok || c.Size() != len(test.seats) {
				t.Errorf("%d seats, and a stranger's is %v", c.Size(), ok)
			}
		})
	}
}

// TestCommitteeIsACopy: what the caller does with its slice changes nothing.
func TestCommitteeIsACopy(t *testing.T) {
	seats := []Seat{{message.Issuer{1}, 1}, {message.Issuer{2}, 2}}
	c, err := NewCommittee(seats)
	if err != nil {
		t.Fatal(err)
	}
	seats[0].Weight = 9
	if c.Seat(0).Weight != 1 || c.Weight(1) != 1 {
		t.Error("the committee changed with the slice it was made of")
	}
}

func TestThresholds(t *testing.T) {
	for _, test := range []struct {
		weights []uint64
		set     Seats
		weight  uint64
		third   bool
		quorum  bool
	}{
		{equal(1), 0, 0, false, false},
		{equal(1), 1, 1, true, true},
		{equal(3), 0b001, 1, false, false},
		{equal(3), 0b011, 2, true, false},
		{equal(3), 0b111, 3, true, true},
		{equal(4), 0b0100, 1, false, false},
		{equal(4), 0b1100, 2, true, false},
		{equal(4), 0b1101, 3, true, true},
		{equal(7), 0b0001111, 4, true, false},
		{equal(7), 0b0011111, 5, true, true},
		{[]uint64{5, 1, 1, 1}, 0b1110, 3, true, false},
		{[]uint64{5, 1, 1, 1}, 0b1001, 6, true, true},
		{[]uint64{1 << 60, 1 << 60}, 0b01, 1 << 60, true, false},
		{[]uint64{1 << 60, 1 << 60}, 0b11, 1 << 61, true, true},
		{equal(31), 1<<31 - 1, 31, true, true},
		{equal(4), 0b11110011, 2, true, false}, // bits that are no seat
	} {
		c := newCommittee(t, test.weights...)
		if w, third, quorum := c.Weight(test.set), c.MoreThanThird(test.set), c.Quorum(test.set); w != test.weight || third != test.third || quorum != test.quorum {
			t.Errorf("%v, set %b: weight %d, more than a third %v, quorum %v", test.weights, test.set, w, third, quorum)
		}
	}
}

// TestLeaders: in each cycle a seat leads as often as it weighs, the heavy one
// not all at once, and the model's round robin, which keeps no table and divides
// by nothing, agrees.
func TestLeaders(t *testing.T) {
	if got := leaders(newCommittee(t, 5, 1, 1), 14); !slices.Equal(got, []int{0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0}) {
		t.Errorf("weights 5, 1, 1 are led by %v", got)
	}
	if got := leaders(newCommittee(t, 1, 1, 1, 1), 6); !slices.Equal(got, []int{0, 1, 2, 3, 0, 1}) {
		t.Errorf("four equal seats are led by %v", got)
	}
	for _, weights := range append(committees, []uint64{30, 20, 10}, []uint64{7}, []uint64{9 << 50, 6 << 50}) {
		c := newCommittee(t, weights...)
		m := newModel(weights, nil)
		turns := make([]uint64, len(weights))
		cycle := len(c.leaders)
		for wave, seat := range leaders(c, 2*cycle) {
			if want := m.leader(uint64(wave)); seat != want {
				t.Fatalf("%v: wave %d is led by %d, want %d", weights, wave, seat, want)
			}
			turns[seat]++
		}
		for seat, weight := range weights {
			if turns[seat]*c.Total() != 2*uint64(cycle)*weight {
				t.Errorf("%v: seat %d leads %d of %d waves", weights, seat, turns[seat], 2*cycle)
			}
		}
		if far := uint64(cycle) << 40; c.Leader(far+1) != c.Leader(1) {
			t.Errorf("%v: wave %d is not led like wave 1", weights, far+1)
		}
	}
}

func leaders(c *Committee, n int) []int {
	seats := make([]int, n)
	for wave := range seats {
		seats[wave] = c.Leader(uint64(wave))
	}
	return seats
}
