package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestBar: a bar is drawn over itself, not too often, and leaves nothing behind.
func TestBar(t *testing.T) {
	var out strings.Builder
	now := time.Unix(100, 0)
	b := &bar{out: &out, what: "check", begun: now, now: func() time.Time { return now }}
	b.at(1, 0)
	b.at(2, 0) // at once again
	now = now.Add(2 * time.Second)
	b.at(50, 100)
	now = now.Add(time.Second)
	b.at(150, 100) // more than there was to be
	b.close()
	half := "check [####################....................]  50% 2s"
	full := "check [" + strings.Repeat("#", 40) + "] 100% 3s"
	want := "\rcheck: 1, 0s\r" + half + "\r" + full + "\r" + strings.Repeat(" ", len(full)) + "\r"
	if out.String() != want {
		t.Errorf("drew\n%q, want\n%q", out.String(), want)
	}
}

// TestBarWithoutTerminal: scripts and pipes get no bars.
func TestBarWithoutTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := newBar(f, "check")
	b.at(1, 2)
	b.close()
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("%v bytes in a file, %v", info.Size(), err)
	}
}
