package catchup

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f for 0..n-1 on as many goroutines as there are processors, each
// taking size in a row. It returns the error of the lowest that has one: which
// error a page yields does not depend on chance.
func parallel(n, size int, f func(i int) error) error {
	chunks := (n + size - 1) / size
	var next atomic.Int64
	var failed struct {
		sync.Mutex
		at  int
		err error
	}
	failed.at = n
	work := func() {
		for {
			begin := (int(next.Add(1)) - 1) * size
			if begin >= n {
				return
			}
			for i := begin; i < min(begin+size, n); i++ {
				err := f(i)
				if err == nil {
					continue
				}
				// Lower chunks have been taken, and end; higher ones need not begin.
				next.Store(int64(chunks))
				failed.Lock()
				if i < failed.at {
					failed.at, failed.err = i, err
				}
				failed.Unlock()
				return
			}
		}
	}
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), chunks) - 1 {
		workers.Go(work)
	}
	work()
	workers.Wait()
	return failed.err
}
