package chart

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// Size of a chart in pixels.
const (
	Width  = 960
	Height = 480
)

// Chart is lines over an axis.
type Chart struct {
	Title  string
	X, Y   Axis
	Series []Series
}

// Axis has a label, with the unit.
type Axis struct {
	Label string
	Log   bool
}

// Series is one line with a dot at each point.
type Series struct {
	Name   string
	Points []Point
}

// Point is one value.
type Point struct{ X, Y float64 }

// scale places values of an axis between two pixels.
type scale struct {
	log      bool
	from, to float64 // as axis places them: logarithms if log
	at, size float64 // pixels
	ticks    []float64
}

// place is where a value is; false if it has no place.
func (s scale) place(v float64) (float64, bool) {
	v = s.value(v)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false
	}
	return s.at + (v-s.from)/(s.to-s.from)*s.size, true
}

func (s scale) value(v float64) float64 {
	if s.log {
		return math.Log10(v)
	}
	return v
}

// newScale covers all values, from zero on if it is linear.
func newScale(a Axis, values []float64, at, size float64) scale {
	s := scale{log: a.Log, at: at, size: size}
	var placed []float64
	for _, v := range values {
		if v := s.value(v); !math.IsNaN(v) && !math.IsInf(v, 0) {
			placed = append(placed, v)
		}
	}
	if len(placed) == 0 {
		placed = []float64{0, 1}
	}
	if s.log {
		s.from, s.to = math.Floor(slices.Min(placed)), math.Ceil(slices.Max(placed))
		if s.to == s.from {
			s.to++
		}
		for e := s.from; e <= s.to; e++ {
			s.ticks = append(s.ticks, math.Pow(10, e))
		}
		return s
	}
	most := slices.Max(placed)
	if most <= 0 {
		most = 1
	}
	step := niceStep(most)
	s.to = math.Ceil(most/step-1e-9) * step
	for i := 0; float64(i)*step <= s.to+step/2; i++ {
		s.ticks = append(s.ticks, float64(i)*step)
	}
	return s
}

// niceStep divides 0..most into 4 to 10 parts of 1, 2 or 5 times a power of ten.
func niceStep(most float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	switch {
	case most/step < 2:
		return step / 5
	case most/step < 5:
		return step / 2
	}
	return step
}

// number is a tick's label.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 4, 64) + "M"
	case v >= 1e4:
		return strconv.FormatFloat(v/1e3, 'g', 4, 64) + "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// palette is the colour of the i-th series, red, green, blue; they tell apart for the colour-blind.
func palette(i int) [3]uint8 {
	colors := [][3]uint8{{0, 114, 178}, {230, 159, 0}, {0, 158, 115}, {204, 121, 167}, {213, 94, 0}, {86, 180, 233}, {120, 120, 120}}
	return colors[i%len(colors)]
}

// Write writes charts in the format of a file name: WriteHTML for .html, else
// WritePNG.
func Write(w io.Writer, format string, charts []Chart) error {
	switch format {
	case ".html":
		return WriteHTML(w, charts)
	case ".png":
		return WritePNG(w, charts)
	}
	return fmt.Errorf("chart: no format %q", format)
}
