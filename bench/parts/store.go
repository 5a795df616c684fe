package parts

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/bench/countfs"
	"tangled/storage"
)

// StoreResult tells how fast messages become durable, and what they take on disk.
type StoreResult struct {
	Messages          uint64      `json:"messages"`
	Anchors           uint64      `json:"anchors"`
	Seconds           float64     `json:"seconds"`
	MessagesPerSecond float64     `json:"messages_per_second"`
	Steps             []StoreStep `json:"steps"`
	LastToFirst       float64     `json:"last_to_first"`     // the last step's rate to the first's
	EncodedBytes      float64     `json:"encoded_bytes"`     // of a message, without its rows
	BytesPerMessage   float64     `json:"bytes_per_message"` // on disk, after a compaction
	// WriteAmplification is how often each byte of an encoding was written to the
	// disk: log, tables and what rewrote them, the last compaction apart.
	WriteAmplification float64 `json:"write_amplification"`
	CompactSeconds     float64 `json:"compact_seconds"`
	Batch              int     `json:"batch"` // messages of one synced write
	Cores              int     `json:"cores"`
}

// StoreStep is a stretch of the run.
type StoreStep struct {
	Messages          uint64  `json:"messages"` // stored at its end
	MessagesPerSecond float64 `json:"messages_per_second"`
}

// storeStep is how many messages a step has, and leastSteps about how many steps there are
// where there are less than two million messages.
const (
	storeStep  = 1_000_000
	leastSteps = 5
)

// Store fills a store with opts.Messages readings of 256 bytes, in synced batches of
// 512 with all their index rows, and has anchors make them final; then it compacts.
// Another goroutine makes the messages, whose signatures are made up.
func Store(ctx context.Context, opts Options) (result StoreResult, err error) {
	if err := opts.begin(); err != nil {
		return result, err
	}
	result.Batch, result.Cores = batchSize, runtime.GOMAXPROCS(0)
	disk := countfs.New(vfs.Default)
	err = withStoreOn(disk, opts, func(s *storage.Store) error { return result.fill(ctx, s, opts, disk) })
	if err != nil {
		return result, err
	}
	size, err := diskUsage(opts)
	result.BytesPerMessage = float64(size) / float64(result.Messages)
	return result, err
}

func (r *StoreResult) fill(ctx context.Context, s *storage.Store, opts Options, disk countfs.FS) error {
	f := newFiller(s, opts)
	step := storeStep
	if opts.Messages < 2*storeStep {
		step = max(1, opts.Messages/leastSteps)
	}
	began := time.Now()
	at, since := 0, began
	err := f.fill(ctx, opts.Messages, func() error {
		if f.done-at >= step {
			r.step(f.done, f.done-at, time.Since(since))
			at, since = f.done, time.Now()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fill the store: %w", err)
	}
	r.Seconds = time.Since(began).Seconds()
	if len(r.Steps) == 0 || f.done-at > step/2 {
		r.step(f.done, f.done-at, time.Since(since))
	}
	r.Messages, r.Anchors = s.Count(), s.LastAnchor()
	r.MessagesPerSecond = float64(r.Messages) / r.Seconds
	r.LastToFirst = r.Steps[len(r.Steps)-1].MessagesPerSecond / r.Steps[0].MessagesPerSecond
	r.EncodedBytes = float64(f.bytes) / float64(r.Messages)
	r.WriteAmplification = float64(disk.Written()) / float64(f.bytes)
	opts.Progress("compact", 0, 0)
	began = time.Now()
	if err := s.Compact(ctx); err != nil {
		return err
	}
	r.CompactSeconds = time.Since(began).Seconds()
	return nil
}

func (r *StoreResult) step(stored, messages int, took time.Duration) {
	r.Steps = append(r.Steps, StoreStep{uint64(stored), float64(messages) / took.Seconds()})
}
