package node

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/message"
	"tangled/tangle"
)

// pool is a tip pool and messages to put into it.
type pool struct {
	*tipPool
	t     *testing.T
	start time.Time
}

func newPool(t *testing.T) pool {
	start := time.Unix(1_800_000_000, 0)
	genesis := message.NewID(uint64(start.Add(-time.Minute).UnixNano()), [32]byte{})
	return pool{newTipPool(genesis, rand.New(rand.NewPCG(1, 1))), t, start}
}

// add puts a message with a stamp in that becomes solid at a time, both from the
// start on.
func (p pool) add(stamp, at time.Duration, approves ...message.ID) message.ID {
	p.t.Helper()
	m := signed(p.t, keyOf(1), 0, message.Draft{
		Timestamp: uint64(p.start.Add(stamp).UnixNano()), Parents: append([]message.ID{p.genesis}, approves...),
		Kind: message.KindData, Payload: (&message.Data{Topic: "t"}).Append(nil),
	})
	p.replace(tangle.Solid{Message: m, Approves: approves, Delays: make([]time.Duration, len(m.Parents))}, p.start.Add(at), false)
	return m.ID()
}

// picks tells whether a message is picked at a time, of a pool that is small.
func (p pool) picks(id message.ID, at time.Duration) bool {
	return slices.Contains(p.pickMany(p.start.Add(at), 8, nil), id)
}

// TestAheadTakesNoTips: a message that is too far ahead to be approved takes the
// tips that it approves away when it can be, and a chain of such neither.
func TestAheadTakesNoTips(t *testing.T) {
	p := newPool(t)
	tip := p.add(0, 0)
	first := p.add(3*time.Second, 0, tip)
	second := p.add(4*time.Second, 500*time.Millisecond, first)
	for _, test := range []struct {
		at                 time.Duration
		tip, first, second bool
	}{
		{time.Second, true, false, false},
		{1900 * time.Millisecond, true, false, false},
		{2100 * time.Millisecond, false, true, false},
		{3100 * time.Millisecond, false, false, true},
	} {
		if got := [3]bool{p.picks(tip, test.at), p.picks(first, test.at), p.picks(second, test.at)}; got != [3]bool{test.tip, test.first, test.second} {
			t.Errorf("at %v: %v of tip, first and second are picked", test.at, got)
		}
	}
}

// TestRepairIsNoDelay: the network's delay is what messages take that come by
// themselves, and not how long their past was waited for.
func TestRepairIsNoDelay(t *testing.T) {
	p := newPool(t)
	for i := range 1000 {
		at := time.Duration(i) * 10 * time.Millisecond
		id := p.add(at, at+4*time.Second)
		p.arrived(id, p.start.Add(at+100*time.Millisecond))
	}
	if got := p.delay(); got < 50*time.Millisecond || got > 200*time.Millisecond {
		t.Errorf("delay %v, want about 100 ms", got)
	}
}
