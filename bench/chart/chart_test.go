package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func example() Chart {
	return Chart{
		Title: `Latency <of> "all"`, X: Axis{Label: "sources", Log: true}, Y: Axis{Label: "ms"},
		Series: []Series{
			{Name: "p50", Points: []Point{{1, 2}, {10, 3}, {100, 5}}},
			{Name: "p95 & more", Points: []Point{{0, 1}, {1, 4}, {10, math.NaN()}, {100, 9}}},
		},
	}
}

func TestPNG(t *testing.T) {
	var b bytes.Buffer
	if err := WritePNG(&b, []Chart{example(), example()}); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != Width || size.Y != 2*Height {
		t.Errorf("size %v, want %d x %d", size, Width, 2*Height)
	}
	// The middle of the plot of the first series: 10 sources, 3 of 0..10 ms.
	x, y := scaleX(example()), scaleY(example())
	atX, _ := x.place(10)
	atY, _ := y.place(3)
	for _, top := range []int{0, Height} {
		r, g, blue, _ := img.At(int(atX), int(atY)+top).RGBA()
		if got, want := [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(blue >> 8)}, palette(0); got != want {
			t.Errorf("the dot is %v, want %v", got, want)
		}
	}
	if dark := countDark(img.At, 0, 0, Width, int(plotTop)); dark < 300 {
		t.Errorf("%d dark pixels are no title", dark)
	}
}

// countDark counts the pixels of a box that text is made of.
func countDark(at func(x, y int) color.Color, x1, y1, x2, y2 int) (n int) {
	for y := y1; y < y2; y++ {
		for x := x1; x < x2; x++ {
			if r, _, _, _ := at(x, y).RGBA(); r>>8 < 100 {
				n++
			}
		}
	}
	return n
}

func TestHTML(t *testing.T) {
	var b strings.Builder
	if err := WriteHTML(&b, []Chart{example()}); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "src=") || strings.Contains(page, "href=") {
		t.Error("the page needs something else")
	}
	from, to := strings.Index(page, "<svg"), strings.Index(page, "</svg>")
	if from < 0 || to < from {
		t.Fatalf("no SVG in %s", page)
	}
	var texts []string
	dots := 0
	d := xml.NewDecoder(strings.NewReader(page[from : to+len("</svg>")]))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.CharData:
			texts = append(texts, string(token))
		case xml.StartElement:
			if token.Name.Local == "circle" {
				dots++
			}
		}
	}
	for _, want := range []string{`Latency <of> "all"`, "p95 & more", "100", "sources"} {
		if !slices.Contains(texts, want) {
			t.Errorf("no text %q among %q", want, texts)
		}
	}
	if dots != 3+2+2 { // those of the points that have a place, and of the legend
		t.Errorf("%d dots, want 7", dots)
	}
}

func scaleX(c Chart) scale {
	return newScale(c.X, c.values(func(p Point) float64 { return p.X }), plotLeft, Width-plotLeft-plotRight)
}

func scaleY(c Chart) scale {
	return newScale(c.Y, c.values(func(p Point) float64 { return p.Y }), Height-plotBottom, plotTop-(Height-plotBottom))
}

func TestScale(t *testing.T) {
	tests := []struct {
		name   string
		log    bool
		values []float64
		ticks  []float64
	}{
		{"linear", false, []float64{3, 48}, []float64{0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50}},
		{"small", false, []float64{0.3}, []float64{0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3}},
		{"nothing", false, nil, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"zero", false, []float64{0, 0}, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"below zero", false, []float64{-5}, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{"logarithmic", true, []float64{2, 500, 0}, []float64{1, 10, 100, 1000}},
		{"one decade", true, []float64{10}, []float64{10, 100}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScale(Axis{Log: test.log}, test.values, 100, 200)
			equal := slices.EqualFunc(s.ticks, test.ticks, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
			if !equal {
				t.Errorf("ticks %v, want %v", s.ticks, test.ticks)
			}
			for _, v := range test.values {
				if at, ok := s.place(v); ok && v >= 0 && (at < 100-1e-9 || at > 300+1e-9) {
					t.Errorf("%v is at %v, want 100 to 300", v, at)
				}
			}
			if _, ok := s.place(0); ok == test.log {
				t.Errorf("zero has a place: %v", ok)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.25: "0.25", 1000: "1000", 20000: "20k", 1.5e6: "1.5M"} {
		if got := number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

func TestGlyphs(t *testing.T) {
	if len(glyphs) != 95*glyphWidth {
		t.Fatalf("%d bytes of glyphs, want %d", len(glyphs), 95*glyphWidth)
	}
	seen := make(map[string]byte)
	for c := byte(' '); c <= '~'; c++ {
		if other, ok := seen[glyph(c)]; ok {
			t.Errorf("%q looks like %q", c, other)
		}
		seen[glyph(c)] = c
	}
	if glyph(0xe9) != glyph('?') || glyph('\n') != glyph('?') {
		t.Error("what has no shape is no question mark")
	}
}

func TestWrite(t *testing.T) {
	for format, want := range map[string]string{".png": "\x89PNG", ".html": "<!doctype html>"} {
		var b strings.Builder
		if err := Write(&b, format, []Chart{example()}); err != nil || !strings.HasPrefix(b.String(), want) {
			t.Errorf("%s: %v, begins with %.8q", format, err, b.String())
		}
	}
	if err := Write(io.Discard, ".gif", nil); err == nil {
		t.Error("wrote a GIF")
	}
}
