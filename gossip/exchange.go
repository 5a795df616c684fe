package gossip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/message"
)

// An exchange is one request and one reply on a stream, big-endian:
//
//	request:  length u32 | kind u8   | body      kind 1 fetch, 2 tips, 3 sync
//	reply:    length u32 | status u8 | body      status 0 here it is, 1 ask another (no body)
//
// length counts what follows it.
const (
	kindFetch = 1
	kindTips  = 2
	kindSync  = 3

	statusOK     = 0
	statusFailed = 1

	tipsBodySize       = 2 + MaxTips*message.IDSize
	fetchBodySize      = 2*(2+MaxFetchIDs*message.IDSize) + 8 + message.IDSize
	fetchReplyBodySize = 2 + MaxFetchMessages*lengthPrefixSize + MaxFetchSize + message.IDSize
	maxRequestSize     = 1 + fetchBodySize
)

// Times of an exchange. Each bounds all of one direction, so that a peer that
// sends a byte now and then is as slow as one that sends none.
const (
	requestTimeout = 10 * time.Second // to write or read a request
	serveTimeout   = 20 * time.Second // for the node to find the answer
	replyTimeout   = 60 * time.Second // from the request to the last byte of the reply
)

// readChunk is how much is allocated ahead of what has arrived: a length is only
// a claim.
const readChunk = 64 << 10

func exchangeProtocol(o *Options) string {
	return fmt.Sprintf("/tangled/fetch/1/%x", o.Network)
}

// appendHead begins a request or a reply whose body has the given size.
func appendHead(b []byte, code byte, bodySize int) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+bodySize))
	return append(b, code)
}

// readPart reads a request or a reply of at most limit bytes behind its length.
// What is wrong with its form is an *InvalidError; a peer that vanished or is
// slow is not.
func readPart(r io.Reader, limit int) (code byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:4])) - 1
	switch {
	case n < 0:
		return 0, nil, invalidf(reasonEmpty, "part of no bytes")
	case n >= int64(limit):
		return 0, nil, invalidf(reasonTooLarge, "part of %d bytes, at most %d", n+1, limit)
	}
	body = make([]byte, 0, min(n, readChunk))
	for int64(len(body)) < n {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)] // grows by a factor
		}
		room := body[len(body):min(int64(cap(body)), n)]
		read, err := io.ReadFull(r, room)
		body = body[:len(body)+read]
		if err != nil {
			return 0, nil, fmt.Errorf("part ends after %d of %d bytes: %w", len(body), n, err)
		}
	}
	return head[4], body, nil
}

// Fetch asks a connected peer for messages. It waits a minute at most: a slow peer
// yields an error that is context.DeadlineExceeded and is not charged, a reply
// that is none an *InvalidError, and is. A request out of bounds is an
// *InvalidError of the caller's own, before anything is sent.
func (g *Gossip) Fetch(ctx context.Context, from peer.ID, request FetchRequest) (FetchReply, error) {
	if err := request.validate(); err != nil {
		return FetchReply{}, err
	}
	var reply FetchReply
	body := appendFetchRequest(make([]byte, 0, fetchBodySize), request)
	err := g.exchange(ctx, from, kindFetch, body, func(b []byte) (err error) {
		reply, err = decodeFetchReply(b)
		return err
	})
	if err != nil {
		return FetchReply{}, fmt.Errorf("fetch from %s: %w", from, err)
	}
	return reply, nil
}

// ExchangeTips tells a connected peer our newest tips, at most MaxTips, and
// returns the peer's. Its errors are those of Fetch.
func (g *Gossip) ExchangeTips(ctx context.Context, with peer.ID, tips []message.ID) ([]message.ID, error) {
	if len(tips) > MaxTips {
		return nil, invalidf(reasonTooMany, "%d tips, at most %d", len(tips), MaxTips)
	}
	var theirs []message.ID
	err := g.exchange(ctx, with, kindTips, appendTips(nil, tips), func(b []byte) (err error) {
		theirs, err = decodeTips(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("exchange tips with %s: %w", with, err)
	}
	return theirs, nil
}

// exchange makes one request and decodes the reply.
func (g *Gossip) exchange(ctx context.Context, p peer.ID, kind byte, body []byte, decode func([]byte) error) error {
	if !g.work.enter() {
		return ErrClosed
	}
	defer g.work.leave()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout+replyTimeout)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	err := g.request(ctx, p, kind, body, decode)
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		g.charge(p, invalidStream, invalid.Error())
	}
	err = asTimeout(ctx, err)
	g.metrics.exchanges.WithLabelValues(kindOf(kind).name, "client", outcome(err)).Inc()
	return err
}

func (g *Gossip) request(ctx context.Context, p peer.ID, kind byte, body []byte, decode func([]byte) error) error {
	if !g.peers.allowed(p) {
		return ErrNotListed
	}
	if !g.peers.isConnected(p) {
		return ErrNotConnected
	}
	select {
	case g.asking <- struct{}{}:
		defer func() { <-g.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := g.host.NewStream(network.WithNoDial(ctx, "exchange"), p, g.protocol)
	if err != nil {
		return fmt.Errorf("open stream: %w", err)
	}
	defer s.Reset() // after the reply there is nothing to lose
	defer context.AfterFunc(ctx, func() { s.Reset() })()

	if err := s.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := s.Write(append(appendHead(nil, kind, len(body)), body...)); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	if err := s.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	status, reply, err := readPart(s, 1+kindOf(kind).reply)
	switch {
	case err != nil:
		return fmt.Errorf("read reply: %w", err)
	case status == statusFailed && len(reply) == 0:
		return ErrNoAnswer
	case status != statusOK:
		return invalidf(reasonStatus, "status %d with %d bytes", status, len(reply))
	}
	return decode(reply)
}

// ErrNoAnswer is what a peer says that was asked too much or cannot read what it was
// asked for: later, or another.
var ErrNoAnswer = errors.New("the peer has no answer now")

// asTimeout makes every way of being too slow one error: a deadline of ours on the
// stream, and the caller's own on its context, which resets the stream.
func asTimeout(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case isTimeout(err) && !errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

// isTimeout knows a passed deadline from yamux, whose error is not
// os.ErrDeadlineExceeded, and from everyone else.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// outcome is the metric's label for how an exchange ended.
func outcome(err error) string {
	var invalid *InvalidError
	var reset *network.StreamError
	switch {
	case err == nil:
		return outcomeOK
	case errors.As(err, &invalid):
		return outcomeInvalid
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return outcomeTimeout
	case errors.As(err, &reset) && reset.ErrorCode == network.StreamResourceLimitExceeded:
		return outcomeBusy
	}
	return outcomeFailed
}

// exchangeKind is what sets one kind of exchange apart from the others.
type exchangeKind struct {
	name    string // in metrics
	request int    // most bytes of a request's body
	reply   int    // most bytes of a reply's body
	// answer makes the body of the reply. An *InvalidError is the asker's fault;
	// with ErrNoAnswer the asker is told to ask another.
	answer func(g *Gossip, ctx context.Context, from peer.ID, body []byte) ([]byte, error)
}

// kindOf is the kind that a request names; one without an answer does not exist.
func kindOf(code byte) exchangeKind {
	switch code {
	case kindFetch:
		return exchangeKind{"fetch", fetchBodySize, fetchReplyBodySize, (*Gossip).answerFetch}
	case kindTips:
		return exchangeKind{"tips", tipsBodySize, tipsBodySize, (*Gossip).answerTips}
	case kindSync:
		return exchangeKind{"sync", MaxSyncRequest, MaxSyncReply, (*Gossip).answerSync}
	}
	return exchangeKind{name: "unknown"}
}
