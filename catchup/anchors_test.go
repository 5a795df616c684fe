package catchup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/proof"
)

// mixed is a chain of anchors of several sizes, not all of them signed, the last
// two not yet.
func mixed(t testing.TB) *chain {
	c := newChain(t, 3)
	c.grow(5, 0, 1, 2)
	c.grow(0)
	c.grow(40)
	c.grow(1, 1, 2, 3)
	c.grow(0, 0, 1, 2, 3)
	c.grow(70)
	c.grow(7, 0, 2, 3)
	c.grow(3)
	c.grow(0)
	return c
}

const mixedSigned = 7 // the last signed anchor of mixed

func TestAnchors(t *testing.T) {
	c := mixed(t)
	// Whatever the size of the pages: some are shorter than a list.
	for _, size := range []int{maxPage, 20_000, 3000, 700, 2*proof.CommitmentSize + 20, proof.CommitmentSize + entrySize} {
		c.pageSize = size
		for after := range mixedSigned + 1 {
			t.Run(fmt.Sprintf("page of %d after %d", size, after), func(t *testing.T) {
				got, err := collect(c.client(nil).Anchors(t.Context(), uint64(after), c.anchors[after].hash))
				if err != nil {
					t.Fatal(err)
				}
				c.check(got, after+1, mixedSigned-after)
				if n := len(got); n > 0 && len(got[n-1].Signatures) == 0 {
					t.Error("the last anchor has no signatures")
				}
			})
		}
	}
}

// A node that knows all there is to know is told so, and so is one ahead.
func TestAnchorsAtTheEnd(t *testing.T) {
	c := mixed(t)
	for _, after := range []uint64{mixedSigned, c.last(), c.last() + 5} {
		if got, err := collect(c.client(nil).Anchors(t.Context(), after, [32]byte{1})); err != nil || len(got) > 0 {
			t.Errorf("after %d: %d anchors, %v", after, len(got), err)
		}
	}
}

func TestBackfill(t *testing.T) {
	c := mixed(t)
	for _, size := range []int{maxPage, 700} {
		c.pageSize = size
		for first := 1; first <= int(c.last()); first++ {
			for last := first; last <= int(c.last()); last++ {
				got, err := collect(c.client(nil).Backfill(t.Context(), uint64(first), uint64(last), c.anchors[last].hash))
				if err != nil {
					t.Fatalf("%d to %d: %v", first, last, err)
				}
				c.check(got, first, last-first+1)
			}
		}
	}
	if _, err := collect(c.client(nil).Backfill(t.Context(), 5, 4, [32]byte{})); err == nil {
		t.Error("a range that ends before it begins")
	}
	if _, err := collect(c.client(nil).Backfill(t.Context(), 3, c.last()+1, [32]byte{})); !errors.Is(err, ErrNotHere) {
		t.Errorf("beyond the peer's last: %v, want ErrNotHere", err)
	}
}

// A peer that has pruned says so, and another goes on from where it stopped.
func TestNotHere(t *testing.T) {
	c := mixed(t)
	c.from = 4
	var first uint64
	if _, err := collect(c.client(nil).Anchors(t.Context(), first, c.anchors[0].hash)); !errors.Is(err, ErrNotHere) {
		t.Errorf("pruned anchors: %v, want ErrNotHere", err)
	}
	got, err := collect(c.client(nil).Anchors(t.Context(), 3, c.anchors[3].hash))
	if err != nil {
		t.Fatal(err)
	}
	c.check(got, 4, mixedSigned-3)

	// A body is gone while its list is there: what comes before it is given.
	lost := c.anchors[6].included[30].ID
	delete(c.messages, lost)
	got, err = collect(c.client(nil).Anchors(t.Context(), 3, c.anchors[3].hash))
	if !errors.Is(err, ErrNotHere) {
		t.Errorf("a lost body: %v, want ErrNotHere", err)
	}
	c.check(got, 4, 2)
}

// A peer with a gap gives what lies before it to who asks for that.
func TestGapWithin(t *testing.T) {
	c := mixed(t)
	src := c.source()
	src.CompleteFrom = func() uint64 { return 6 }
	src.Complete = func(from uint64) uint64 {
		if from <= 5 {
			return 4
		}
		return c.last()
	}
	client := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, q []byte) ([]byte, error) { return Serve(ctx, src, q) }})
	got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
	if !errors.Is(err, ErrNotHere) {
		t.Errorf("at the gap: %v, want ErrNotHere", err)
	}
	c.check(got, 1, 4)
	if got, err = collect(client.Backfill(t.Context(), 2, 3, c.anchors[3].hash)); err != nil {
		t.Fatal(err)
	}
	c.check(got, 2, 2)
	if _, err = collect(client.Backfill(t.Context(), 2, 5, c.anchors[5].hash)); !errors.Is(err, ErrNotHere) {
		t.Errorf("across the gap: %v, want ErrNotHere", err)
	}
}

// A peer that stops answering is no liar: what it gave stays true, and another one
// goes on from there.
func TestPeerStopsAnswering(t *testing.T) {
	c := mixed(t)
	c.pageSize = 3000
	failure := errors.New("connection lost")
	for answers := range 40 {
		flaky := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, q []byte) ([]byte, error) {
			if answers--; answers < 0 {
				return nil, failure
			}
			return c.serve(ctx, q)
		}})
		// One request at a time, so that which one fails does not depend on chance.
		flaky.peers[0].Ask = oneByOne(flaky.peers[0].Ask)
		got, err := collect(flaky.Anchors(t.Context(), 0, c.anchors[0].hash))
		var invalid *InvalidError
		if err != nil && (!errors.Is(err, failure) || errors.As(err, &invalid)) {
			t.Fatalf("got %v, want that the connection was lost", err)
		}
		c.check(got, 1, len(got))
		rest, err := collect(c.client(nil).Anchors(t.Context(), uint64(len(got)), c.anchors[len(got)].hash))
		if err != nil {
			t.Fatal(err)
		}
		c.check(append(got, rest...), 1, mixedSigned)
	}
}

// oneByOne lets one request at a time through.
func oneByOne(ask func(context.Context, []byte) ([]byte, error)) func(context.Context, []byte) ([]byte, error) {
	slot := make(chan struct{}, 1)
	return func(ctx context.Context, q []byte) ([]byte, error) {
		slot <- struct{}{}
		defer func() { <-slot }()
		return ask(ctx, q)
	}
}

// A silent peer costs no more than the caller's patience.
func TestSilentPeer(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		c := mixed(t)
		silent := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := collect(silent.Anchors(ctx, 0, c.anchors[0].hash))
		if len(got) > 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d anchors, %v; want a deadline exceeded", len(got), err)
		}
	})
}

// Whoever leaves the loop leaves nothing behind, wherever it stood.
func TestBreak(t *testing.T) {
	c := mixed(t)
	c.pageSize = 700
	for stop := range mixedSigned + 1 {
		bubbletest.Run(t, func(t *testing.T) {
			var asking atomic.Int32
			slow := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, q []byte) ([]byte, error) {
				asking.Add(1)
				defer asking.Add(-1)
				select {
				case <-time.After(time.Second):
					return c.serve(ctx, q)
				case <-ctx.Done():
					time.Sleep(time.Second) // takes its time to notice
					return nil, ctx.Err()
				}
			}})
			n := 0
			for _, err := range slow.Anchors(t.Context(), 0, c.anchors[0].hash) {
				if err != nil {
					t.Error(err)
				}
				if n++; n > stop {
					break
				}
			}
			if still := asking.Load(); still > 0 {
				t.Errorf("left after %d anchors with %d requests under way", n, still)
			}
		})
	}
}

// While the consumer works, the client asks ahead, with two requests under way at
// most and a bound on what it holds.
func TestAskingAheadIsBounded(t *testing.T) {
	c := newChain(t, 0)
	const anchors, size = 40, 30_000
	for range anchors {
		c.growFast(50, size, 0, 1, 2)
	}
	bubbletest.Run(t, func(t *testing.T) {
		var mu sync.Mutex
		asking, most, served := 0, 0, 0
		count := func(n, bytes int) {
			mu.Lock()
			defer mu.Unlock()
			asking += n
			most = max(most, asking)
			served += bytes
		}
		client := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, q []byte) ([]byte, error) {
			count(1, 0)
			time.Sleep(time.Millisecond)
			reply, err := c.serve(ctx, q)
			count(-1, len(reply))
			return reply, err
		}})
		taken, ahead := 0, 0
		for v, err := range client.Anchors(t.Context(), 0, c.anchors[0].hash) {
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range v.Messages {
				taken += len(m.Bytes())
			}
			time.Sleep(time.Minute)
			bubbletest.Wait()
			ahead = max(ahead, served-taken)
		}
		if most > 2 {
			t.Errorf("%d requests at once, at most 2", most)
		}
		if ahead > 32<<20 {
			t.Errorf("%d bytes ahead of the consumer, at most 32 MiB", ahead)
		}
		if ahead < maxAhead {
			t.Errorf("%d bytes ahead of the consumer: it does not ask ahead", ahead)
		}
	})
}

// An anchor that is larger than the bound is gathered all the same.
func TestAnchorLargerThanTheBound(t *testing.T) {
	c := newChain(t, 0)
	c.grow(3, 0, 1, 2)
	c.growFast(1200, 30_000, 0, 1, 2)
	c.grow(3, 0, 1, 2)
	got, err := collect(c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash))
	if err != nil {
		t.Fatal(err)
	}
	c.check(got, 1, 3)
}

// A sequence may be ranged over again, and a client serves several at once.
func TestSequencesAreIndependent(t *testing.T) {
	c := mixed(t)
	seq := c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash)
	for range 2 {
		for v, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			inner, err := collect(seq)
			if err != nil {
				t.Fatal(err)
			}
			c.check(inner, 1, mixedSigned)
			if v.Commitment.Index == 2 {
				break
			}
		}
	}
}

// What a Verified holds is not the memory of its neighbours.
func TestVerifiedIsTheConsumers(t *testing.T) {
	c := mixed(t)
	for v, err := range c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash) {
		if err != nil {
			t.Fatal(err)
		}
		c.check([]Verified{v}, int(v.Commitment.Index), 1)
		_ = append(v.Messages, nil)
		_ = append(v.Included, Included{})
		clear(v.Messages)
		clear(v.Included)
		clear(v.Signatures)
	}
}

func TestStatus(t *testing.T) {
	c := mixed(t)
	c.from = 3
	got, err := c.client(nil).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := c.anchors[mixedSigned]
	if got.Commitment != want.commitment || !slices.Equal(got.Signatures, want.signatures) || got.CompleteFrom != 3 {
		t.Errorf("got %+v", got)
	}
	if got.Snapshot != (SnapshotInfo{}) {
		t.Errorf("a snapshot where there is none: %+v", got.Snapshot)
	}
	c.file, c.info = make([]byte, 10), SnapshotInfo{Index: 5, Size: 10, Digest: [32]byte{7}}
	if got, err = c.client(nil).Status(t.Context()); err != nil || got.Snapshot != c.info {
		t.Errorf("snapshot %+v, %v; want %+v", got.Snapshot, err, c.info)
	}
	young := newChain(t, 0)
	young.grow(3)
	if _, err := young.client(nil).Status(t.Context()); !errors.Is(err, ErrNotHere) {
		t.Errorf("nothing signed: %v, want ErrNotHere", err)
	}
}

// The newest signed anchor is found wherever the signed ones are, and none beyond
// what the node would serve counts.
func TestNewestSigned(t *testing.T) {
	for last := range 12 {
		for signed := range last + 1 {
			c := newChain(t, 0)
			for i := 1; i <= last; i++ {
				if i == signed || i < signed && i%3 == 0 {
					c.grow(0, 0, 1, 2)
				} else {
					c.grow(0)
				}
			}
			src := c.source()
			got, _, err := src.newest()
			if (signed == 0) != errors.Is(err, ErrNotHere) || got != uint64(signed) {
				t.Errorf("%d anchors, the last signed %d: got %d, %v", last, signed, got, err)
			}
			if signed > 0 {
				src.LastAnchor = func() uint64 { return uint64(signed) - 1 }
				if got, _, _ := src.newest(); got >= uint64(signed) {
					t.Errorf("the last anchor is %d, the newest signed %d", signed-1, got)
				}
			}
		}
	}
}

// Every kind of message passes, with the outcome that is its own.
func TestKindsPass(t *testing.T) {
	c := mixed(t)
	kinds := map[message.Kind]bool{}
	got, err := collect(c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got {
		for _, m := range v.Messages {
			kinds[m.Kind] = true
		}
	}
	if len(kinds) != 3 {
		t.Errorf("kinds %v in the test's chain, want all three", kinds)
	}
}
