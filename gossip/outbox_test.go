package gossip

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"tangled/internal/bubbletest"
)

// sentFrames runs an outbox in a bubble and collects what it sends, and when.
type sentFrames struct {
	mu     sync.Mutex
	frames []int
	sizes  []int
	at     []time.Duration
}

// get copies what was sent so far.
func (s *sentFrames) get() (frames, sizes []int, at []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.frames), slices.Clone(s.sizes), slices.Clone(s.at)
}

func runOutbox(t *testing.T, o *outbox) *sentFrames {
	s, start := &sentFrames{}, time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.run(ctx, func(messages [][]byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.frames = append(s.frames, len(messages))
			s.sizes = append(s.sizes, len(appendFrame(nil, messages)))
			s.at = append(s.at, time.Since(start))
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func testOutbox(t *testing.T) *outbox {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	return newOutbox(m)
}

func TestOutboxWaitsForMore(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		o := testOutbox(t)
		s := runOutbox(t, o)
		o.add([]byte("1"))
		time.Sleep(3 * time.Millisecond)
		o.add([]byte("2"))
		time.Sleep(frameDelay)
		o.add([]byte("3"))
		time.Sleep(time.Second)
		bubbletest.Wait()
		frames, _, at := s.get()
		if !slices.Equal(frames, []int{2, 1}) {
			t.Errorf("frames of %v messages, want 2 and 1", frames)
		}
		// 5 ms after the first message, and no sooner than 50 ms after the frame
		// before.
		if want := []time.Duration{frameDelay, frameDelay + framePace}; !slices.Equal(at, want) {
			t.Errorf("sent at %v, want %v", at, want)
		}
		o.add([]byte("4"))
		time.Sleep(time.Second)
		bubbletest.Wait()
		_, _, at = s.get()
		if got := at[len(at)-1]; got != 8*time.Millisecond+time.Second+frameDelay {
			t.Errorf("after a pause sent at %v, want 5 ms after it was announced", got)
		}
	})
}

func TestOutboxFlush(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		o := testOutbox(t)
		s := runOutbox(t, o)
		o.add([]byte("witness"))
		o.flushNow()
		bubbletest.Wait()
		if _, _, at := s.get(); !slices.Equal(at, []time.Duration{0}) {
			t.Fatalf("sent at %v, want at once", at)
		}
		o.flushNow() // nothing to send: must not make the next one hurry
		o.add([]byte("reading"))
		bubbletest.Wait()
		if _, _, at := s.get(); len(at) != 1 {
			t.Error("a flush without messages hurried a later one")
		}
	})
}

func TestOutboxFullFrames(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		o := testOutbox(t)
		s := runOutbox(t, o)
		for range 2*MaxFrameMessages + 3 {
			o.add([]byte("m"))
		}
		bubbletest.Wait()
		if frames, _, _ := s.get(); !slices.Equal(frames, []int{64, 64}) {
			t.Errorf("at once: frames of %v, want two of 64", frames)
		}
		time.Sleep(framePace)
		bubbletest.Wait()
		if frames, _, _ := s.get(); !slices.Equal(frames, []int{64, 64, 3}) {
			t.Errorf("frames of %v, want 64, 64, 3", frames)
		}
	})
}

func TestOutboxFrameSize(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		o := testOutbox(t)
		s := runOutbox(t, o)
		for range 16 {
			o.add(make([]byte, maxMessageSize))
		}
		time.Sleep(time.Second)
		bubbletest.Wait()
		if frames, _, _ := s.get(); !slices.Equal(frames, []int{15, 1}) {
			t.Errorf("frames of %v, want 15 and 1", frames)
		}
		_, sizes, _ := s.get()
		for _, size := range sizes {
			if size > MaxFrameSize {
				t.Errorf("frame of %d bytes, at most %d", size, MaxFrameSize)
			}
		}
	})
}

// A full queue drops and counts, and Announce returns: nobody takes from it here.
func TestOutboxFullQueueDrops(t *testing.T) {
	o := testOutbox(t)
	for range maxQueued + 7 {
		o.add([]byte("m"))
	}
	if got := counter(t, o.metrics.drops, dropAnnounceQueue); got != 7 {
		t.Errorf("%v dropped, want 7", got)
	}
	big := testOutbox(t)
	for range maxQueuedSize/maxMessageSize + 2 {
		big.add(make([]byte, maxMessageSize))
	}
	if got := counter(t, big.metrics.drops, dropAnnounceQueue); got != 2 {
		t.Errorf("%v dropped by size, want 2", got)
	}
}

func TestOutboxRefusesWhatIsNoMessage(t *testing.T) {
	o := testOutbox(t)
	o.add(nil)
	o.add(make([]byte, maxMessageSize+1))
	if got := counter(t, o.metrics.drops, dropAnnounceSize); got != 2 {
		t.Errorf("%v dropped, want 2", got)
	}
	if len(o.queue) != 0 {
		t.Error("one of them is queued")
	}
}
