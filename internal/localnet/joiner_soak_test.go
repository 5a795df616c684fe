//go:build soak

package localnet

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"testing"
	"time"

	"tangled/gossip"
	"tangled/message"
	"tangled/node"
)

// TestSoakJoiner: a permanode that begins with nothing among four nodes with a seat
// each and a million readings comes to the head, while they go on.
func TestSoakJoiner(t *testing.T) {
	const readings = 1_000_000
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
	defer cancel()
	n, err := Start(ctx, Options{Middle: 4, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}()

	began := time.Now()
	fill(ctx, t, n, readings)
	settled := waitingAtMost(ctx, t, n.Members[0].Node, 0)
	t.Logf("%d readings are final at anchor %d after %v", readings, settled, time.Since(began))

	load, stop := context.WithCancel(ctx)
	var trickle sync.WaitGroup
	trickle.Go(func() {
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for i := readings; ; i++ {
			select {
			case <-pace.C:
			case <-load.Done():
				return
			}
			if _, err := n.Members[i%4].Node.Issue(ctx, soakReading(i)); err != nil {
				t.Errorf("reading %d: %v", i, err)
				return
			}
		}
	})
	defer trickle.Wait()
	defer stop()

	began = time.Now()
	joiner := join(ctx, t, n)
	defer joiner.Close()
	head := func() bool {
		last := joiner.LastAnchor()
		return joiner.Health() == nil && last >= settled && last+5 >= n.Members[0].Node.LastAnchor()
	}
	for !head() {
		select {
		case <-joiner.NextAnchor():
		case <-time.After(time.Second): // health changes without an anchor, too
		case <-ctx.Done():
			t.Fatalf("at anchor %d, the others at %d", joiner.LastAnchor(), n.Members[0].Node.LastAnchor())
		}
	}
	took := time.Since(began)
	t.Logf("at the head, anchor %d, after %v: %.0f readings/s", joiner.LastAnchor(), took, readings/took.Seconds())

	if from := joiner.CompleteFrom(); from != 1 {
		t.Errorf("complete from anchor %d, want 1", from)
	}
	included := uint64(0)
	for index := uint64(1); index <= joiner.LastAnchor(); index++ {
		a, err := joiner.Anchor(index)
		if err != nil {
			t.Fatal(err)
		}
		included += a.Commitment.Count
		for _, m := range n.Members {
			b, err := m.Node.Anchor(index)
			if err != nil && m.Node.LastAnchor() < index {
				continue
			}
			if err != nil || a.Commitment != b.Commitment {
				t.Fatalf("anchor %d: %+v\nat %s: %+v, %v", index, a.Commitment, m.Name, b.Commitment, err)
			}
		}
	}
	if included < readings {
		t.Errorf("its anchors include %d messages of %d", included, readings)
	}
	if stored, err := joiner.Info(ctx); err != nil || stored.Messages < included {
		t.Errorf("%d messages are stored of %d, %v", stored.Messages, included, err)
	}
}

func soakReading(i int) message.Data {
	return message.Data{Topic: fmt.Sprintf("city/device/site/%d/air", i%100), ContentType: "application/json", Content: fmt.Appendf(nil, `{"seq":%d}`, i)}
}

// fill issues readings on all nodes, as fast as they become final.
func fill(ctx context.Context, t *testing.T, n *Network, readings int) {
	t.Helper()
	const issuers, ahead = 64, 20_000
	next := make(chan int)
	var workers sync.WaitGroup
	for w := range issuers {
		issuer := n.Members[w%len(n.Members)].Node
		workers.Go(func() {
			for i := range next {
				if _, err := issuer.Issue(ctx, soakReading(i)); err != nil {
					t.Errorf("reading %d: %v", i, err)
				}
			}
		})
	}
	for i := range readings {
		if i%(ahead/4) == 0 {
			waitingAtMost(ctx, t, n.Members[0].Node, ahead)
		}
		next <- i
	}
	close(next)
	workers.Wait()
}

// waitingAtMost waits until at most so many messages of a node are not final, and
// returns its last anchor.
func waitingAtMost(ctx context.Context, t *testing.T, n *node.Node, most int) uint64 {
	t.Helper()
	for {
		next := n.NextAnchor()
		info, err := n.Info(ctx)
		if err != nil {
			t.Error(err)
			return 0
		}
		if info.Waiting <= most {
			return info.Anchor
		}
		select {
		case <-next:
		case <-ctx.Done():
			t.Error(ctx.Err())
			return 0
		}
	}
}

// join starts a permanode that knows all members.
func join(ctx context.Context, t *testing.T, n *Network) *node.Node {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	joiner, err := node.Open(ctx, node.Options{
		Dir: t.TempDir(), Genesis: n.Genesis, Key: key, Role: node.Permanode,
		Gossip: gossip.Options{SwarmKey: n.swarmKey},
	})
	if err != nil {
		t.Fatal(err)
	}
	m := &Member{Name: "joiner", Node: joiner}
	for _, other := range n.Members {
		if err := introduce(ctx, m, other); err != nil {
			t.Fatal(err)
		}
	}
	return joiner
}
