package main

import (
	"testing"
	"time"

	"tangled/message"
)

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
