package catchup

import "sync"

// maxAhead is how many bytes of bodies may be held before more is asked for. With
// that page, the lists of two runs and the next page of lists it makes 28 MiB.
const maxAhead = 12 << 20

// queue holds the anchors that are complete until the consumer takes them, and
// counts the bytes of those and of what is not complete yet.
type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	anchors []Verified
	held    int
	ended   bool
	err     error
}

func newQueue() *queue {
	q := new(queue)
	q.changed = sync.NewCond(&q.mu)
	return q
}

// hold counts bytes that came.
func (q *queue) hold(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held += n
}

// waitForRoom waits until more may be asked for; false if it is over. With nothing
// complete there is always room: the consumer waits, and will wait on until the next
// anchor is whole, whatever its size.
func (q *queue) waitForRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.held > maxAhead && len(q.anchors) > 0 && !q.ended {
		q.changed.Wait()
	}
	return !q.ended
}

func (q *queue) push(v Verified) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.anchors = append(q.anchors, v)
	q.changed.Broadcast()
}

// end lets what is in the queue be the last; the first error counts.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended, q.err = true, err
		q.changed.Broadcast()
	}
}

// pop waits for the next anchor; it is not ok, and may have an error, when there
// will be none.
func (q *queue) pop() (v Verified, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.anchors) == 0 && !q.ended {
		q.changed.Wait()
	}
	if len(q.anchors) == 0 {
		return Verified{}, false, q.err
	}
	v = q.anchors[0]
	q.anchors[0] = Verified{}
	q.anchors = q.anchors[1:]
	for _, m := range v.Messages {
		q.held -= len(m.Bytes())
	}
	q.changed.Broadcast()
	return v, true, nil
}
