package catchup

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tangled/internal/bubbletest"
	"tangled/message"
)

// manner is how a peer of a test answers.
type manner func(ctx context.Context, c *chain, encoded []byte) ([]byte, error)

func honest(ctx context.Context, c *chain, encoded []byte) ([]byte, error) {
	time.Sleep(50 * time.Millisecond)
	return c.serve(ctx, encoded)
}

func silent(ctx context.Context, _ *chain, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

var errLost = errors.New("connection lost")

func lost(context.Context, *chain, []byte) ([]byte, error) { return nil, errLost }

func pruned(context.Context, *chain, []byte) ([]byte, error) { return []byte{statusNotHere}, nil }

// lying gives what is wrong where it is asked for one kind.
func lying(kind byte) manner {
	return func(ctx context.Context, c *chain, encoded []byte) ([]byte, error) {
		time.Sleep(time.Millisecond) // before the others
		reply, err := c.serve(ctx, encoded)
		if encoded[0] == kind && err == nil && len(reply) > 300 {
			reply[len(reply)-100] ^= 1
		}
		return reply, err
	}
}

// empty gives bodies of no bytes.
func empty(context.Context, *chain, []byte) ([]byte, error) {
	return appendBodies([]byte{statusHere}, [][]byte{nil}), nil
}

// only has a peer answer one kind of request in a manner, and others honestly.
func only(kind byte, m manner) manner {
	return func(ctx context.Context, c *chain, encoded []byte) ([]byte, error) {
		if encoded[0] == kind {
			return m(ctx, c, encoded)
		}
		return honest(ctx, c, encoded)
	}
}

// crowd is the peers of a test, and what is known of them.
type crowd struct {
	mu      sync.Mutex
	asked   []map[byte]int    // of each peer, by kind
	charged [][]*InvalidError // of each peer
	most    []int             // requests at once
}

// crowd returns a client of peers of these manners, in ranges of a few messages.
func (c *chain) crowd(manners ...manner) (*Client, *crowd) {
	k := &crowd{asked: make([]map[byte]int, len(manners)), charged: make([][]*InvalidError, len(manners)), most: make([]int, len(manners))}
	var peers []Peer
	for i, m := range manners {
		k.asked[i] = make(map[byte]int)
		asking := 0
		peers = append(peers, Peer{
			Ask: func(ctx context.Context, encoded []byte) ([]byte, error) {
				k.mu.Lock()
				k.asked[i][encoded[0]]++
				asking++
				k.most[i] = max(k.most[i], asking)
				k.mu.Unlock()
				defer func() {
					k.mu.Lock()
					asking--
					k.mu.Unlock()
				}()
				return m(ctx, c, encoded)
			},
			Charge: func(err *InvalidError) {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.charged[i] = append(k.charged[i], err)
			},
		})
	}
	client := NewClient(c.genesis, peers...)
	client.rangeSize = 10
	return client, k
}

// long is a chain of many ranges, in runs of ten anchors.
func long(t testing.TB) *chain {
	c := newChain(t, 0)
	c.pageSize = 5000
	for i := range 100 {
		if i%10 == 9 {
			c.grow(i%7, 0, 1, 2)
		} else {
			c.grow(i % 7)
		}
	}
	return c
}

// takeWhole has a client give the whole chain, and tells how long it took.
func (c *chain) takeWhole(t *testing.T, client *Client) time.Duration {
	t.Helper()
	start := time.Now()
	got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
	if err != nil {
		t.Fatal(err)
	}
	c.check(got, 1, int(c.last()))
	return time.Since(start)
}

// Several peers are asked at once, and together are faster.
func TestPeersShareTheWork(t *testing.T) {
	c := long(t)
	var took [5]time.Duration
	for _, n := range []int{1, 2, 4} {
		bubbletest.Run(t, func(t *testing.T) {
			var manners []manner
			for range n {
				manners = append(manners, honest)
			}
			client, k := c.crowd(manners...)
			took[n] = c.takeWhole(t, client)
			for i := range n {
				if k.asked[i][kindBodies] == 0 || len(k.charged[i]) > 0 || k.most[i] > 2 {
					t.Errorf("peer %d of %d: asked %v, at most %d at once, charged %v", i, n, k.asked[i], k.most[i], k.charged[i])
				}
			}
		})
	}
	if took[2] > took[1]*2/3 || took[4] > took[1]/2 {
		t.Errorf("one, two and four peers take %v, %v and %v", took[1], took[2], took[4])
	}
}

// Whatever one peer does, another goes on; it is told of once, and asked no more for
// what it cannot give.
func TestOnePeerFails(t *testing.T) {
	for _, test := range []struct {
		name    string
		manner  manner
		lists   bool // it is asked for lists again
		bodies  int  // how often it is asked for bodies, at most
		charged int  // how often
	}{
		{name: "lies in lists", manner: lying(kindAnchors), bodies: 1, charged: 1},
		{name: "lies in bodies", manner: lying(kindBodies), lists: true, bodies: 2, charged: 1},
		{name: "gives empty bodies", manner: only(kindBodies, empty), lists: true, bodies: 2, charged: 1},
		{name: "has pruned lists", manner: only(kindAnchors, pruned), bodies: 1 << 20},
		{name: "has pruned bodies", manner: only(kindBodies, pruned), lists: true, bodies: mostRefusals},
		{name: "is lost", manner: lost, bodies: 1},
		{name: "is silent with bodies", manner: only(kindBodies, silent), lists: true, bodies: 1},
	} {
		for place := range 2 { // as the first of the peers, and as the second
			t.Run(fmt.Sprintf("%s, %d", test.name, place), func(t *testing.T) {
				c := long(t)
				bubbletest.Run(t, func(t *testing.T) {
					manners := []manner{honest, honest, honest}
					manners[place] = test.manner
					client, k := c.crowd(manners...)
					if took := c.takeWhole(t, client); took > 10*time.Second {
						t.Errorf("took %v", took)
					}
					if place == 0 && test.lists != (k.asked[0][kindAnchors] > 1) {
						t.Errorf("asked for lists %d times", k.asked[0][kindAnchors])
					}
					if n := k.asked[place][kindBodies]; n > test.bodies && (place == 0 || test.lists) {
						t.Errorf("asked for bodies %d times", n)
					}
					for i := range k.charged {
						want := 0
						// Whoever is asked for no lists cannot lie in them.
						if i == place && (place == 0 || test.lists) {
							want = test.charged
						}
						if len(k.charged[i]) != want {
							t.Errorf("peer %d is charged with %v", i, k.charged[i])
						}
					}
				})
			})
		}
	}
}

// A slow peer that another has overtaken is left alone, and is charged for nothing;
// where all are slow, none is.
func TestSlowPeer(t *testing.T) {
	pace := func(d time.Duration) manner {
		return only(kindBodies, func(ctx context.Context, c *chain, encoded []byte) ([]byte, error) {
			select {
			case <-time.After(d):
				return c.serve(ctx, encoded)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	}
	c := long(t)
	for _, slow := range []time.Duration{4 * time.Second, 20 * time.Second} {
		bubbletest.Run(t, func(t *testing.T) {
			client, k := c.crowd(pace(3*time.Second), pace(slow), pace(3*time.Second))
			got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
			if err != nil {
				t.Fatal(err)
			}
			c.check(got, 1, int(c.last()))
			if overtaken := slow > 9*time.Second; overtaken != (k.asked[1][kindBodies] == 1) {
				t.Errorf("a peer that takes %v was asked %d times", slow, k.asked[1][kindBodies])
			}
			ranges := 0
			for i := 0; i < len(got); i += 10 {
				ranges += len(newLists(got[i : i+10]).ranges(client.rangeSize))
			}
			if all := k.asked[0][kindBodies] + k.asked[1][kindBodies] + k.asked[2][kindBodies]; slow < 9*time.Second && all != ranges {
				t.Errorf("asked for bodies %d times, there are %d ranges", all, ranges)
			}
			if len(k.charged[1]) > 0 {
				t.Errorf("charged with %v", k.charged[1])
			}
		})
	}
}

// The last of the peers to fail says why it ends, and what is whole is given.
func TestAllPeersFail(t *testing.T) {
	c := long(t)
	for name, manners := range map[string][]manner{
		"lists": {only(kindAnchors, pruned), only(kindAnchors, lost)},
		"bodies": {only(kindBodies, pruned), only(kindBodies, func(ctx context.Context, c *chain, q []byte) ([]byte, error) {
			time.Sleep(time.Second)
			return nil, errLost
		})},
	} {
		bubbletest.Run(t, func(t *testing.T) {
			client, _ := c.crowd(manners...)
			got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
			if !errors.Is(err, errLost) {
				t.Errorf("%s: %d anchors, %v; want %v", name, len(got), err, errLost)
			}
			c.check(got, 1, len(got))
		})
	}
}

// What one peer lacks another gives, and the other way round.
func TestPeersLackDifferentMessages(t *testing.T) {
	c := long(t)
	lacking := func(place int) manner {
		return func(_ context.Context, c *chain, encoded []byte) ([]byte, error) {
			src := c.source()
			body := src.Message
			src.Message = func(id message.ID) ([]byte, error) {
				// Every third of all messages, others in each peer.
				if int(id[20])%3 == place {
					return nil, ErrNotHere
				}
				return body(id)
			}
			return Serve(t.Context(), src, encoded)
		}
	}
	bubbletest.Run(t, func(t *testing.T) {
		client, _ := c.crowd(lacking(0), lacking(1), lacking(2))
		got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
		if err != nil {
			t.Fatal(err)
		}
		c.check(got, 1, int(c.last()))

		client, _ = c.crowd(lacking(0), lacking(0))
		if got, err = collect(client.Anchors(t.Context(), 0, c.anchors[0].hash)); !errors.Is(err, ErrNotHere) {
			t.Errorf("%d anchors, %v; want ErrNotHere", len(got), err)
		}
		c.check(got, 1, len(got))
	})
}

// A peer that failed in lists may have had more than the one that has no more.
func TestTheEndIsNotBelievedAfterAFailure(t *testing.T) {
	c := long(t)
	bubbletest.Run(t, func(t *testing.T) {
		client, _ := c.crowd(only(kindAnchors, lost), honest)
		last := c.last()
		_, err := collect(client.Anchors(t.Context(), last, c.anchors[last].hash))
		if !errors.Is(err, errLost) {
			t.Errorf("the end, with %v; want %v", err, errLost)
		}
	})
}

// Peers of all manners, as chance has it, of which one is honest: all comes, in
// order, and no honest peer is charged. Broken off anywhere, nothing is left behind.
func TestPeersByChance(t *testing.T) {
	c := long(t)
	for seed := range uint64(300) {
		bubbletest.Run(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			kinds := []byte{kindAnchors, kindBodies}
			manners := make([]manner, 2+random.IntN(4))
			good := random.IntN(len(manners))
			for i := range manners {
				bad := []manner{lost, pruned, lying(kinds[random.IntN(2)])}[random.IntN(3)]
				if random.IntN(3) == 0 {
					bad = only(kindBodies, silent)
				}
				chance := random.IntN(100)
				if i == good {
					chance = 0
				}
				pace := time.Duration(random.IntN(100)) * time.Millisecond
				dice := rand.New(rand.NewPCG(seed, uint64(i)+2))
				var mu sync.Mutex
				manners[i] = func(ctx context.Context, c *chain, q []byte) ([]byte, error) {
					time.Sleep(pace)
					mu.Lock()
					roll := dice.IntN(100)
					mu.Unlock()
					if roll < chance {
						return bad(ctx, c, q)
					}
					return honest(ctx, c, q)
				}
			}
			client, k := c.crowd(manners...)
			if random.IntN(4) == 0 {
				stop := random.IntN(int(c.last()))
				for v, err := range client.Anchors(t.Context(), 0, c.anchors[0].hash) {
					if err != nil {
						t.Errorf("seed %d: %v", seed, err)
					}
					if int(v.Commitment.Index) > stop {
						break
					}
				}
				return // the bubble ends only without goroutines in it
			}
			got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
			if err != nil && len(got) < int(c.last()) { // after the last one a failure may hide more
				t.Fatalf("seed %d: %v", seed, err)
			}
			c.check(got, 1, int(c.last()))
			if len(k.charged[good]) > 0 {
				t.Errorf("seed %d: the honest peer is charged with %v", seed, k.charged[good])
			}
		})
	}
}
