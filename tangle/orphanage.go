package tangle

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"tangled/message"
)

const (
	// askAnother is how long an answer may take before somebody else is asked,
	// nextRound when everybody may be asked again.
	askAnother = time.Second
	nextRound  = 4 * time.Second
	// notComing is the age from which a parent is not on its way any more.
	notComing = 10 * time.Second
)

// orphan is a message that waits for parents.
type orphan struct {
	m      *message.Message
	sender string
	since  time.Time
	waits  int           // parents that are not solid yet
	place  *list.Element // in its sender's queue
	seq    uint64        // order of arrival
	waited bool          // it was an orphan, and is solid only now
}

// awaited is what is known of a parent that orphans wait for.
type awaited struct {
	orphans map[*orphan]struct{}
	since   time.Time
	asked   int       // how often missing returned it
	askedAt time.Time // when it did so last
	askedOf []string  // the peers it did so for, in this round
}

// mayAsk tells whether it is peer's turn: each peer is asked once in a round.
// Were it only a matter of time, a peer that does not have the message could
// always come first.
func (w *awaited) mayAsk(peer string, now time.Time) bool {
	since := now.Sub(w.askedAt)
	return since >= nextRound || since >= askAnother && !slices.Contains(w.askedOf, peer)
}

func (w *awaited) ask(peer string, now time.Time) {
	if now.Sub(w.askedAt) >= nextRound {
		w.askedOf = w.askedOf[:0]
	}
	w.asked++
	w.askedAt = now
	w.askedOf = append(w.askedOf, peer)
}

// senderQueue is what one sender brought.
type senderQueue struct {
	list.List // of *orphan, the oldest in front
	bytes     int
}

// orphanage holds orphans within bounds. When there are too many, the sender
// with the most loses its oldest: one sender that floods cannot push out what
// the others brought.
type orphanage struct {
	byID     map[message.ID]*orphan
	waiting  map[message.ID]*awaited // by the parent
	bySender map[string]*senderQueue
	bytes    int
	nextSeq  uint64

	maxCount, maxBytes int
	maxAge             time.Duration
}

func newOrphanage(opts Options) orphanage {
	return orphanage{
		byID:     make(map[message.ID]*orphan),
		waiting:  make(map[message.ID]*awaited),
		bySender: make(map[string]*senderQueue),
		maxCount: opts.MaxOrphans,
		maxBytes: opts.MaxOrphanBytes,
		maxAge:   opts.MaxOrphanAge,
	}
}

func (h *orphanage) has(id message.ID) bool {
	_, ok := h.byID[id]
	return ok
}

// crowds tells whether half of either bound is reached, and a sender has no less of
// that than the others on average.
func (h *orphanage) crowds(sender string) bool {
	queue := h.bySender[sender]
	if queue == nil {
		return false
	}
	return 2*len(h.byID) >= h.maxCount && queue.Len()*len(h.bySender) >= len(h.byID) ||
		2*h.bytes >= h.maxBytes && queue.bytes*len(h.bySender) >= h.bytes
}

// add takes in o, which waits for the given parents, and returns what had to
// make room; o itself may be among it.
func (h *orphanage) add(o *orphan, parents []message.ID) (evicted []message.ID) {
	h.byID[o.m.ID()] = o
	h.bytes += len(o.m.Bytes())
	for _, p := range parents {
		w := h.waiting[p]
		if w == nil {
			w = &awaited{orphans: make(map[*orphan]struct{}, 1), since: o.since}
			h.waiting[p] = w
		}
		w.orphans[o] = struct{}{}
	}
	queue := h.bySender[o.sender]
	if queue == nil {
		queue = new(senderQueue)
		h.bySender[o.sender] = queue
	}
	o.seq = h.nextSeq
	h.nextSeq++
	o.place = queue.PushBack(o)
	queue.bytes += len(o.m.Bytes())
	for len(h.byID) > h.maxCount || h.bytes > h.maxBytes {
		oldest := h.largestQueue().Front().Value.(*orphan)
		h.drop(oldest)
		evicted = append(evicted, oldest.m.ID())
	}
	return evicted
}

// largestQueue is the one of the sender with the most of what is short: places
// or bytes.
func (h *orphanage) largestQueue() *senderQueue {
	size := func(q *senderQueue) int { return q.bytes }
	if len(h.byID) > h.maxCount {
		size = func(q *senderQueue) int { return q.Len() }
	}
	var largest *senderQueue
	for _, queue := range h.bySender {
		if largest == nil || size(queue) > size(largest) {
			largest = queue
		}
	}
	return largest
}

// drop gives o up: it is forgotten as if it had never come.
func (h *orphanage) drop(o *orphan) {
	for _, p := range o.m.Edges() {
		w := h.waiting[p]
		if w == nil {
			continue
		}
		delete(w.orphans, o)
		if len(w.orphans) == 0 {
			delete(h.waiting, p)
		}
	}
	h.remove(o)
}

func (h *orphanage) remove(o *orphan) {
	delete(h.byID, o.m.ID())
	h.bytes -= len(o.m.Bytes())
	queue := h.bySender[o.sender]
	queue.Remove(o.place)
	queue.bytes -= len(o.m.Bytes())
	if queue.Len() == 0 {
		delete(h.bySender, o.sender)
	}
}

// release tells that parent is solid and takes out the orphans that waited for
// nothing else.
func (h *orphanage) release(parent message.ID) (free []*orphan) {
	return h.releaseFrom(parent, func(*message.Message, message.ID) bool { return false })
}

// releaseFrom tells that parent is a root to all but those that need it, and takes
// out the orphans that waited for nothing else. Each goes its own way: whether one
// is solid must not depend on who else names the same parent.
func (h *orphanage) releaseFrom(parent message.ID, needs func(*message.Message, message.ID) bool) (free []*orphan) {
	w := h.waiting[parent]
	if w == nil {
		return nil
	}
	for o := range w.orphans {
		if needs(o.m, parent) {
			continue
		}
		delete(w.orphans, o)
		if o.waits--; o.waits == 0 {
			o.waited = true
			h.remove(o)
			free = append(free, o)
		}
	}
	slices.SortFunc(free, func(a, b *orphan) int { return cmp.Compare(a.seq, b.seq) })
	if len(w.orphans) == 0 {
		delete(h.waiting, parent)
	}
	return free
}

// missing returns the parents that are waited for and are no orphans
// themselves, as Tangle.Missing says.
func (h *orphanage) missing(peer string, n int, now time.Time, patience time.Duration) []message.ID {
	type candidate struct {
		id message.ID
		w  *awaited
	}
	before := func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.w.asked, b.w.asked), a.id.Compare(b.id))
	}
	// Of half a million only n are wanted: best is sorted and cut each time it
	// has grown to twice that.
	var best []candidate
	cut := func() {
		slices.SortFunc(best, before)
		best = best[:min(n, len(best))]
	}
	for id, w := range h.waiting {
		early := now.Sub(w.since) < patience && now.Sub(id.Time()) < notComing
		if early || !w.mayAsk(peer, now) || h.has(id) {
			continue
		}
		c := candidate{id, w}
		if best = append(best, c); len(best)-n >= max(n, 64) {
			cut()
		}
	}
	cut()
	ids := make([]message.ID, len(best))
	for i, c := range best {
		ids[i] = c.id
		c.w.ask(peer, now)
	}
	return ids
}

// rootsBefore returns the awaited messages that the horizon has passed.
func (h *orphanage) rootsBefore(horizon uint64) []message.ID {
	var ids []message.ID
	for id := range h.waiting {
		if id.Timestamp() < horizon && !h.has(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, message.ID.Compare)
	return ids
}

func (h *orphanage) expire(now time.Time) (evicted []message.ID) {
	for _, queue := range h.bySender {
		for e := queue.Front(); e != nil; e = queue.Front() {
			o := e.Value.(*orphan)
			if now.Sub(o.since) <= h.maxAge {
				break
			}
			h.drop(o)
			evicted = append(evicted, o.m.ID())
		}
	}
	return evicted
}
