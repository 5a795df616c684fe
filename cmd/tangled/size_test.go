package main

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]size{
		"0KiB": 0, "1KiB": 1 << 10, "64MiB": 64 << 20, "3GiB": 3 << 30, "2TiB": 2 << 40,
		"8388607TiB": 8388607 << 40,
	} {
		got, err := parseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%d: got %s, want %s", want, got, text)
		}
	}
	for _, text := range []string{
		"", "64", "KiB", "64MB", "64M", "64 MiB", "-1MiB", "+1MiB", "1.5GiB", "0x10MiB", "64mib", "8388608TiB",
		"99999999999999999999KiB",
	} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
	if got := (1536 * mebibyte).String(); got != "1536MiB" {
		t.Errorf("got %s: the text must be whole", got)
	}
}
