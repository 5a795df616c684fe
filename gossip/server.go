package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// How many exchanges run at once. A reply takes up to 4 MiB, so all of them hold
// 128 MiB at most, and one peer an eighth of it.
const (
	maxServing        = 32
	maxServingPerPeer = 4
	maxAsking         = 32
)

// slots bounds concurrent exchanges, in all and per peer.
type slots struct {
	mu    sync.Mutex
	total int
	peers map[peer.ID]int
}

func (s *slots) acquire(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total >= maxServing || s.peers[p] >= maxServingPerPeer {
		return false
	}
	s.total++
	s.peers[p]++
	return true
}

func (s *slots) release(p peer.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.peers[p]--; s.peers[p] == 0 {
		delete(s.peers, p)
	}
}

// handle serves one stream.
func (g *Gossip) handle(s network.Stream) {
	from := s.Conn().RemotePeer()
	if !g.work.enter() {
		s.Reset()
		return
	}
	defer g.work.leave()
	if !g.serving.acquire(from) {
		g.metrics.exchanges.WithLabelValues("unknown", "server", outcomeBusy).Inc()
		s.ResetWithError(network.StreamResourceLimitExceeded)
		return
	}
	defer g.serving.release(from)

	kind, err := g.serve(s, from)
	g.metrics.exchanges.WithLabelValues(kindOf(kind).name, "server", outcome(err)).Inc()
	if err == nil {
		s.Close()
		return
	}
	s.Reset()
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		g.charge(from, invalidStream, invalid.Error())
		return
	}
	g.log.Debug("exchange not served", "peer", from, "kind", kindOf(kind).name, "err", err)
}

// serve reads a request and writes the reply. An *InvalidError is the peer's.
func (g *Gossip) serve(s network.Stream, from peer.ID) (kind byte, err error) {
	if err := s.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, fmt.Errorf("set deadline: %w", err)
	}
	kind, body, err := readPart(s, maxRequestSize)
	if err != nil {
		return 0, fmt.Errorf("read request: %w", err)
	}
	status, reply, err := g.answer(from, kind, body)
	if err != nil {
		return kind, err
	}
	if err := s.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return kind, fmt.Errorf("set deadline: %w", err)
	}
	// Not in one piece: that would copy megabytes to put five bytes before them.
	for _, part := range [][]byte{appendHead(nil, status, len(reply)), reply} {
		if _, err := s.Write(part); err != nil {
			return kind, fmt.Errorf("send reply: %w", err)
		}
	}
	return kind, nil
}

// answer is the reply to a request. An *InvalidError is the peer's.
func (g *Gossip) answer(from peer.ID, code byte, body []byte) (status byte, reply []byte, err error) {
	kind := kindOf(code)
	switch {
	case kind.answer == nil:
		return 0, nil, invalidf(reasonKind, "kind %d", code)
	case len(body) > kind.request:
		return 0, nil, invalidf(reasonTooLarge, "%s request of %d bytes, at most %d", kind.name, len(body), kind.request)
	}
	ctx, cancel := context.WithTimeout(g.ctx, serveTimeout)
	defer cancel()
	reply, err = kind.answer(g, ctx, from, body)
	switch {
	case errors.Is(err, ErrNoAnswer):
		return statusFailed, nil, nil
	case err != nil:
		return 0, nil, err
	}
	return statusOK, reply, nil
}

func (g *Gossip) answerFetch(ctx context.Context, from peer.ID, body []byte) ([]byte, error) {
	request, err := decodeFetchRequest(body)
	if err != nil {
		return nil, err
	}
	reply, err := g.opts.ServeFetch(ctx, from, request)
	if err != nil {
		g.logUnanswered("fetch", from, err)
		return nil, ErrNoAnswer
	}
	if err := reply.validate(); err != nil {
		g.log.Error("fetch answer of our own is out of bounds", "err", err)
		return nil, ErrNoAnswer
	}
	return appendFetchReply(make([]byte, 0, reply.size()), reply), nil
}

// logUnanswered tells why the node had no answer, unless it is closing.
func (g *Gossip) logUnanswered(kind string, from peer.ID, err error) {
	if g.ctx.Err() == nil {
		g.log.Warn(kind+" not answered", "peer", from, "err", err)
	}
}

func (g *Gossip) answerTips(ctx context.Context, from peer.ID, body []byte) ([]byte, error) {
	theirs, err := decodeTips(body)
	if err != nil {
		return nil, err
	}
	ours := g.opts.ServeTips(ctx, from, theirs)
	return appendTips(nil, ours[:min(len(ours), MaxTips)]), nil
}
