// Package chart draws line charts of one model as a PNG image or as HTML.
//
// A Chart has lines over a horizontal axis, both axes linear or logarithmic. WritePNG
// puts charts one below the other into one image, WriteHTML onto one page that needs
// nothing else, as inline SVG. Both draw the same: what a chart looks like is decided
// once, in layout.go, for a canvas that knows lines, dots and text.
//
// # Errors
//
// Only what the writer returns. A point that cannot be drawn, such as zero on a
// logarithmic axis, is left out.
package chart
