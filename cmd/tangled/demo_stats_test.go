package main

import (
	"io"
	"testing"
	"time"

	"tangled/message"
)

func TestDistribution(t *testing.T) {
	d := newDistribution()
	if got := d.quantile(0.5); got != 0 {
		t.Errorf("median of nothing: %v", got)
	}
	for i := range 1000 {
		d.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := d.quantile(q); got < want*98/100 || got > want*102/100 {
			t.Errorf("quantile %v: %v, want %v within 2 %%", q, got, want)
		}
	}
	d.add(-time.Second)
	d.add(24 * time.Hour)
	if got := d.quantile(1); got < time.Hour {
		t.Errorf("the largest is %v", got)
	}
}

func TestPropagationCountsBothEnds(t *testing.T) {
	p := newPropagation()
	at := time.Unix(1, 0)
	p.see(message.ID{1}, at)
	if p.complete() {
		t.Error("complete with one end of a message")
	}
	p.see(message.ID{1}, at.Add(20*time.Millisecond))
	if got := p.delays.quantile(1); got < 19*time.Millisecond || got > 21*time.Millisecond || !p.complete() {
		t.Errorf("delay %v, complete %v", got, p.complete())
	}
	p.missed = true
	if p.complete() {
		t.Error("complete though a follower fell behind")
	}
}

// TestResultFailsWhenItShould: the demo's verdict can be negative.
func TestResultFailsWhenItShould(t *testing.T) {
	for name, r := range map[string]demoResult{
		"lost":             {Published: 10, Acknowledged: 10, Found: 9, Lost: 1},
		"not acknowledged": {Published: 10, Acknowledged: 9, Found: 9},
		"nothing":          {},
	} {
		if err := newScreen(io.Discard, true).end(r); err == nil {
			t.Errorf("%s: nil error", name)
		}
	}
	if err := newScreen(io.Discard, true).end(demoResult{Published: 1, Acknowledged: 1, Found: 1}); err != nil {
		t.Errorf("all found: %v", err)
	}
}
