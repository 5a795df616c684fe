package tangle

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"tangled/message"
)

const (
	// patience is how long a parent may be on its way by itself, in another
	// frame by another path, before it is worth asking for.
	patience = 200 * time.Millisecond
	// askAgain is how long an answer may take before somebody else is asked.
	askAgain = time.Second
)

// orphan is a message that waits for parents.
type orphan struct {
	m      *message.Message
	sender string
	since  time.Time
	waits  int           // parents that are not solid yet
	place  *list.Element // in its sender's queue
}

// awaited is what is known of a parent that orphans wait for.
type awaited struct {
	orphans []*orphan
	since   time.Time
	asked   int       // how often missing returned it
	askedAt time.Time // when it did so last
}

// orphanage holds orphans within bounds. When there are too many, the sender
// with the most loses its oldest: one sender that floods cannot push out what
// the others brought.
type orphanage struct {
	byID     map[message.ID]*orphan
	waiting  map[message.ID]*awaited // by the parent
	bySender map[string]*list.List   // of *orphan, the oldest in front
	bytes    int

	maxCount, maxBytes int
	maxAge             time.Duration
}

func newOrphanage(opts Options) orphanage {
	return orphanage{
		byID:     make(map[message.ID]*orphan),
		waiting:  make(map[message.ID]*awaited),
		bySender: make(map[string]*list.List),
		maxCount: opts.MaxOrphans,
		maxBytes: opts.MaxOrphanBytes,
		maxAge:   opts.MaxOrphanAge,
	}
}

func (h *orphanage) has(id message.ID) bool {
	_, ok := h.byID[id]
	return ok
}

// add takes in o, which waits for the given parents, and returns what had to
// make room; o itself may be among it.
func (h *orphanage) add(o *orphan, parents []message.ID) (evicted []message.ID) {
	h.byID[o.m.ID()] = o
	h.bytes += len(o.m.Bytes())
	for _, p := range parents {
		w := h.waiting[p]
		if w == nil {
			w = &awaited{since: o.since}
			h.waiting[p] = w
		}
		w.orphans = append(w.orphans, o)
	}
	queue := h.bySender[o.sender]
	if queue == nil {
		queue = list.New()
		h.bySender[o.sender] = queue
	}
	o.place = queue.PushBack(o)
	for len(h.byID) > h.maxCount || h.bytes > h.maxBytes {
		oldest := h.longestQueue().Front().Value.(*orphan)
		h.drop(oldest)
		evicted = append(evicted, oldest.m.ID())
	}
	return evicted
}

func (h *orphanage) longestQueue() *list.List {
	var longest *list.List
	for _, queue := range h.bySender {
		if longest == nil || queue.Len() > longest.Len() {
			longest = queue
		}
	}
	return longest
}

// drop gives o up: it is forgotten as if it had never come.
func (h *orphanage) drop(o *orphan) {
	for _, p := range o.m.Parents {
		w := h.waiting[p]
		if w == nil {
			continue
		}
		w.orphans = slices.DeleteFunc(w.orphans, func(other *orphan) bool { return other == o })
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
	if queue.Len() == 0 {
		delete(h.bySender, o.sender)
	}
}

// release tells that parent is solid and takes out the orphans that waited for
// nothing else.
func (h *orphanage) release(parent message.ID) (free []*orphan) {
	w := h.waiting[parent]
	if w == nil {
		return nil
	}
	for _, o := range w.orphans {
		if o.waits--; o.waits == 0 {
			h.remove(o)
			free = append(free, o)
		}
	}
	delete(h.waiting, parent)
	return free
}

// missing returns the parents that are waited for and are no orphans
// themselves, as Tangle.Missing says.
func (h *orphanage) missing(n int, now time.Time) []message.ID {
	var ids []message.ID
	for id, w := range h.waiting {
		if !h.has(id) && now.Sub(w.since) >= patience && now.Sub(w.askedAt) >= askAgain {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b message.ID) int {
		return cmp.Or(cmp.Compare(h.waiting[a].asked, h.waiting[b].asked), a.Compare(b))
	})
	ids = ids[:min(n, len(ids))]
	for _, id := range ids {
		h.waiting[id].asked++
		h.waiting[id].askedAt = now
	}
	return ids
}

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
