package bench

import (
	"context"
	"errors"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// ackPatience is how long after its end the load waits for acknowledgements.
	ackPatience = 30 * time.Second
	// sendGrace is how long after its end the load still sends what was due before it.
	sendGrace = time.Second
	// failPause is how long a source waits after a reading that was not taken.
	failPause = 10 * time.Millisecond
)

// load is sources that publish, and the record of what became of each reading.
type load struct {
	padding  padding
	size     int
	first    uint32        // the number of the first source
	interval time.Duration // between the readings of a source; zero is none
	until    time.Duration // how long they publish
	nodes    uint32        // all bits of reading.nodes
	doors    []door
	sources  []*source
	start    time.Time // once it runs

	sent, acked atomic.Uint64

	mu       sync.Mutex
	failures map[string]uint64 // readings not acknowledged, by reason
	firstErr error
}

// newLoad is a load without sources yet, whose first will have a number.
func newLoad(o Options, first uint32, until time.Duration) *load {
	return &load{padding: newPadding(), size: o.Size, first: first, until: until, nodes: 1<<o.Nodes - 1}
}

// source publishes one reading after the other. Its readings belong to its own
// goroutine until the load has ended.
type source struct {
	number   uint32
	topic    string
	door     door
	slot     int             // of the door
	unsent   []time.Duration // when they were due
	readings []reading
	b        []byte
}

// add makes a door's sources, one a slot.
func (l *load) add(d door, slots int, topic func(number int) string) {
	for slot := range slots {
		n := len(l.sources)
		l.sources = append(l.sources, &source{number: l.first + uint32(n), topic: topic(n), door: d, slot: slot})
	}
}

// topics are those of the sources.
func (l *load) topics() []string {
	var topics []string
	for _, s := range l.sources {
		if !slices.Contains(topics, s.topic) {
			topics = append(topics, s.topic)
		}
	}
	return topics
}

func (l *load) close() error {
	var errs []error
	for _, d := range l.doors {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// setRate makes so many readings a second due, over all sources.
func (l *load) setRate(perSecond float64) {
	if perSecond > 0 {
		l.interval = time.Duration(float64(time.Second) * float64(len(l.sources)) / perSecond)
	}
}

// labels are on every goroutine of the generator, and of the clients it uses.
func labels() pprof.LabelSet { return pprof.Labels(generatorLabel, "yes") }

// run publishes until it is time to end or ctx ends, and returns when every reading
// under way was acknowledged or given up.
func (l *load) run(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, l.start.Add(l.until+ackPatience))
	defer cancel()
	var all sync.WaitGroup
	for i, s := range l.sources {
		all.Go(func() {
			pprof.Do(ctx, labels(), func(ctx context.Context) {
				if l.interval == 0 {
					l.flood(ctx, s)
				} else {
					l.pace(ctx, s, l.interval*time.Duration(i)/time.Duration(len(l.sources)))
				}
			})
		})
	}
	all.Wait()
}

// flood lets a source publish as fast as it is answered.
func (l *load) flood(ctx context.Context, s *source) {
	for ctx.Err() == nil {
		due := time.Since(l.start)
		if due >= l.until {
			return
		}
		l.publish(ctx, s, due)
	}
}

// pace lets a source publish what is due at its rate. What is due before the end
// and could not be sent soon after it is not sent any more.
func (l *load) pace(ctx context.Context, s *source, first time.Duration) {
	for due := first; due < l.until; due += l.interval {
		pause(ctx, due-time.Since(l.start))
		if ctx.Err() != nil {
			return
		}
		if time.Since(l.start) >= l.until+sendGrace {
			s.unsent = append(s.unsent, due)
			continue
		}
		l.publish(ctx, s, due)
	}
}

// publish sends the reading that was due at a time and waits for the answer.
func (l *load) publish(ctx context.Context, s *source, due time.Duration) {
	s.b = l.padding.encode(s.b[:0], content{Source: s.number, Seq: uint32(len(s.readings))}, l.size)
	s.readings = append(s.readings, reading{due: due})
	l.sent.Add(1)
	if err := s.door.publish(ctx, s.slot, s.topic, s.b); err != nil {
		l.fail(err)
		pause(ctx, failPause)
		return
	}
	s.readings[len(s.readings)-1].acked = toMicros(time.Since(l.start) - due)
	l.acked.Add(1)
}

func (l *load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures == nil {
		l.failures = make(map[string]uint64)
	}
	l.failures[reasonOf(err)]++
	if l.firstErr == nil {
		l.firstErr = err
	}
}

// of finds the record of a reading; nil for one that is not of this load.
func (l *load) of(c content) *reading {
	if c.Source < l.first || int(c.Source-l.first) >= len(l.sources) {
		return nil
	}
	if s := l.sources[c.Source-l.first]; int(c.Seq) < len(s.readings) {
		return &s.readings[c.Seq]
	}
	return nil
}

// pause waits for d or for ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
