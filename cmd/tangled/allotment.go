package main

import (
	"fmt"
	"strconv"
	"strings"

	"tangled/message"
)

// allotment is an amount for an address, which people write ADDRESS=AMOUNT.
type allotment struct {
	address message.Address
	amount  uint64 // above zero
}

// parseAllotment reads ADDRESS=AMOUNT: 64 hexadecimal digits, and a whole number
// above zero that fits 64 bits.
func parseAllotment(s string) (allotment, error) {
	left, right, ok := strings.Cut(s, "=")
	if !ok {
		return allotment{}, fmt.Errorf("%q: want ADDRESS=AMOUNT", s)
	}
	address, err := message.ParseAddress(left)
	if err != nil {
		return allotment{}, fmt.Errorf("%q: %w", s, err)
	}
	amount, err := strconv.ParseUint(right, 10, 64)
	if err != nil || amount == 0 {
		return allotment{}, fmt.Errorf("%q: amount %q is not a whole number within 1..2^64-1", s, right)
	}
	return allotment{address, amount}, nil
}

// allotmentFlags reads the values of a flag that may be repeated.
func allotmentFlags(name string, values []string) ([]allotment, error) {
	var all []allotment
	for _, v := range values {
		a, err := parseAllotment(v)
		if err != nil {
			return nil, usagef("--%s %w", name, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// sumOf is what allotments add up to, if that fits 64 bits.
func sumOf(all []allotment) uint64 {
	var sum uint64
	for _, a := range all {
		sum += a.amount
	}
	return sum
}
