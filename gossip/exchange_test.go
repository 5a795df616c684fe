package gossip

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/internal/bubbletest"
	"tangled/message"
)

func testIDs(n int) []message.ID {
	ids := make([]message.ID, n)
	for i := range ids {
		ids[i] = message.NewID(uint64(i+1), [32]byte{byte(i), byte(i >> 8)})
	}
	return ids
}

func TestFetch(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		n.net.SetLatency(time.Millisecond)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		want := FetchReply{Next: testIDs(3)[2]}
		for i := range 200 {
			want.Messages = append(want.Messages, bytes.Repeat([]byte{byte(i + 1)}, 20_000))
		}
		var asked FetchRequest
		var by peer.ID
		b.options.ServeFetch = func(_ context.Context, from peer.ID, q FetchRequest) (FetchReply, error) {
			asked, by = q, from
			return want, nil
		}
		b.open()
		settle(t, [2]*testNode{a, b})

		request := FetchRequest{Want: testIDs(MaxFetchIDs), Have: testIDs(MaxFetchIDs), Since: 77, After: testIDs(9)[8]}
		got, err := a.Fetch(t.Context(), b.ID(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got.Next != want.Next || !slices.EqualFunc(got.Messages, want.Messages, bytes.Equal) {
			t.Error("the reply is not what was served")
		}
		if by != a.ID() || !slices.Equal(asked.Want, request.Want) || !slices.Equal(asked.Have, request.Have) ||
			asked.Since != 77 || asked.After != request.After {
			t.Error("the request is not what was asked")
		}
		if got := counter(t, a.metrics.exchanges, "fetch", "client", outcomeOK); got != 1 {
			t.Errorf("%v fetches counted, want 1", got)
		}
	})
}

func TestTips(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		var told []message.ID
		b.options.ServeTips = func(_ context.Context, _ peer.ID, tips []message.ID) []message.ID {
			told = tips
			return testIDs(MaxTips + 50)
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		got, err := a.ExchangeTips(t.Context(), b.ID(), testIDs(3))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, testIDs(3)) || !slices.Equal(got, testIDs(MaxTips)) {
			t.Errorf("told %d and got %d tips, want 3 and %d", len(told), len(got), MaxTips)
		}
		var invalid *InvalidError
		if _, err := a.ExchangeTips(t.Context(), b.ID(), testIDs(MaxTips+1)); !errors.As(err, &invalid) {
			t.Errorf("too many of our own: %v, want an *InvalidError", err)
		}
		if a.peerInfo(b.ID()).Penalty != 0 {
			t.Error("the peer was charged for our mistake")
		}
	})
}

// A request reaches a callback that exchanges tips itself, on connect, both ways
// at once: what a node does.
func TestTipsOnConnect(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1), n.node(1, 0)
		var done atomic.Int32
		opened := make(chan struct{}) // peers connect before Open returns
		for _, node := range []*testNode{a, b} {
			node.options.Connected = func(id peer.ID) {
				<-opened
				if _, err := node.ExchangeTips(t.Context(), id, testIDs(1)); err != nil {
					t.Errorf("tips on connect: %v", err)
				}
				done.Add(1)
			}
		}
		a.open()
		b.open()
		close(opened)
		eventually(t, time.Minute, "tips exchanged", func() bool { return done.Load() == 2 })
	})
}

func TestFetchRefusesEarly(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a := n.node(0, 1).open()
		for name, q := range map[string]FetchRequest{
			"nothing":  {},
			"too many": {Want: testIDs(MaxFetchIDs + 1)},
			"have":     {Want: testIDs(1), Have: testIDs(MaxFetchIDs + 1)},
			"zero":     {Want: make([]message.ID, 1)},
		} {
			var invalid *InvalidError
			if _, err := a.Fetch(t.Context(), testID(t, 1), q); !errors.As(err, &invalid) {
				t.Errorf("%s: %v, want an *InvalidError", name, err)
			}
		}
		if _, err := a.Fetch(t.Context(), testID(t, 1), FetchRequest{Want: testIDs(1)}); !errors.Is(err, ErrNotConnected) {
			t.Errorf("no connection: %v, want ErrNotConnected", err)
		}
	})
}

// A server that never answers, and one that drips a byte at a time, cost the
// caller a bounded time and the server nothing.
func TestSlowServerTimesOut(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve func(network.Stream)
	}{
		{"silent", func(s network.Stream) { io.Copy(io.Discard, s) }},
		{"dripping", func(s network.Stream) {
			for _, err := s.Write([]byte{0, 0, 0x10, 0, statusOK}); err == nil; _, err = s.Write([]byte{0}) {
				time.Sleep(time.Second)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				n := newTestNetwork(t)
				a, b := n.node(0, 1).open(), n.node(1, 0).open()
				b.host.SetStreamHandler(b.protocol, tc.serve)
				settle(t, [2]*testNode{a, b})
				begin := time.Now()
				_, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)})
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("got %v, want a deadline exceeded", err)
				}
				if took := time.Since(begin); took > replyTimeout+time.Second {
					t.Errorf("took %s", took)
				}
				if info := a.peerInfo(b.ID()); info.Penalty != 0 || !info.Connected {
					t.Errorf("a slow peer was charged: %+v", info)
				}
				if got := counter(t, a.metrics.exchanges, "fetch", "client", outcomeTimeout); got != 1 {
					t.Errorf("%v timeouts counted, want 1", got)
				}
				time.Sleep(2 * time.Second) // the dripping handler notices the reset
			})
		})
	}
}

func TestFetchContext(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		b.options.ServeFetch = func(ctx context.Context, _ peer.ID, _ FetchRequest) (FetchReply, error) {
			<-ctx.Done()
			return FetchReply{}, ctx.Err()
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := a.Fetch(ctx, b.ID(), FetchRequest{Want: testIDs(1)})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
		// Without a limit of the caller's, the server's own ends it.
		if _, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)}); !errors.Is(err, ErrNoAnswer) {
			t.Errorf("got %v, want the server's word that it has no answer", err)
		}
	})
}

// What a server must not send: each is an *InvalidError and a point.
func TestRubbishReplies(t *testing.T) {
	part := func(status byte, body []byte) []byte { return append(appendHead(nil, status, len(body)), body...) }
	tooMany := FetchReply{Messages: slices.Repeat([][]byte{{1}}, MaxFetchMessages+1)}
	tooLarge := FetchReply{Messages: slices.Repeat([][]byte{make([]byte, maxMessageSize)}, MaxFetchSize/maxMessageSize+1)}
	for _, tc := range []struct {
		name  string
		reply []byte
	}{
		{"no bytes", binary.BigEndian.AppendUint32(nil, 0)},
		{"unknown status", part(7, nil)},
		{"failed with a body", part(statusFailed, []byte{1})},
		{"too many messages", part(statusOK, appendFetchReply(nil, tooMany))},
		{"too many bytes", part(statusOK, appendFetchReply(nil, tooLarge))},
		{"claims 4 GiB", []byte{0xff, 0xff, 0xff, 0xff, statusOK}},
		{"truncated", part(statusOK, []byte{0, 1, 0, 0})},
		{"trailing", part(statusOK, append(appendFetchReply(nil, FetchReply{}), 0))},
		{"empty message", part(statusOK, appendFetchReply(nil, FetchReply{Messages: [][]byte{{}}}))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				n := newTestNetwork(t)
				a, b := n.node(0, 1).open(), n.node(1, 0).open()
				b.host.SetStreamHandler(b.protocol, func(s network.Stream) {
					defer s.Close()
					readPart(s, maxRequestSize)
					reply := tc.reply
					if len(reply) < 5 {
						reply = append(reply, 0) // so that the head is whole
					}
					s.Write(reply)
				})
				settle(t, [2]*testNode{a, b})
				_, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)})
				var invalid *InvalidError
				if !errors.As(err, &invalid) {
					t.Fatalf("got %v, want an *InvalidError", err)
				}
				if got := counter(t, a.metrics.invalid, invalidStream); got != 1 {
					t.Errorf("%v points, want 1", got)
				}
			})
		})
	}
}

// What a client must not send: each is a point and a reset stream, and a burst
// of them a ban.
func TestRubbishRequests(t *testing.T) {
	part := func(kind byte, body []byte) []byte { return append(appendHead(nil, kind, len(body)), body...) }
	rubbish := [][]byte{
		{0, 0, 0, 0, 0},
		[]byte("GET / HTTP/1.1\r\n\r\n"),
		part(9, nil),
		part(kindFetch, []byte{0}),
		part(kindFetch, appendFetchRequest(nil, FetchRequest{})),
		part(kindTips, append(appendTips(nil, testIDs(1)), 1)),
		part(kindTips, appendTips(nil, testIDs(MaxTips+1))),
	}
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		b.options.MaxInvalid = len(rubbish)
		b.open()
		settle(t, [2]*testNode{a, b})
		for i, request := range rubbish {
			s, err := a.host.NewStream(t.Context(), b.ID(), a.protocol)
			if err != nil {
				t.Fatal(err)
			}
			s.Write(request)
			s.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := s.Read(make([]byte, 1)); n > 0 || !errors.Is(err, network.ErrReset) {
				t.Errorf("%d: read %d bytes, %v; want a reset", i, n, err)
			}
			bubbletest.Wait() // the stream is reset before the point is counted
			if got := counter(t, b.metrics.invalid, invalidStream); got != float64(i+1) {
				t.Errorf("%d: %v points, want %d", i, got, i+1)
			}
		}
		time.Sleep(time.Second)
		if b.connectedTo(a) || b.peerInfo(a.ID()).BannedUntil.IsZero() {
			t.Error("not banned after the last")
		}
	})
}

// A client that sends half a request holds one slot for ten seconds, no more, and
// is not charged: it may have died.
func TestSlowClientIsDropped(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0).open()
		settle(t, [2]*testNode{a, b})
		s, err := a.host.NewStream(t.Context(), b.ID(), a.protocol)
		if err != nil {
			t.Fatal(err)
		}
		s.Write(appendHead(nil, kindTips, 2)[:4])
		begin := time.Now()
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("an answer to half a request")
		}
		if took := time.Since(begin); took > requestTimeout+time.Second {
			t.Errorf("held for %s", took)
		}
		if info := b.peerInfo(a.ID()); info.Penalty != 0 {
			t.Errorf("charged: %+v", info)
		}
	})
}

// One peer gets a bounded number of slots; what is beyond is told to come later,
// at no cost.
func TestServingIsBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		n := newTestNetwork(t)
		a, b := n.node(0, 1).open(), n.node(1, 0)
		release := make(chan struct{})
		b.options.ServeFetch = func(context.Context, peer.ID, FetchRequest) (FetchReply, error) {
			<-release
			return FetchReply{}, nil
		}
		b.open()
		settle(t, [2]*testNode{a, b})
		results := make(chan error, maxServingPerPeer+3)
		for range cap(results) {
			go func() {
				_, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)})
				results <- err
			}()
		}
		time.Sleep(time.Second)
		if len(results) != 3 {
			t.Errorf("%d were turned away, want 3", len(results))
		}
		close(release)
		failed := 0
		for range cap(results) {
			if err := <-results; err != nil {
				failed++
			}
		}
		if failed != 3 {
			t.Errorf("%d failed, want 3", failed)
		}
		if got := counter(t, a.metrics.exchanges, "fetch", "client", outcomeBusy); got != 3 {
			t.Errorf("%v counted as busy, want 3", got)
		}
		if b.peerInfo(a.ID()).Penalty != 0 || a.peerInfo(b.ID()).Penalty != 0 {
			t.Error("full slots cost a point")
		}
	})
}

// A node whose own answer breaks the bounds does not send it.
func TestOwnReplyOutOfBounds(t *testing.T) {
	for _, reply := range []FetchReply{
		{Messages: [][]byte{nil}},
		{Messages: [][]byte{make([]byte, maxMessageSize+1)}},
		{Messages: slices.Repeat([][]byte{{1}}, MaxFetchMessages+1)},
		{Messages: slices.Repeat([][]byte{make([]byte, maxMessageSize)}, MaxFetchSize/maxMessageSize+1)},
	} {
		bubbletest.Run(t, func(t *testing.T) {
			n := newTestNetwork(t)
			a, b := n.node(0, 1).open(), n.node(1, 0)
			b.options.ServeFetch = func(context.Context, peer.ID, FetchRequest) (FetchReply, error) { return reply, nil }
			b.open()
			settle(t, [2]*testNode{a, b})
			if _, err := a.Fetch(t.Context(), b.ID(), FetchRequest{Want: testIDs(1)}); !errors.Is(err, ErrNoAnswer) {
				t.Errorf("%d messages: %v, want that the server has no answer", len(reply.Messages), err)
			}
			if a.peerInfo(b.ID()).Penalty != 0 {
				t.Error("charged")
			}
		})
	}
}
