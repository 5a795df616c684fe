package main

import (
	"math"
	"testing"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func TestCursor(t *testing.T) {
	for text, want := range map[string]cursor{
		"":                                {},
		"0:0":                             {},
		"1:0":                             {1, 0},
		"12:34":                           {12, 34},
		"18446744073709551615:4294967295": {math.MaxUint64, math.MaxUint32},
	} {
		got, err := parseCursor(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
		if again, err := parseCursor(got.String()); err != nil || again != got {
			t.Errorf("%q: read back as %v, %v", text, again, err)
		}
		if back := cursorOf(want.proto()); back != want {
			t.Errorf("%q: %v on the wire", text, back)
		}
	}
	for _, text := range []string{":", "1", "1:", ":1", "1:2:3", "1,2", "-1:0", "1:-1", "1:4294967296", "18446744073709551616:0", "a:b"} {
		if got, err := parseCursor(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	if got := cursorOf(&tangledv1.Final{Anchor: 3, Index: 4}); got.String() != "3:4" {
		t.Errorf("got %v", got)
	}
	// The beginning is before 1:0, which is the place of a message.
	if (cursor{}).proto() != nil || (cursor{1, 0}).proto() == nil {
		t.Error("the beginning is not told by absence")
	}
}
