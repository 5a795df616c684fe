package chart

import (
	"bytes"
	"fmt"
	"html"
	"io"
)

// WriteHTML writes a page with charts as inline SVG.
func WriteHTML(w io.Writer, charts []Chart) error {
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>")
	for i, c := range charts {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(html.EscapeString(c.Title))
	}
	b.WriteString("</title>\n<style>body { margin: 2em auto; max-width: 960px; font-family: sans-serif } svg { width: 100% }</style>\n")
	for _, c := range charts {
		fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\" font-size=\"15\">\n",
			Width, Height, html.EscapeString(c.Title))
		c.draw(&svg{&b})
		b.WriteString("</svg>\n")
	}
	b.WriteString("</html>\n")
	_, err := w.Write(b.Bytes())
	return err
}

// svg is a canvas of SVG elements.
type svg struct{ b *bytes.Buffer }

func hex(c [3]uint8) string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

func (s *svg) line(x1, y1, x2, y2, width float64, color [3]uint8) {
	fmt.Fprintf(s.b, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.0f\"/>\n",
		x1, y1, x2, y2, hex(color), width)
}

func (s *svg) dot(x, y, radius float64, color [3]uint8) {
	fmt.Fprintf(s.b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.0f\" fill=\"%s\"/>\n", x, y, radius, hex(color))
}

func (s *svg) text(x, y float64, from anchor, text string, color [3]uint8) {
	name := [...]string{left: "start", middle: "middle", right: "end"}[from]
	fmt.Fprintf(s.b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n",
		x, y, name, hex(color), html.EscapeString(text))
}
