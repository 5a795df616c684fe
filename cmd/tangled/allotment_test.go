package main

import (
	"math"
	"strings"
	"testing"

	"tangled/message"
)

const testAddress = "a05095cc042195438b44db5abd365b6f4d48c873eb9f8691a82eb12497f74791"

func TestParseAllotment(t *testing.T) {
	want, err := message.ParseAddress(testAddress)
	if err != nil {
		t.Fatal(err)
	}
	for text, amount := range map[string]uint64{
		testAddress + "=1":                                    1,
		testAddress + "=18446744073709551615":                 math.MaxUint64,
		strings.ToUpper(testAddress) + "=25":                  25,
		strings.Replace(testAddress, "a0", "A0", 1) + "=0025": 25,
	} {
		got, err := parseAllotment(text)
		if err != nil || got != (allotment{want, amount}) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "=", "=5", testAddress, testAddress + "=", testAddress + "=0", testAddress + "=-1", testAddress + "=+1",
		testAddress + "=1.5", testAddress + "=1e3", testAddress + "=1_000", testAddress + "=18446744073709551616",
		testAddress + "= 5", testAddress + "=5=6", testAddress[1:] + "=5", testAddress + "00=5", "x" + testAddress[1:] + "=5",
	} {
		if got, err := parseAllotment(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
	if _, err := allotmentFlags("to", []string{testAddress + "=1", "x"}); exitCode(err, true) != exitUsage || !strings.HasPrefix(err.Error(), "--to ") {
		t.Errorf("got %v, want wrong use of --to", err)
	}
}
