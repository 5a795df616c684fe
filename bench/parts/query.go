package parts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"tangled/message"
	"tangled/storage"
)

// QueryResult tells how fast a store answers. Times are in milliseconds.
type QueryResult struct {
	Messages uint64 `json:"messages"`
	Topics   int    `json:"topics"`
	// Newest are the newest 100 readings of a topic, by the topic's index.
	Newest percentiles `json:"newest_100_ms"`
	// HistoryPerSecond is how many messages a second come in order of time, with
	// where they became final.
	HistoryPerSecond float64 `json:"history_messages_per_second"`
	// Recent is one of the newest 10,000 messages by its ID, Cold any by its ID right
	// after the store was opened: not in the store's cache, though it may be in that
	// of the operating system.
	Recent      percentiles `json:"recent_by_id_ms"`
	Cold        percentiles `json:"cold_by_id_ms"`
	Looks       int         `json:"looks"` // of each of the three
	FillSeconds float64     `json:"fill_seconds"`
	Cores       int         `json:"cores"`
}

const (
	looks        = 2_000
	newest       = 100
	recentIDs    = 10_000
	historyLimit = 500_000
)

// Query fills a store with opts.Messages readings as Store does, compacts it, opens it
// again and asks it, one question after the other.
func Query(ctx context.Context, opts Options) (result QueryResult, err error) {
	if err := opts.begin(); err != nil {
		return result, err
	}
	result = QueryResult{Topics: min(topics, opts.Messages), Looks: looks, Cores: runtime.GOMAXPROCS(0)}
	asked := asked{opts: opts, rng: rand.New(rand.NewPCG(7, 8))}
	began := time.Now()
	if err := withStore(opts, func(s *storage.Store) error { return asked.fill(ctx, s) }); err != nil {
		return result, fmt.Errorf("fill the store: %w", err)
	}
	result.FillSeconds = time.Since(began).Seconds()
	opts.Progress("ask", 0, 0)
	err = withStore(opts, func(s *storage.Store) (err error) {
		result.Messages = s.Count()
		if result.Cold, err = asked.byID(ctx, s, asked.any); err != nil {
			return err
		}
		if result.Recent, err = asked.byID(ctx, s, asked.recent); err != nil {
			return err
		}
		if result.Newest, err = asked.newest(ctx, s); err != nil {
			return err
		}
		result.HistoryPerSecond, err = asked.history(ctx, s)
		return err
	})
	return result, err
}

// asked is what the store is asked for.
type asked struct {
	opts   Options
	rng    *rand.Rand
	any    []message.ID // drawn from all, in no order
	recent []message.ID // the newest
}

func (a *asked) fill(ctx context.Context, s *storage.Store) error {
	if err := newFiller(s, a.opts).fill(ctx, a.opts.Messages, nil); err != nil {
		return err
	}
	if err := a.draw(ctx, s); err != nil {
		return err
	}
	a.opts.Progress("compact", 0, 0)
	return s.Compact(ctx)
}

// draw chooses the messages to ask for.
func (a *asked) draw(ctx context.Context, s *storage.Store) error {
	for range looks {
		// IDs are in the order in which they were made.
		from := timeOf(a.rng.IntN(a.opts.Messages))
		for r, err := range s.Select(ctx, storage.Query{From: from}) {
			if err != nil {
				return err
			}
			a.any = append(a.any, r.Message.ID())
			break
		}
	}
	for r, err := range s.Select(ctx, storage.Query{Descending: true}) {
		if err != nil {
			return err
		}
		if a.recent = append(a.recent, r.Message.ID()); len(a.recent) == recentIDs {
			break
		}
	}
	a.rng.Shuffle(len(a.recent), func(i, j int) { a.recent[i], a.recent[j] = a.recent[j], a.recent[i] })
	return nil
}

// byID looks up IDs one by one, the first again behind the last.
func (a *asked) byID(ctx context.Context, s *storage.Store, ids []message.ID) (percentiles, error) {
	return timed(ctx, func(i int) error {
		_, err := s.Get(ids[i%len(ids)])
		return err
	})
}

// newest reads the newest messages of topics drawn at random.
func (a *asked) newest(ctx context.Context, s *storage.Store) (percentiles, error) {
	return timed(ctx, func(int) error {
		f, err := message.ParseFilter(topic(a.rng.IntN(min(topics, a.opts.Messages))))
		if err != nil {
			return err
		}
		n := 0
		for _, err := range s.Select(ctx, storage.Query{Topics: f, Descending: true, WithFinal: true}) {
			if err != nil {
				return err
			}
			if n++; n == newest {
				break
			}
		}
		if n == 0 {
			return fmt.Errorf("no message of topic %s", f)
		}
		return nil
	})
}

// history reads messages in order from the first on.
func (a *asked) history(ctx context.Context, s *storage.Store) (perSecond float64, err error) {
	began, n := time.Now(), 0
	for _, err := range s.Select(ctx, storage.Query{WithFinal: true}) {
		if err != nil {
			return 0, err
		}
		if n++; n == historyLimit {
			break
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

// timed asks many times.
func timed(ctx context.Context, ask func(i int) error) (percentiles, error) {
	took := make([]time.Duration, looks)
	for i := range took {
		if err := ctx.Err(); err != nil {
			return percentiles{}, err
		}
		began := time.Now()
		if err := ask(i); err != nil {
			return percentiles{}, err
		}
		took[i] = time.Since(began)
	}
	return percentilesOf(took), nil
}
