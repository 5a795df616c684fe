package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// What a stranger put into a topic must not reach the terminal as commands, nor
// break a row of a table.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"air/1":          "air/1",
		"Lungarno è":     "Lungarno è",
		"a\nb\tc":        `a\nb\tc`,
		"\x1b[2Jgone":    `\x1b[2Jgone`,
		"\u202eevil":     `\u202eevil`,
		"bad\xffbytes":   `bad\xffbytes`,
		"say \"hi\"":     `say "hi"`,
		"say \"hi\"\x00": `say \"hi\"\x00`,
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestReadingJSON(t *testing.T) {
	for content, want := range map[string]string{
		"21.5":       `"content":"21.5"`,
		"a\nb":       `"content":"a\nb"`,
		"":           `"content":""`,
		"\x00\x01":   `"content_base64":"AAE="`,
		"\x1b[2J":    `"content_base64":"G1sySg=="`,
		"\xff\xfe":   `"content_base64":"//4="`,
		"<b>&amp;":   `"content":"<b>&amp;"`,
		"über \t 50": `"content":"über \t 50"`,
	} {
		var b strings.Builder
		m := &tangledv1.Message{Id: []byte{1}, TimestampNs: 1e18, Data: &tangledv1.Data{Topic: "t", Content: []byte(content)}}
		if err := writeJSON(&b, newReading(m, 0, "")); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || strings.Count(b.String(), "\n") != 1 || !json.Valid([]byte(b.String())) {
			t.Errorf("%q: got %s, want %s on one line", content, b.String(), want)
		}
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-04-01T00:00:00Z":           time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC),
		"2026-04-01T02:00:00.5+02:00":    time.Date(2026, 4, 1, 0, 0, 0, 5e8, time.UTC),
		"10m":                            now.Add(-10 * time.Minute),
		"0s":                             now,
		"2026-04-01T00:00:00.000000001Z": time.Date(2026, 4, 1, 0, 0, 0, 1, time.UTC),
	} {
		got, err := parseTime(text, now)
		if err != nil || got != uint64(want.UnixNano()) {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want.UnixNano())
		}
	}
	for _, text := range []string{"", "yesterday", "-10m", "10", "2026-04-01", "1960-01-01T00:00:00Z", "9999-01-01T00:00:00Z", "900000h"} {
		if got, err := parseTime(text, now); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}
