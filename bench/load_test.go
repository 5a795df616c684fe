package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/node"
)

// stubDoor acknowledges after a time, or refuses.
type stubDoor struct {
	takes time.Duration
	fails error
	seen  *atomic.Int64
}

func (d stubDoor) publish(ctx context.Context, _ int, _ string, content []byte) error {
	if _, ok := decodeContent(content); !ok {
		return fmt.Errorf("no reading: %q", content)
	}
	d.seen.Add(1)
	pause(ctx, d.takes)
	return errors.Join(d.fails, ctx.Err())
}

func (stubDoor) close() error { return nil }

func runLoad(t *testing.T, sources int, d stubDoor, rate float64, until time.Duration) *load {
	t.Helper()
	l := newLoad(Options{Nodes: 1, Size: 100}, 7, until)
	l.add(d, sources, func(i int) string { return fmt.Sprint("topic/", i%3) })
	l.setRate(rate)
	l.start = time.Now()
	l.run(t.Context())
	return l
}

func TestLoadAtARate(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := runLoad(t, 10, stubDoor{takes: 20 * time.Millisecond, seen: new(atomic.Int64)}, 100, 10*time.Second)
		if l.sent.Load() != 1000 || l.acked.Load() != 1000 {
			t.Errorf("%d sent, %d acknowledged, want 1000", l.sent.Load(), l.acked.Load())
		}
		o := l.within(2*time.Second, 4*time.Second)
		if o.offered != 200 || o.durable != 200 || percentiles(o.ack) != (Percentiles{20, 20, 20}) {
			t.Errorf("%d offered, %d durable after %+v; want 200 after 20 ms", o.offered, o.durable, percentiles(o.ack))
		}
		if got := l.topics(); !slices.Equal(got, []string{"topic/0", "topic/1", "topic/2"}) {
			t.Errorf("topics %v", got)
		}
	})
}

// A door that is too slow: what it could not take is offered all the same, and what
// it took is late from when it was due.
func TestLoadThatIsTooMuch(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := runLoad(t, 1, stubDoor{takes: time.Second, seen: new(atomic.Int64)}, 10, 10*time.Second)
		o := l.within(0, 10*time.Second)
		if o.offered != 100 || l.sent.Load() != 11 {
			t.Errorf("%d offered, %d sent; want 100 and 11", o.offered, l.sent.Load())
		}
		if last := o.ack[len(o.ack)-1]; o.durable != 9 || last.duration() != 9*time.Second-800*time.Millisecond {
			t.Errorf("%d durable, the last after %v; want 9 and 8.2 s", o.durable, last.duration())
		}
	})
}

func TestLoadWithoutARate(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := runLoad(t, 4, stubDoor{takes: 10 * time.Millisecond, seen: new(atomic.Int64)}, 0, time.Second)
		if o := l.within(0, time.Second); o.offered != 400 || o.durable != 396 {
			t.Errorf("%d offered, %d durable; want 400, and 4 of them later", o.offered, o.durable)
		}
	})
}

func TestLoadCountsWhatIsRefused(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l := runLoad(t, 2, stubDoor{fails: node.ErrDiskLow, seen: new(atomic.Int64)}, 0, time.Second)
		if l.acked.Load() != 0 || l.failures["disk_low"] != l.sent.Load() || !errors.Is(l.firstErr, node.ErrDiskLow) {
			t.Errorf("%d of %d acknowledged, failures %v", l.acked.Load(), l.sent.Load(), l.failures)
		}
		if l.sent.Load() > 250 {
			t.Errorf("%d readings a second although each is refused", l.sent.Load())
		}
	})
}

// A door that never answers does not hold up the end for ever.
func TestLoadGivesUp(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		begun := time.Now()
		l := runLoad(t, 2, stubDoor{takes: time.Hour, seen: new(atomic.Int64)}, 0, time.Second)
		if took := time.Since(begun); took > time.Second+ackPatience+failPause {
			t.Errorf("the load took %v", took)
		}
		if l.failures["unanswered"] != 2 {
			t.Errorf("failures %v, want 2 unanswered", l.failures)
		}
	})
}

func TestLostAndFinal(t *testing.T) {
	l := newLoad(Options{Nodes: 2}, 100, time.Minute)
	l.sources = []*source{{number: 100, readings: []reading{
		{due: time.Second, acked: 1000, final: 2_000_000, nodes: 0b11},
		{due: 2 * time.Second, acked: 1000, final: 2_000_000, nodes: 0b01}, // not on the second node
		{due: 3 * time.Second, acked: 1000},
		{due: 4 * time.Second}, // never acknowledged
	}}}
	if got := l.lost(); got != 2 {
		t.Errorf("lost %d, want 2", got)
	}
	o := l.within(0, time.Minute)
	if o.offered != 4 || o.durable != 3 || o.final != 1 || len(o.finalAfter) != 1 {
		t.Errorf("outcome %+v", o)
	}
	if o := l.within(0, 3*time.Second); o.final != 0 || len(o.finalAfter) != 1 {
		t.Errorf("before 3 s: outcome %+v, want one that was final later", o)
	}
	if l.of(content{Source: 100, Seq: 3}) != &l.sources[0].readings[3] {
		t.Error("a reading is not found")
	}
	for _, stranger := range []content{{Source: 99}, {Source: 101}, {Source: 100, Seq: 4}} {
		if l.of(stranger) != nil {
			t.Errorf("found %+v", stranger)
		}
	}
	if seconds := l.timeline(); len(seconds) != 60 || seconds[1].Durable != 1 || seconds[3].Final != 1 || seconds[1].Ack.P50 != 1 {
		t.Errorf("timeline %+v", seconds[:4])
	}
}

func TestContent(t *testing.T) {
	p := newPadding()
	seen := make(map[string]bool)
	for _, size := range []int{minSize, 256, maxSize} {
		for _, c := range []content{{0, 0}, {1, 2}, {1<<32 - 1, 1<<32 - 1}} {
			b := p.encode([]byte("before"), c, size)[len("before"):]
			got, ok := decodeContent(b)
			if !ok || got != c || !json.Valid(b) {
				t.Errorf("read %+v of %s, want %+v", got, b, c)
			}
			if len(b) != size {
				t.Errorf("%d bytes, want %d", len(b), size)
			}
			seen[string(bytes.TrimRight(b, `"}`))] = true
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d of 9 readings differ", len(seen))
	}
	if _, ok := decodeContent([]byte("rubbish")); ok {
		t.Error("rubbish is a reading")
	}
}

func TestReasonsAreShort(t *testing.T) {
	tests := map[string]error{
		"unanswered":   context.DeadlineExceeded,
		"invalid_work": fmt.Errorf("x: %w", &message.InvalidError{Reason: message.ReasonWork, Err: errors.New("y")}),
		"stale":        stateError(node.Stale),
		"refused_0x97": fmt.Errorf("x: %w", refusedError(0x97)),
		"disk_low":     node.ErrDiskLow,
		"overloaded":   fmt.Errorf("%w: %w", node.ErrOverloaded, context.DeadlineExceeded),
		"catching_up":  node.ErrCatchingUp,
		"grpc_Unavailable": status.Error(codes.Unavailable,
			"try again"),
		"failed": errors.New("x"),
	}
	for want, err := range tests {
		if got := reasonOf(err); got != want {
			t.Errorf("the reason of %v is %q, want %q", err, got, want)
		}
	}
}
