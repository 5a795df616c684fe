package parts

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"tangled/storage"
)

// PruneResult tells how long it took to delete old messages, and what room came
// back.
type PruneResult struct {
	Messages       uint64  `json:"messages"`        // stored before, all of them final
	Pruned         uint64  `json:"pruned"`          // deleted
	Anchors        uint64  `json:"anchors"`         // deleted with them
	Seconds        float64 `json:"seconds"`         // until the deletion was durable
	CompactSeconds float64 `json:"compact_seconds"` // until the room was free
	DiskBefore     uint64  `json:"disk_before"`     // bytes of the tables, compacted
	DiskAfter      uint64  `json:"disk_after"`      // the same after the deletion and a compaction
	// ShareBack is how much of the room that the deleted messages took came back:
	// their share of DiskBefore is taken to be that of all messages.
	ShareBack   float64 `json:"share_back"`
	FillSeconds float64 `json:"fill_seconds"` // no part of Seconds
	Cores       int     `json:"cores"`
}

// keepShare is one in how many messages stays.
const keepShare = 10

// Prune fills a store with opts.Messages final messages, deletes all but the newest
// tenth of them behind an anchor, and compacts. Signatures are made up, as of all
// messages that only a store sees.
func Prune(ctx context.Context, opts Options) (result PruneResult, err error) {
	if err := opts.begin(); err != nil {
		return result, err
	}
	result.Cores = runtime.GOMAXPROCS(0)
	began := time.Now()
	if err := makeStore(ctx, opts); err != nil {
		return result, fmt.Errorf("fill the store: %w", err)
	}
	result.FillSeconds = time.Since(began).Seconds()
	if result.DiskBefore, err = diskUsage(opts); err != nil {
		return result, err
	}
	err = withStore(opts, func(s *storage.Store) error { return result.prune(ctx, s, opts) })
	if err != nil {
		return result, err
	}
	if result.DiskAfter, err = diskUsage(opts); err != nil {
		return result, err
	}
	share := float64(result.Pruned) / float64(result.Messages)
	result.ShareBack = (float64(result.DiskBefore) - float64(result.DiskAfter)) / (float64(result.DiskBefore) * share)
	return result, nil
}

// makeStore fills a store with final messages and compacts it: else the room that
// comes back later would be that of the filling, too.
func makeStore(ctx context.Context, opts Options) error {
	return withStore(opts, func(s *storage.Store) error {
		if err := newFiller(s, opts).fill(ctx, opts.Messages, nil); err != nil {
			return err
		}
		opts.Progress("compact", 0, 0)
		return s.Compact(ctx)
	})
}

func (r *PruneResult) prune(ctx context.Context, s *storage.Store, opts Options) error {
	r.Messages = s.Count()
	pruning, err := behind(ctx, s, opts.Messages-max(1, opts.Messages/keepShare))
	if err != nil {
		return err
	}
	opts.Progress("prune", 0, 0)
	began := time.Now()
	done, err := s.Prune(ctx, pruning)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(began).Seconds()
	r.Pruned, r.Anchors = done.Messages, done.Anchors
	opts.Progress("compact", 0, 0)
	began = time.Now()
	if err := s.Compact(ctx); err != nil {
		return err
	}
	r.CompactSeconds = time.Since(began).Seconds()
	return nil
}

// behind is the deletion of what is older than the i-th message, with the anchors
// that lie before it whole.
func behind(ctx context.Context, s *storage.Store, i int) (storage.Pruning, error) {
	p := storage.Pruning{Before: timeOf(i)}
	for at, err := range s.Order(ctx, 1, 0) {
		if err != nil {
			return p, err
		}
		if at.ID.Timestamp() >= p.Before {
			p.Anchor = at.Anchor - 1
			return p, nil
		}
	}
	return p, errors.New("nothing would stay")
}
