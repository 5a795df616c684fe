package main

import (
	"io"
	"testing"
)

// TestResultFailsWhenItShould: the demo's verdict can be negative.
func TestResultFailsWhenItShould(t *testing.T) {
	for name, r := range map[string]demoResult{
		"lost":             {Published: 10, Acknowledged: 10, Found: 9, Lost: 1, Final: 10},
		"not final":        {Published: 10, Acknowledged: 10, Found: 10, Final: 9},
		"not acknowledged": {Published: 10, Acknowledged: 9, Found: 9, Final: 9},
		"nothing":          {},
		"two witnesses":    {Published: 10, Acknowledged: 10, Found: 10, Final: 10, TwoWitnessRounds: 1},
		"a fault":          {Published: 10, Acknowledged: 10, Found: 10, Final: 10, Faults: 1},
	} {
		if err := newScreen(io.Discard, true).end(r); err == nil {
			t.Errorf("%s: nil error", name)
		}
	}
	if err := newScreen(io.Discard, true).end(demoResult{Published: 1, Acknowledged: 1, Found: 1, Final: 1}); err != nil {
		t.Errorf("all found: %v", err)
	}
}
