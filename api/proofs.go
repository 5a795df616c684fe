package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

const (
	// defaultAnchors and maxAnchors bound how many anchors ListAnchors looks at.
	defaultAnchors = 100
	maxAnchors     = 1000
)

// proofsService is tangled.v1.ProofsService.
type proofsService struct {
	tangledv1.UnimplementedProofsServiceServer
	*Server
}

func (s proofsService) GetProof(ctx context.Context, req *tangledv1.GetProofRequest) (*tangledv1.GetProofResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	if err := s.finalises(); err != nil {
		return nil, err
	}
	p, err := s.node.Prove(ctx, id)
	if err != nil {
		return nil, err
	}
	return &tangledv1.GetProofResponse{Proof: p.Encode()}, nil
}

func (s proofsService) GetAnchor(_ context.Context, req *tangledv1.GetAnchorRequest) (*tangledv1.GetAnchorResponse, error) {
	index := req.GetIndex()
	if index == 0 {
		index = s.node.LastAnchor()
	}
	a, err := s.anchor(index)
	if err != nil {
		return nil, err
	}
	return &tangledv1.GetAnchorResponse{Anchor: a}, nil
}

func (s proofsService) anchor(index uint64) (*tangledv1.Anchor, error) {
	a, err := s.node.Anchor(index)
	if err != nil {
		return nil, fmt.Errorf("anchor %d: %w", index, err)
	}
	c := &a.Commitment
	hash := c.Hash()
	return &tangledv1.Anchor{
		Index:        c.Index,
		Id:           c.Anchor[:],
		LedgerTimeNs: c.Time,
		Count:        c.Count,
		Commitment:   hash[:],
		Preimage:     c.Encode(),
		SignedIndex:  a.Signed,
	}, nil
}

// anchorRange is what a ListAnchors looks at, in its order.
type anchorRange struct {
	from, count uint64
	descending  bool
}

func newAnchorRange(req *tangledv1.ListAnchorsRequest, last uint64) anchorRange {
	r := anchorRange{from: req.GetFrom(), count: defaultAnchors, descending: req.GetDescending()}
	if limit := req.GetLimit(); limit != 0 {
		r.count = min(uint64(limit), maxAnchors)
	}
	switch {
	case r.descending && (r.from == 0 || r.from > last):
		r.from = last
	case r.from == 0:
		r.from = 1
	}
	if r.descending {
		r.count = min(r.count, r.from)
	} else {
		r.count = min(r.count, last+1-min(r.from, last+1))
	}
	return r
}

func (r anchorRange) at(i uint64) uint64 {
	if r.descending {
		return r.from - i
	}
	return r.from + i
}

// read reads the anchors of a range, but those that are not kept any more.
func (r anchorRange) read(ctx context.Context, get func(uint64) (*tangledv1.Anchor, error)) (list []*tangledv1.Anchor, err error) {
	for i := range r.count {
		a, err := get(r.at(i))
		if errors.Is(err, node.ErrNotFound) {
			continue
		}
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

func (s proofsService) ListAnchors(ctx context.Context, req *tangledv1.ListAnchorsRequest) (*tangledv1.ListAnchorsResponse, error) {
	last := s.node.LastAnchor()
	list, err := newAnchorRange(req, last).read(ctx, s.anchor)
	if err != nil {
		return nil, err
	}
	return &tangledv1.ListAnchorsResponse{Anchors: list, Last: last}, nil
}

func (s proofsService) FollowAnchors(req *tangledv1.FollowAnchorsRequest, stream grpc.ServerStreamingServer[tangledv1.FollowAnchorsResponse]) error {
	if err := s.finalises(); err != nil {
		return err
	}
	next := req.GetFrom()
	if next == 0 {
		next = s.node.LastAnchor() + 1
	}
	// The headers tell the client that whatever is applied from now on comes.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		// Taken before the last anchor is looked at: one that comes meanwhile rings.
		rings := s.node.NextAnchor()
		for ; next <= s.node.LastAnchor(); next++ {
			a, err := s.anchor(next)
			if err != nil {
				return err
			}
			if err := stream.Send(&tangledv1.FollowAnchorsResponse{Anchor: a}); err != nil {
				return err
			}
		}
		if err := s.waitFor(stream.Context(), rings); err != nil {
			return err
		}
	}
}

// waitFor waits until the next anchor rings. A node that stopped never rings.
func (s *Server) waitFor(ctx context.Context, rings <-chan struct{}) error {
	ticker := time.NewTicker(healthEvery)
	defer ticker.Stop()
	for {
		select {
		case <-rings:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := s.node.Health(); err != nil && !is(err, node.ErrDiskLow, node.ErrCatchingUp) {
				return fmt.Errorf("%w: %w", node.ErrClosed, err)
			}
		}
	}
}
