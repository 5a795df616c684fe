package bubbletest_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"tangled/internal/bubbletest"
)

// TestTimersAtOnce: with more than one processor the race detector brings the
// process down here.
func TestTimersAtOnce(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	fired := make(chan int, 16)
	bubbletest.Run(t, func(*testing.T) {
		var workers sync.WaitGroup
		for range cap(fired) {
			workers.Go(func() {
				n := 0
				for range 2000 {
					<-time.NewTimer(0).C
					time.AfterFunc(0, func() {}).Stop()
					n++
				}
				fired <- n
			})
		}
		workers.Wait()
	})
	for range cap(fired) {
		if n := <-fired; n != 2000 {
			t.Errorf("%d timers fired, want 2000", n)
		}
	}
	if after := runtime.GOMAXPROCS(0); after != before {
		t.Errorf("%d processors after the bubble, %d before", after, before)
	}
}

func TestTimeIsFake(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		start, woken := time.Now(), false
		go func() {
			time.Sleep(time.Hour)
			woken = true
		}()
		time.Sleep(time.Hour)
		bubbletest.Wait()
		if passed := time.Since(start); passed != time.Hour || !woken {
			t.Errorf("%v passed, woken: %v", passed, woken)
		}
	})
}
