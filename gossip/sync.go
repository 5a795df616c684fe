package gossip

import (
	"context"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
)

// Bounds of a sync exchange, whose request and reply are bytes that gossip does
// not look into: what they say is for the node and its protocol of catching up.
const (
	// MaxSyncRequest is the length of the longest sync request in bytes.
	MaxSyncRequest = 1 << 10
	// MaxSyncReply is the length of the longest sync reply in bytes: 4 MiB of what
	// was asked for, and room for what stands around it.
	MaxSyncReply = 4<<20 + 64<<10
)

// Sync asks a connected peer with a request of 1 to MaxSyncRequest bytes and
// returns its reply of at most MaxSyncReply, which the caller owns. Its errors are
// those of Fetch. What is wrong inside the reply is the caller's to find, and to
// charge with Penalise.
func (g *Gossip) Sync(ctx context.Context, from peer.ID, request []byte) ([]byte, error) {
	switch {
	case len(request) == 0:
		return nil, invalidf(reasonEmpty, "sync request of no bytes")
	case len(request) > MaxSyncRequest:
		return nil, invalidf(reasonTooLarge, "sync request of %d bytes, at most %d", len(request), MaxSyncRequest)
	}
	var reply []byte
	err := g.exchange(ctx, from, kindSync, request, func(b []byte) error {
		reply = b
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sync with %s: %w", from, err)
	}
	return reply, nil
}

func (g *Gossip) answerSync(ctx context.Context, from peer.ID, request []byte) ([]byte, error) {
	if len(request) == 0 {
		return nil, invalidf(reasonEmpty, "sync request of no bytes")
	}
	if g.opts.ServeSync == nil {
		return nil, ErrNoAnswer
	}
	reply, err := g.opts.ServeSync(ctx, from, request)
	if err != nil {
		g.logUnanswered("sync", from, err)
		return nil, ErrNoAnswer
	}
	if len(reply) > MaxSyncReply {
		g.log.Error("sync answer of our own is out of bounds", "bytes", len(reply))
		return nil, ErrNoAnswer
	}
	return reply, nil
}
