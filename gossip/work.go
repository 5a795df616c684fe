package gossip

import "sync"

// work counts what runs on goroutines libp2p started and calls back into the
// node, so that Close can wait for it.
type work struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// enter tells whether work may begin; leave must follow if it does.
func (w *work) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.wg.Add(1)
	return true
}

func (w *work) leave() { w.wg.Done() }

// start runs f on a goroutine that close waits for, unless closed.
func (w *work) start(f func()) bool {
	if !w.enter() {
		return false
	}
	go func() {
		defer w.leave()
		f()
	}()
	return true
}

// close lets nothing more begin and tells whether it was the first to.
func (w *work) close() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := !w.closed
	w.closed = true
	return first
}

func (w *work) wait() { w.wg.Wait() }
