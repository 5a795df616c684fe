package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// hexBytes is a name or key: hexadecimal in JSON and in text.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h hexBytes) String() string { return hex.EncodeToString(h) }

// writeJSON writes one object on one line.
func writeJSON(out io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := out.Write(b.Bytes())
	return err
}

// table writes aligned columns when it is flushed.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if len(head) > 0 {
		t.row(head...)
	}
	return t
}

// row adds a line. Errors show in flush.
func (t table) row(cells ...string) {
	for i := range cells {
		cells[i] = plain(cells[i])
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t table) flush() error { return t.w.Flush() }

// plain makes text safe for a terminal and for one cell of a table: what does
// not print is escaped, since topics and contents are whatever a stranger sent.
func plain(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && utf8.ValidString(s) {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// isText tells whether content is shown as text: UTF-8 of which every character
// prints or is white space.
func isText(content []byte) bool {
	return utf8.Valid(content) && bytes.IndexFunc(content, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t'
	}) < 0
}

// contentCell is content for a table.
func contentCell(content []byte) string {
	if isText(content) {
		return plain(string(content))
	}
	return "base64:" + base64.StdEncoding.EncodeToString(content)
}

// contentJSON is content for JSON: as text if it is that, else in base64.
func contentJSON(content []byte) (text, inBase64 *string) {
	s := string(content)
	if isText(content) {
		return &s, nil
	}
	s = base64.StdEncoding.EncodeToString(content)
	return nil, &s
}

// timeOf is a time of the API: nanoseconds since the Unix epoch, zero for none.
func timeOf(ns uint64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := time.Unix(0, int64(ns)).UTC()
	return &t
}

// timeCell is a time for a table, always equally long.
func timeCell(ns uint64) string {
	return timeText(timeOf(ns))
}

// timeText is timeCell for a time that may be missing.
func timeText(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// ageCell is how long before now a time was, for a table.
func ageCell(now, ns uint64) string {
	if ns == 0 {
		return "-"
	}
	return time.Duration(now - ns).Round(time.Second).String()
}
