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
	g.metrics.exchanges.WithLabelValues(kindName(kind), "server", outcome(err)).Inc()
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
	g.log.Debug("exchange not served", "peer", from, "kind", kindName(kind), "err", err)
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
	ctx, cancel := context.WithTimeout(g.ctx, serveTimeout)
	defer cancel()
	var reply []byte
	switch kind {
	case kindFetch:
		reply, err = g.answerFetch(ctx, from, body)
	case kindTips:
		reply, err = g.answerTips(ctx, from, body)
	default:
		err = invalidf(reasonKind, "kind %d", kind)
	}
	if err != nil {
		return kind, err
	}
	if err := s.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return kind, fmt.Errorf("set deadline: %w", err)
	}
	if _, err := s.Write(reply); err != nil {
		return kind, fmt.Errorf("send reply: %w", err)
	}
	return kind, nil
}

func (g *Gossip) answerFetch(ctx context.Context, from peer.ID, body []byte) ([]byte, error) {
	request, err := decodeFetchRequest(body)
	if err != nil {
		return nil, err
	}
	reply, err := g.opts.ServeFetch(ctx, from, request)
	switch {
	case err != nil && g.ctx.Err() == nil:
		g.log.Warn("fetch not answered", "peer", from, "err", err)
		return appendHead(nil, statusFailed, 0), nil
	case err != nil:
		return appendHead(nil, statusFailed, 0), nil
	}
	if err := reply.validate(); err != nil {
		g.log.Error("fetch answer of our own is out of bounds", "err", err)
		return appendHead(nil, statusFailed, 0), nil
	}
	size := reply.size()
	return appendFetchReply(appendHead(make([]byte, 0, 5+size), statusOK, size), reply), nil
}

func (g *Gossip) answerTips(ctx context.Context, from peer.ID, body []byte) ([]byte, error) {
	theirs, err := decodeTips(body)
	if err != nil {
		return nil, err
	}
	ours := g.opts.ServeTips(ctx, from, theirs)
	ours = ours[:min(len(ours), MaxTips)]
	encoded := appendTips(nil, ours)
	return append(appendHead(nil, statusOK, len(encoded)), encoded...), nil
}
