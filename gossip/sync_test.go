package gossip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/internal/bubbletest"
)

// The longest request and the longest reply arrive as they were sent.
func TestSync(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		n.net.SetLatency(time.Millisecond)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		request := bytes.Repeat([]byte{7}, MaxSyncRequest)
		want := bytes.Repeat([]byte("0123456789abcdef"), MaxSyncReply/16)
		var asked []byte
		var by peer.ID
		b.options.ServeSync = func(_ context.Context, from peer.ID, q []byte) ([]byte, error) {
			asked, by = q, from
			return want, nil
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		got, err := a.Sync(t.Context(), b.ID(), request)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Error("the reply is not what was served")
		}
		if by != a.ID() || !bytes.Equal(asked, request) {
			t.Error("the request is not what was asked")
		}
		if got := counter(t, a.metrics.exchanges, "sync", "client", outcomeOK); got != 1 {
			t.Errorf("%v exchanges counted, want 1", got)
		}
		if got := counter(t, b.metrics.exchanges, "sync", "server", outcomeOK); got != 1 {
			t.Errorf("%v served exchanges counted, want 1", got)
		}
	})
}

// A node that serves none, one that cannot answer and one whose answer is too
// long tell the peer to ask another, at no cost to anybody.
func TestSyncWithoutAnswer(t *testing.T) {
	for name, serve := range map[string]func(context.Context, peer.ID, []byte) ([]byte, error){
		"none":     nil,
		"error":    func(context.Context, peer.ID, []byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF },
		"too long": func(context.Context, peer.ID, []byte) ([]byte, error) { return make([]byte, MaxSyncReply+1), nil },
		"too late": func(ctx context.Context, _ peer.ID, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				n := newTestNetwork(t)
				a, b := n.node(0, 1).open(), n.node(1, 0)
				b.options.ServeSync = serve
				b.open()
				settle(t, [2]*testNode{a, b})
				if _, err := a.Sync(t.Context(), b.ID(), []byte{1}); !errors.Is(err, ErrNoAnswer) {
					t.Errorf("got %v, want that the server has no answer", err)
				}
				if a.peerInfo(b.ID()).Penalty != 0 || b.peerInfo(a.ID()).Penalty != 0 {
					t.Error("charged")
				}
			})
		})
	}
}

func TestSyncRefusesEarly(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0, 1).open()
		for _, request := range [][]byte{nil, make([]byte, MaxSyncRequest+1)} {
			var invalid *InvalidError
			if _, err := a.Sync(t.Context(), testID(t, 1), request); !errors.As(err, &invalid) {
				t.Errorf("%d bytes: %v, want an *InvalidError", len(request), err)
			}
		}
		if _, err := a.Sync(t.Context(), testID(t, 1), []byte{1}); !errors.Is(err, ErrNotConnected) {
			t.Errorf("no connection: %v, want ErrNotConnected", err)
		}
	})
}

// A request out of bounds costs its sender a point and reaches no callback.
func TestSyncRequestBounds(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		b.options.ServeSync = func(context.Context, peer.ID, []byte) ([]byte, error) {
			t.Error("the callback was called")
			return nil, nil
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		for i, size := range []int{0, MaxSyncRequest + 1} {
			s, err := a.host.NewStream(t.Context(), b.ID(), a.protocol)
			if err != nil {
				t.Fatal(err)
			}
			s.Write(append(appendHead(nil, kindSync, size), make([]byte, size)...))
			if n, err := s.Read(make([]byte, 1)); n > 0 || !errors.Is(err, network.ErrReset) {
				t.Errorf("%d bytes: read %d bytes, %v; want a reset", size, n, err)
			}
			bubbletest.Wait()
			if got := counter(t, b.metrics.invalid, invalidStream); got != float64(i+1) {
				t.Errorf("%d bytes: %v points, want %d", size, got, i+1)
			}
		}
	})
}

// A reply longer than may be is refused by its head, before it is read.
func TestSyncReplyBounds(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		b.host.SetStreamHandler(b.protocol, func(s network.Stream) {
			defer s.Close()
			readPart(s, maxRequestSize)
			s.Write(appendHead(nil, statusOK, MaxSyncReply+1))
		})
		settle(t, [2]*testNode{a, b})
		var invalid *InvalidError
		if _, err := a.Sync(t.Context(), b.ID(), []byte{1}); !errors.As(err, &invalid) || invalid.Reason != reasonTooLarge {
			t.Fatalf("got %v, want that it is too large", err)
		}
		if got := counter(t, a.metrics.invalid, invalidStream); got != 1 {
			t.Errorf("%v points, want 1", got)
		}
	})
}

// A silent server costs the bounded time of every exchange, and nothing else; a
// caller that gives up does not wait for it.
func TestSyncTimesOut(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		b.host.SetStreamHandler(b.protocol, func(s network.Stream) { io.Copy(io.Discard, s) })
		settle(t, [2]*testNode{a, b})
		begin := time.Now()
		if _, err := a.Sync(t.Context(), b.ID(), []byte{1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want a deadline exceeded", err)
		}
		if took := time.Since(begin); took > replyTimeout+time.Second {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		if _, err := a.Sync(ctx, b.ID(), []byte{1}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
		if info := a.peerInfo(b.ID()); info.Penalty != 0 || !info.Connected {
			t.Errorf("a slow peer was charged: %+v", info)
		}
	})
}

// Sync takes from the same slots as fetch.
func TestSyncIsBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		release := make(chan struct{})
		b.options.ServeSync = func(context.Context, peer.ID, []byte) ([]byte, error) {
			<-release
			return nil, nil
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		results := make(chan error, maxServingPerPeer+2)
		for range cap(results) {
			go func() {
				_, err := a.Sync(t.Context(), b.ID(), []byte{1})
				results <- err
			}()
		}
		time.Sleep(time.Second)
		if len(results) != 2 {
			t.Errorf("%d were turned away, want 2", len(results))
		}
		close(release)
		for range cap(results) {
			<-results
		}
		if b.peerInfo(a.ID()).Penalty != 0 || a.peerInfo(b.ID()).Penalty != 0 {
			t.Error("full slots cost a point")
		}
	})
}
