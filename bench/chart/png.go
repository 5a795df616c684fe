package chart

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
)

// WritePNG writes one image, Width wide, with charts one below the other.
func WritePNG(w io.Writer, charts []Chart) error {
	img := image.NewRGBA(image.Rect(0, 0, Width, Height*max(len(charts), 1)))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for i, c := range charts {
		c.draw(&raster{img, float64(i * Height)})
	}
	return png.Encode(w, img)
}

// raster is a canvas of pixels, from a height of an image down.
type raster struct {
	img *image.RGBA
	top float64
}

// line covers each pixel by how near its middle is.
func (r *raster) line(x1, y1, x2, y2, width float64, c [3]uint8) {
	length := math.Hypot(x2-x1, y2-y1)
	r.cover(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), width, c, func(x, y float64) float64 {
		t := 0.0
		if length > 0 {
			t = min(max(((x-x1)*(x2-x1)+(y-y1)*(y2-y1))/(length*length), 0), 1)
		}
		return width/2 - math.Hypot(x-x1-t*(x2-x1), y-y1-t*(y2-y1))
	})
}

func (r *raster) dot(x, y, radius float64, c [3]uint8) {
	r.cover(x, y, x, y, 2*radius, c, func(px, py float64) float64 { return radius - math.Hypot(px-x, py-y) })
}

// cover paints the pixels of a box with a margin as far as they are inside: half a
// pixel inside is covered wholly, half a pixel outside not at all.
func (r *raster) cover(x1, y1, x2, y2, margin float64, c [3]uint8, inside func(x, y float64) float64) {
	for y := math.Floor(y1 - margin); y <= y2+margin; y++ {
		for x := math.Floor(x1 - margin); x <= x2+margin; x++ {
			if share := min(inside(x, y)+0.5, 1); share > 0 {
				r.blend(int(x), int(y+r.top), c, share)
			}
		}
	}
}

func (r *raster) blend(x, y int, c [3]uint8, share float64) {
	if !(image.Point{x, y}).In(r.img.Bounds()) {
		return
	}
	under := r.img.RGBAAt(x, y)
	mix := func(over, under uint8) uint8 { return uint8(share*float64(over) + (1-share)*float64(under) + 0.5) }
	r.img.SetRGBA(x, y, color.RGBA{mix(c[0], under.R), mix(c[1], under.G), mix(c[2], under.B), 255})
}

// text is drawn with a font of dots, each 2 pixels wide and high.
func (r *raster) text(x, y float64, from anchor, s string, c [3]uint8) {
	const dot = 2
	width := float64(len(s) * glyphStep * dot)
	switch from {
	case middle:
		x -= width / 2
	case right:
		x -= width
	}
	for i := range len(s) {
		shape := glyph(s[i])
		for column := range glyphWidth {
			for row := range 8 {
				if shape[column]>>row&1 == 0 {
					continue
				}
				atX := int(x) + (i*glyphStep+column)*dot
				atY := int(y+r.top) + (row-glyphBase)*dot
				for dy := range dot {
					for dx := range dot {
						r.blend(atX+dx, atY+dy, c, 1)
					}
				}
			}
		}
	}
}
