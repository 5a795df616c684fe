package chart

// anchor is which part of a text is at its place.
type anchor uint8

const (
	left anchor = iota
	middle
	right
)

// canvas is what a chart is drawn on; y grows downwards.
type canvas interface {
	line(x1, y1, x2, y2, width float64, color [3]uint8)
	dot(x, y, radius float64, color [3]uint8)
	// text has its baseline at y.
	text(x, y float64, from anchor, s string, color [3]uint8)
}

// Where the plot is on a chart.
const (
	plotLeft   = 80.0
	plotTop    = 64.0
	plotRight  = 40.0
	plotBottom = 100.0 // axis, its label and the legend
)

// draw puts a chart on a canvas.
func (c Chart) draw(on canvas) {
	black, grey := [3]uint8{40, 40, 40}, [3]uint8{215, 215, 215}
	const bottom = Height - plotBottom
	x := newScale(c.X, c.values(func(p Point) float64 { return p.X }), plotLeft, Width-plotLeft-plotRight)
	y := newScale(c.Y, c.values(func(p Point) float64 { return p.Y }), bottom, plotTop-bottom)
	on.text(Width/2, 26, middle, c.Title, black)
	on.text(plotLeft, plotTop-8, left, c.Y.Label, black)
	on.text(plotLeft+x.size/2, bottom+42, middle, c.X.Label, black)
	for _, v := range x.ticks {
		if at, ok := x.place(v); ok {
			on.line(at, plotTop, at, bottom, 1, grey)
			on.text(at, bottom+20, middle, number(v), black)
		}
	}
	for _, v := range y.ticks {
		if at, ok := y.place(v); ok {
			on.line(plotLeft, at, Width-plotRight, at, 1, grey)
			on.text(plotLeft-8, at+5, right, number(v), black)
		}
	}
	on.line(plotLeft, plotTop, plotLeft, bottom, 2, black)
	on.line(plotLeft, bottom, Width-plotRight, bottom, 2, black)
	for i, s := range c.Series {
		s.draw(on, x, y, palette(i))
	}
	c.legend(on, bottom+75, black)
}

func (s Series) draw(on canvas, x, y scale, color [3]uint8) {
	var fromX, fromY float64
	joined := false
	for _, p := range s.Points {
		px, okX := x.place(p.X)
		py, okY := y.place(p.Y)
		if !okX || !okY {
			joined = false
			continue
		}
		if joined {
			on.line(fromX, fromY, px, py, 2, color)
		}
		on.dot(px, py, 4, color)
		fromX, fromY, joined = px, py, true
	}
}

func (c Chart) legend(on canvas, y float64, text [3]uint8) {
	width := (Width - plotLeft - plotRight) / float64(max(len(c.Series), 1))
	for i, s := range c.Series {
		x := plotLeft + width*float64(i)
		on.line(x, y-5, x+20, y-5, 2, palette(i))
		on.dot(x+10, y-5, 4, palette(i))
		on.text(x+26, y, left, s.Name, text)
	}
}

func (c Chart) values(of func(Point) float64) []float64 {
	var values []float64
	for _, s := range c.Series {
		for _, p := range s.Points {
			values = append(values, of(p))
		}
	}
	return values
}
