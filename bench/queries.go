package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"sync"
	"time"

	"tangled/message"
	"tangled/node"
	"tangled/storage"
)

const (
	// queryReaders is how many queries are under way at most.
	queryReaders = 4
	// queryPage is how many readings one reads.
	queryPage = 100
)

// queries are reads of the newest readings of a topic, while the load runs.
type queries struct {
	rate   float64 // a second; zero is none
	topics []string
	from   time.Duration // when the measured time begins

	mu   sync.Mutex
	took []micros // of those that were due in the measured time
}

// run reads from a node until the load has ended or ctx ends.
func (q *queries) run(ctx context.Context, n *node.Node, l *load) {
	if q.rate == 0 {
		return
	}
	interval := time.Duration(queryReaders * float64(time.Second) / q.rate)
	var all sync.WaitGroup
	for i := range queryReaders {
		all.Go(func() {
			pprof.Do(ctx, labels(), func(ctx context.Context) {
				random := rand.New(rand.NewPCG(uint64(i), 0))
				for due := interval * time.Duration(i) / queryReaders; due < l.until; due += interval {
					pause(ctx, due-time.Since(l.start))
					if time.Since(l.start) >= l.until || read(ctx, n, q.topics[random.IntN(len(q.topics))]) != nil {
						return
					}
					q.note(due, time.Since(l.start)-due)
				}
			})
		})
	}
	all.Wait()
}

func (q *queries) note(due, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if due >= q.from {
		q.took = append(q.took, toMicros(took))
	}
}

// read reads a page of a topic, the newest first.
func read(ctx context.Context, n *node.Node, topic string) error {
	filter, err := message.ParseFilter(topic)
	if err != nil {
		return fmt.Errorf("topic %q: %w", topic, err)
	}
	left := queryPage
	for _, err := range n.Query(ctx, storage.Query{Topics: filter, Descending: true}) {
		if err != nil {
			return err
		}
		if left--; left == 0 {
			break
		}
	}
	return nil
}

// result is nil where nothing was to be read.
func (q *queries) result(measured time.Duration) *QueryResult {
	if q.rate == 0 {
		return nil
	}
	return &QueryResult{PerSecond: round3(float64(len(q.took)) / measured.Seconds()), Took: percentiles(q.took)}
}
