package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes that people write with a binary unit: "64MiB".
type size int64

const (
	kibibyte size = 1 << 10
	mebibyte size = 1 << 20
)

func sizeUnits() []string { return []string{"KiB", "MiB", "GiB", "TiB"} }

// parseSize reads a whole number with one of the binary units. Plain numbers and
// decimal units are refused: in "64MB" and "64" somebody else's unit is easily
// meant.
func parseSize(s string) (size, error) {
	for i, unit := range sizeUnits() {
		digits, ok := strings.CutSuffix(s, unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		shift := 10 * (i + 1)
		if err != nil || n > math.MaxInt64>>shift {
			return 0, fmt.Errorf("size %q: want a whole number before %s", s, unit)
		}
		return size(n << shift), nil
	}
	return 0, fmt.Errorf("size %q: want a whole number and one of %s, such as \"64MiB\"",
		s, strings.Join(sizeUnits(), ", "))
}

// String is the shortest form that parseSize reads back.
func (s size) String() string {
	units := sizeUnits()
	for i := len(units) - 1; i > 0; i-- {
		if unit := size(1) << (10 * (i + 1)); s >= unit && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + units[i]
		}
	}
	return strconv.FormatInt(int64(s/kibibyte), 10) + units[0]
}

// sizeBetween reads a size within bounds.
func sizeBetween(least, most size) func(string) (size, error) {
	return func(text string) (size, error) {
		s, err := parseSize(text)
		switch {
		case err != nil:
			return 0, err
		case s < least:
			return 0, errors.New(text + " is less than " + least.String())
		case s > most:
			return 0, errors.New(text + " is more than " + most.String())
		}
		return s, nil
	}
}
