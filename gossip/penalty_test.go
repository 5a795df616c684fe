package gossip

import (
	"errors"
	"testing"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"

	"tangled/internal/bubbletest"
)

// sendRaw publishes bytes as they are: what a peer with other code would send.
func (n *testNode) sendRaw(frame []byte, opts ...pubsub.PubOpt) {
	n.t.Helper()
	if err := n.topic.Publish(n.t.Context(), frame, opts...); err != nil {
		n.t.Fatal(err)
	}
}

func TestInvalidFramesBan(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		bad, b := n.node(0, 1), n.node(1, 0)
		b.options.MaxInvalid, b.options.Ban = 3, 5*time.Minute
		bad.open()
		b.open()
		settle(t, [2]*testNode{bad, b})

		for i := range 2 {
			bad.sendRaw([]byte{0, byte(i)})
			time.Sleep(100 * time.Millisecond)
		}
		if info := b.peerInfo(bad.ID()); info.Penalty < 1.9 || !info.Connected || !info.BannedUntil.IsZero() {
			t.Fatalf("after two invalid frames: %+v", info)
		}
		bad.sendRaw([]byte{0, 9})
		time.Sleep(time.Second)
		info := b.peerInfo(bad.ID())
		if info.Connected || info.BannedUntil.IsZero() {
			t.Fatalf("after three invalid frames: %+v", info)
		}
		if got := counter(t, b.metrics.bans); got != 1 {
			t.Errorf("%v bans, want 1", got)
		}
		if got := counter(t, b.metrics.invalid, invalidFrame); got != 3 {
			t.Errorf("%v invalid frames, want 3", got)
		}
		if _, err := b.ExchangeTips(t.Context(), bad.ID(), nil); !errors.Is(err, ErrNotListed) {
			t.Errorf("request to a banned peer: %v, want ErrNotListed", err)
		}
		for time.Now().Before(info.BannedUntil.Add(-time.Second)) {
			if b.connectedTo(bad) {
				t.Fatal("a banned peer is connected")
			}
			time.Sleep(time.Second)
		}
		settle(t, [2]*testNode{bad, b})
		if info := b.peerInfo(bad.ID()); info.Penalty != 0 || !info.BannedUntil.IsZero() {
			t.Errorf("after the ban: %+v", info)
		}
		time.Sleep(6 * time.Minute) // GossipSub's own score and back-off
		bad.Announce([]byte("good now"))
		time.Sleep(5 * time.Second)
		if !b.has([]byte("good now")) {
			t.Error("nothing gets through after the ban")
		}
	})
}

// Points are forgiven: an invalid frame now and then is never a ban.
func TestPenaltyIsForgiven(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		b.options.MaxInvalid, b.options.Ban = 2, 10*time.Minute
		b.open()
		settle(t, [2]*testNode{a, b})
		for range 10 {
			b.Penalise(a.ID(), "a fetched message was invalid")
			time.Sleep(2 * time.Minute)
			if !b.peerInfo(a.ID()).BannedUntil.IsZero() {
				t.Fatal("banned for one point in two minutes")
			}
		}
		b.Penalise(a.ID(), "one")
		b.Penalise(a.ID(), "two")
		if b.peerInfo(a.ID()).BannedUntil.IsZero() {
			t.Error("not banned for two points at once")
		}
	})
}

// A message that is signed or names an author breaks the network's policy,
// whatever is in it.
func TestAuthoredFramesAreCharged(t *testing.T) {
	for name, policy := range map[string]pubsub.MessageSignaturePolicy{
		"signed":   pubsub.StrictSign,
		"authored": pubsub.StrictNoSign, // still names its author
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				n := newTestNetwork(t)
				b := n.node(1, 0).open()
				bad := n.rawHost(0)
				ps, err := pubsub.NewGossipSub(t.Context(), bad, pubsub.WithMessageSignaturePolicy(policy))
				if err != nil {
					t.Fatal(err)
				}
				topic, err := ps.Join(b.topic.String())
				if err != nil {
					t.Fatal(err)
				}
				if err := bad.Connect(t.Context(), n.info(1)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				if err := topic.Publish(t.Context(), appendFrame(nil, [][]byte{[]byte("x")})); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if b.has([]byte("x")) {
					t.Error("its messages were judged")
				}
				if got := counter(t, b.metrics.invalid, invalidPolicy); got != 1 {
					t.Errorf("%v charged, want 1", got)
				}
			})
		})
	}
}

func TestStrangersAreForgotten(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		known, err := openNeighbours("", nil, "")
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Open: true, MaxInvalid: 2, Ban: time.Hour}
		if err := o.ensureDefaults(); err != nil {
			t.Fatal(err)
		}
		table := newPeerTable(&o, known, m)
		for i := range maxStrangers + 500 {
			table.charge(testID(t, i), invalidFrame, "test")
		}
		if len(table.records) > maxStrangers+1 {
			t.Errorf("%d strangers remembered, at most %d", len(table.records), maxStrangers)
		}
		time.Sleep(time.Hour)
		if list := table.list(); len(list) != 0 {
			t.Errorf("%d strangers after their points were forgiven", len(list))
		}
	})
}
