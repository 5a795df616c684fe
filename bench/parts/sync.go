package parts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// SyncResult tells how fast an empty node caught up.
type SyncResult struct {
	Messages          uint64  `json:"messages"` // that the anchors include: readings, and the witnesses among them
	Readings          uint64  `json:"readings"`
	Anchors           uint64  `json:"anchors"`
	Bytes             uint64  `json:"bytes"` // of the encodings of what was stored
	Seconds           float64 `json:"seconds"`
	MessagesPerSecond float64 `json:"messages_per_second"`
	// BuildSeconds is how long it took to make the history, which is no part of
	// Seconds.
	BuildSeconds float64 `json:"build_seconds"`
	// Commitment is that of the last anchor compared, in hexadecimal: the same on
	// both nodes.
	Commitment string `json:"commitment"`
	// Verified is what the node that catches up recomputes or checks.
	Verified []string `json:"verified"`
	// SignaturesVerified tells of the signatures of single messages.
	SignaturesVerified bool `json:"signatures_verified"`
	Seats              int  `json:"seats"`
	Cores              int  `json:"cores"` // which both nodes share
}

// verified is what package catchup and the node check while they catch up.
func verified() []string {
	return []string{"encodings", "message IDs", "proof of work", "lists and Merkle roots", "commitments", "outcomes", "state hash", "quorum signatures"}
}

// Sync makes a history of opts.Messages readings in a node with the one seat of its
// network, each signed and stored as the node's own; then starts an empty permanode
// beside it, over TCP on loopback, and measures how long that takes, from before it
// is opened, until it has every anchor that the first one had then. It fails if the
// two do not show the same commitment. Signatures of single messages are not
// verified: package catchup tells why that loses nothing.
func Sync(ctx context.Context, opts Options) (result SyncResult, err error) {
	if err := opts.begin(); err != nil {
		return result, err
	}
	p, err := newPair(opts)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	began := time.Now()
	if err := p.build(ctx); err != nil {
		return result, fmt.Errorf("make a history: %w", err)
	}
	result = SyncResult{
		Readings: uint64(opts.Messages), Anchors: p.goal, BuildSeconds: time.Since(began).Seconds(),
		Verified: verified(), Seats: len(p.genesis.Committee), Cores: runtime.GOMAXPROCS(0),
	}
	began = time.Now()
	if err := p.catchUp(ctx); err != nil {
		return result, fmt.Errorf("catch up: %w", err)
	}
	result.Seconds = time.Since(began).Seconds()
	if result.Bytes, err = p.bytes(); err != nil {
		return result, err
	}
	if result.Commitment, err = p.compare(); err != nil {
		return result, err
	}
	if result.Messages, err = p.included(); err != nil {
		return result, err
	}
	result.MessagesPerSecond = float64(result.Messages) / result.Seconds
	return result, nil
}
