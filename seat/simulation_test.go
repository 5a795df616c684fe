package seat

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// tolerated is how many of n equal seats may fail.
func tolerated(n int) int { return (n - 1) / 3 }

// committees runs a test for 4..7 seats.
func committees(t *testing.T, test func(t *testing.T, n int)) {
	for n := 4; n <= 7; n++ {
		t.Run(fmt.Sprintf("%d seats", n), func(t *testing.T) { test(t, n) })
	}
}

// longestPause is the longest time from one anchor to the next since a time.
func (n *network) longestPause(since time.Time) time.Duration {
	var pause time.Duration
	last := since
	for _, anchor := range n.anchors {
		if anchor.at.After(since) {
			pause = max(pause, anchor.at.Sub(last))
			last = anchor.at
		}
	}
	return max(pause, n.now.Sub(last))
}

// waves are those that were committed.
func (n *network) waves() []uint64 {
	var waves []uint64
	for _, anchor := range n.anchors {
		waves = append(waves, anchor.Wave)
	}
	return waves
}

// With as many seats silent as are tolerated, anchors keep coming: every wave
// of a seat that is up, at most two silent leaders apart.
func TestSilentSeats(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		for silent := range tolerated(n) + 1 {
			net := newNetwork(t, uint64(n), equal(n)...)
			net.start([]int{1, 2}[:silent]...)
			net.run(time.Minute)
			// A wave is 3 rounds of 200 ms and some delay each; a silent leader's
			// takes the timeout more. Certificates of the last one, too.
			const wave, slow = 900 * time.Millisecond, 1400 * time.Millisecond
			if pause := net.longestPause(epoch); pause > wave+time.Duration(silent)*slow {
				t.Errorf("%d silent: a pause of %v", silent, pause)
			}
			t.Logf("%d of %d silent: %d anchors, longest pause %v", silent, n, len(net.anchors), net.longestPause(epoch))
			var led []uint64
			for wave := range uint64(30) {
				if leader := net.committee.Leader(wave); leader == 0 || leader > silent {
					led = append(led, wave)
				}
			}
			if got := net.waves(); len(got) < len(led) || !slices.Equal(got[:len(led)], led) {
				t.Errorf("%d silent: waves %v were committed, want %v", silent, got, led)
			}
		}
	})
}

// A wave whose leader is down takes at most the timeout longer than another.
func TestSilentLeaderCostsTheTimeout(t *testing.T) {
	net := newNetwork(t, 1, equal(4)...)
	net.delay = net.between(40*time.Millisecond, 40*time.Millisecond)
	net.start(2)
	net.run(30 * time.Second)
	took := func(wave uint64) time.Duration {
		begin, end := net.wrote[seatRound{0, 3*wave + 1}], net.wrote[seatRound{0, 3*wave + 4}]
		if begin.IsZero() || end.IsZero() {
			t.Fatalf("seat 0 was not in wave %d", wave)
		}
		return end.Sub(begin)
	}
	const timeout = 500 * time.Millisecond
	for wave := uint64(1); wave < 20; wave++ {
		led := net.committee.Leader(wave) != 2
		if got := took(wave); led && got != 600*time.Millisecond || !led && (got <= 600*time.Millisecond || got > 600*time.Millisecond+timeout) {
			t.Errorf("wave %d of seat %d took %v", wave, net.committee.Leader(wave), got)
		}
	}
	t.Logf("a wave takes %v, with a silent leader %v", took(4), took(2))
}

// A seat that is heard 300 ms later than the others leads its waves all the
// same.
func TestSlowLeaderIsWaitedFor(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		net := newNetwork(t, uint64(n), equal(n)...)
		near := net.delay
		net.delay = func(from, to int) time.Duration {
			if from == 1 {
				return near(from, to) + 300*time.Millisecond
			}
			return near(from, to)
		}
		net.start()
		net.run(time.Minute)
		for i, wave := range net.waves() {
			if wave != uint64(i) {
				t.Fatalf("waves %v were committed", net.waves())
			}
		}
		t.Logf("%d anchors", len(net.anchors))
	})
}

// Seat 3 votes for nobody and seat 1 is heard late. The witnesses of a vote round
// are a quorum without its vote, but only with it are the votes one.
func TestSlowVoteIsWaitedFor(t *testing.T) {
	net := newNetwork(t, 1, equal(4)...)
	net.nodes[3].blind = true
	net.delay = func(from, to int) time.Duration {
		if from == 1 && to != 3 || to == 1 {
			return 250 * time.Millisecond
		}
		return 20 * time.Millisecond
	}
	net.start()
	net.run(time.Minute)
	for i, wave := range net.waves() {
		if wave != uint64(i) {
			t.Fatalf("waves %v were committed", net.waves())
		}
	}
	// Without it they would commit all the same, but only when seat 1, who has its
	// own vote in time, leads.
	pause := net.longestPause(epoch.Add(5 * time.Second))
	if pause > 1200*time.Millisecond {
		t.Errorf("a pause of %v", pause)
	}
	t.Logf("%d anchors, longest pause %v", len(net.anchors), pause)
}

// An idle network writes a witness in 2 s and commits, however its seats began.
func TestIdle(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		for apart := time.Duration(0); apart < 2*time.Second; apart += 200 * time.Millisecond {
			net := newNetwork(t, uint64(n), equal(n)...)
			for i, node := range net.nodes {
				node.busy = false
				net.after(time.Duration(i)*apart, node.start)
			}
			net.run(2 * time.Minute)
			if got := len(net.anchors); got < 15 {
				t.Errorf("%v apart: %d anchors in 2 minutes", apart, got)
			}
			for _, node := range net.nodes {
				if got := net.highest[node.seat]; got > 61+uint64(n) {
					t.Errorf("%v apart: seat %d wrote %d rounds in 2 minutes", apart, node.seat, got)
				}
			}
		}
	})
}

// One seat that has something to do wakes the others.
func TestBusyWakes(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		net := newNetwork(t, uint64(n), equal(n)...)
		for _, node := range net.nodes {
			node.busy = false
		}
		net.start()
		net.run(20*time.Second + 300*time.Millisecond)
		woken := net.now
		before := net.highest[1]
		net.nodes[1].busy = true
		net.nodes[1].step()
		if got := net.wrote[seatRound{1, before + 1}]; got != woken {
			t.Errorf("the next witness came at %v, want %v", got, woken)
		}
		net.run(5 * time.Second)
		if got := net.longestPause(woken); got > 2*time.Second {
			t.Errorf("a pause of %v", got)
		}
		net.nodes[1].busy = false
		net.run(2 * time.Second)
		before = net.highest[1]
		net.run(10 * time.Second)
		if got := net.highest[1] - before; got > 6 {
			t.Errorf("%d rounds in 10 s after it was done", got)
		}
	})
}

// A seat that was cut off goes on above what it missed.
func TestJumpAfterPartition(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		net := newNetwork(t, uint64(n), equal(n)...)
		near, cut := net.delay, false
		net.delay = func(from, to int) time.Duration {
			if cut && (from == 0 || to == 0) {
				return -1
			}
			return near(from, to)
		}
		net.start()
		net.run(10 * time.Second)
		cut = true
		net.run(30 * time.Second)
		last := net.highest[0]
		others := net.highest[1]
		if others < last+100 {
			t.Fatalf("the others are at round %d, the one cut off at %d", others, last)
		}
		cut = false
		healed := net.now
		net.run(2 * time.Second)
		for round := last + 1; round < others; round++ {
			if _, ok := net.wrote[seatRound{0, round}]; ok {
				t.Errorf("it wrote round %d, having missed %d to %d", round, last+1, others)
			}
		}
		net.run(10 * time.Second)
		if net.highest[0]+2 < net.highest[1] {
			t.Errorf("it is at round %d, the others at %d", net.highest[0], net.highest[1])
		}
		if pause := net.longestPause(healed.Add(2 * time.Second)); pause > time.Second {
			t.Errorf("a pause of %v", pause)
		}
	})
}

// Two halves without a quorum come to rest, and go on by themselves.
func TestHalves(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		net := newNetwork(t, uint64(n), equal(n)...)
		near, cut := net.delay, false
		net.delay = func(from, to int) time.Duration {
			if cut && from%2 != to%2 {
				return -1
			}
			return near(from, to)
		}
		net.start()
		net.run(10 * time.Second)
		cut = true
		net.run(10 * time.Second)
		stood := slices.Max(net.highest)
		net.run(time.Minute)
		if got := slices.Max(net.highest); got != stood {
			t.Fatalf("round %d without a quorum, after %d", got, stood)
		}
		cut = false
		healed := net.now
		net.run(10 * time.Second)
		if pause := net.longestPause(healed); pause > 2500*time.Millisecond {
			t.Errorf("a pause of %v", pause)
		}
	})
}

// Everything that is on its way is lost, and what is sent in the seconds after.
// Nothing but the seats' own timers gets them going again.
func TestLossOfEverything(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		for seed := range uint64(10) {
			net := newNetwork(t, seed, equal(n)...)
			net.start([]int{1, 2}[:tolerated(n)]...)
			net.run(5*time.Second + time.Duration(net.rng.Int64N(int64(time.Second))))
			net.lossy = true
			net.run(3 * time.Second)
			net.lossy = false
			healed := net.now
			net.run(15 * time.Second)
			if pause := net.longestPause(healed); pause > 5*time.Second {
				t.Errorf("seed %d: a pause of %v", seed, pause)
			}
		}
	})
}

// A tenth of all messages is lost, all the time.
func TestLossAlways(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		net := newNetwork(t, uint64(n), equal(n)...)
		near := net.delay
		net.delay = func(from, to int) time.Duration {
			if net.rng.IntN(10) == 0 {
				return -1
			}
			return near(from, to)
		}
		net.start([]int{1, 2}[:tolerated(n)]...)
		net.run(time.Minute)
		if pause := net.longestPause(epoch); pause > 15*time.Second {
			t.Errorf("a pause of %v", pause)
		}
		t.Logf("%d anchors, longest pause %v", len(net.anchors), net.longestPause(epoch))
	})
}

// Seats crash at every point of a witness, and start again with their disk. None
// writes two for one round, which the network checks, and all goes on.
func TestCrashes(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		for seed := range uint64(5) {
			net := newNetwork(t, seed, equal(n)...)
			net.start()
			for range 60 {
				d := net.nodes[net.rng.IntN(n)]
				if !d.down {
					d.doom = doom(1 + net.rng.IntN(int(dooms)-1))
				}
				net.run(time.Duration(net.rng.Int64N(int64(time.Second))))
				for _, d := range net.nodes {
					if d.down && net.rng.IntN(2) == 0 {
						d.start()
					}
				}
			}
			for _, d := range net.nodes {
				d.doom = unharmed
				if d.down {
					d.start()
				}
			}
			calm := net.now
			net.run(10 * time.Second)
			if pause := net.longestPause(calm); pause > 2500*time.Millisecond {
				t.Errorf("seed %d: a pause of %v", seed, pause)
			}
		}
	})
}

// Seats crash at every point of a witness and lose their disks, one after the
// other, and ask at once, while the others may still be where the old self was.
// None writes a round that its old self could have written, which the network
// checks, and each gets its voice back. With seven seats one lies to them.
func TestRejoin(t *testing.T) {
	committees(t, func(t *testing.T, n int) {
		for seed := range uint64(5) {
			net := newNetwork(t, seed, equal(n)...)
			net.start()
			net.nodes[0].lies = tolerated(n) > 1
			for range 3 {
				net.run(time.Duration(net.rng.Int64N(int64(2 * time.Second))))
				d := net.nodes[1+net.rng.IntN(n-1)]
				d.doom = doom(1 + net.rng.IntN(int(dooms)-1))
				for !d.down {
					net.run(time.Millisecond)
				}
				before := net.highest[d.seat]
				d.restore()
				net.run(7 * time.Second)
				if d.pace == nil || net.highest[d.seat] < before+10 {
					t.Fatalf("seed %d: seat %d is at round %d, its old self was at %d, the others at %d",
						seed, d.seat, net.highest[d.seat], before, slices.Max(net.highest))
				}
			}
			if pause := net.longestPause(epoch); pause > 4*time.Second {
				t.Errorf("seed %d: a pause of %v", seed, pause)
			}
		}
	})
}

// Two seats of seven lose their disks at the same time. Neither can report to the
// other before it has rejoined.
func TestRejoinOfTwo(t *testing.T) {
	for seed := range uint64(10) {
		net := newNetwork(t, seed, equal(7)...)
		net.start()
		net.run(10 * time.Second)
		for _, seat := range []int{2, 5} {
			net.nodes[seat].crash()
			net.nodes[seat].restore()
		}
		net.run(20 * time.Second)
		for _, seat := range []int{2, 5} {
			if net.highest[seat]+3 < net.highest[0] {
				t.Errorf("seed %d: seat %d is at round %d, the others at %d", seed, seat, net.highest[seat], net.highest[0])
			}
		}
	}
}

// If nobody is left who remembers, nobody starts: that takes the operator's word.
func TestRejoinOfAll(t *testing.T) {
	net := newNetwork(t, 1, equal(4)...)
	net.start()
	net.run(10 * time.Second)
	for _, d := range net.nodes {
		d.crash()
	}
	for _, d := range net.nodes {
		d.restore()
	}
	net.run(time.Minute)
	for _, d := range net.nodes {
		if d.pace != nil {
			t.Errorf("seat %d started", d.seat)
		}
	}
}
