package tangle

import (
	"maps"
	"slices"
	"testing"
)

// checkInvariants compares the maps of t with each other: what one of them
// forgets and another keeps is a leak.
func checkInvariants(tb testing.TB, t *Tangle) {
	tb.Helper()
	checkOrphans(tb, &t.orphans)
	store := &t.vertices
	for seq := store.oldest; seq < store.next; seq++ {
		v := store.at(seq)
		if held, ok := store.bySeq[v.id]; !ok || held != seq {
			tb.Fatalf("%v is in the order and not held", v.id)
		}
		if t.orphans.has(v.id) {
			tb.Fatalf("%v is solid and an orphan", v.id)
		}
		for _, to := range append(v.edges[:v.count:v.count], store.rest(v, seq)...) {
			if to >= seq {
				tb.Fatalf("%v became solid before its parent", v.id)
			}
			if to >= store.oldest && store.at(to).flags&approved == 0 {
				tb.Fatalf("%v has a solid child and is no approved one", store.at(to).id)
			}
		}
		if _, tip := t.tips[v.id]; tip == (v.flags&approved != 0) {
			tb.Fatalf("%v: tip %v, flags %b", v.id, tip, v.flags)
		}
	}
	live := store.len()
	for seq := range store.more {
		if seq < store.oldest || store.at(seq).flags&many == 0 {
			tb.Fatalf("edges of vertex %d are left, the oldest is %d", seq, store.oldest)
		}
	}
	if len(store.bySeq) != live || live > t.opts.MaxVertices || len(t.tips) > live {
		tb.Fatalf("%d vertices, %d in order, %d tips, at most %d", len(store.bySeq), live, len(t.tips), t.opts.MaxVertices)
	}
	if room := len(store.chunks) * chunkSize; room > live+2*chunkSize {
		tb.Fatalf("there is room for %d vertices, and %d", room, live)
	}
	checkPast(tb, t)
}

// checkPast holds what waits for an anchor against what is in memory.
func checkPast(tb testing.TB, t *Tangle) {
	tb.Helper()
	p := &t.past
	for i, w := range p.waiting {
		if i > 0 && p.waiting[i-1].id.Compare(w.id) >= 0 {
			tb.Fatal("what waits for an anchor is out of order")
		}
		if w.id.Timestamp() < p.from {
			tb.Fatalf("%v waits for an anchor, and is too old for all to come", w.id)
		}
		v, seq := t.vertices.find(w.id)
		if _, far := p.far[w.id]; far == (v != nil) || v != nil && w.seq != seq {
			tb.Fatalf("%v waits for an anchor: far %v, in memory %v at %d, not %d", w.id, far, v != nil, seq, w.seq)
		}
		if v != nil && v.flags&(reached|final) != reached {
			tb.Fatalf("%v waits for an anchor with flags %b", w.id, v.flags)
		}
	}
	for id := range p.far {
		if _, ok := slices.BinarySearchFunc(p.waiting, candidate{id: id}, candidate.compare); !ok {
			tb.Fatalf("%v left memory, and waits for no anchor", id)
		}
	}
}

func checkOrphans(tb testing.TB, h *orphanage) {
	tb.Helper()
	bytes, waits := 0, 0
	for id, o := range h.byID {
		bytes += len(o.m.Bytes())
		waits += o.waits
		found := 0
		for _, p := range o.m.Edges() {
			if w := h.waiting[p]; w != nil {
				for _, other := range waiters(w) {
					if other == o {
						found++
					}
				}
			}
		}
		if o.m.ID() != id || o.waits < 1 || o.waits != found {
			tb.Fatalf("%v waits for %d parents, %d know of it", id, o.waits, found)
		}
	}
	if bytes != h.bytes || bytes > h.maxBytes || len(h.byID) > h.maxCount {
		tb.Fatalf("%d orphans of %d bytes, counted %d, at most %d of %d", len(h.byID), bytes, h.bytes, h.maxCount, h.maxBytes)
	}
	for parent, w := range h.waiting {
		if len(waiters(w)) == 0 {
			tb.Fatalf("nobody waits for %v any more", parent)
		}
		waits -= len(waiters(w))
	}
	if waits != 0 {
		tb.Fatalf("%d waiting orphans are not held", -waits)
	}
	queued := 0
	for sender, queue := range h.bySender {
		if queue.Len() == 0 {
			tb.Fatalf("sender %q has nothing here any more", sender)
		}
		for e := queue.Front(); e != nil; e = e.Next() {
			if o := e.Value.(*orphan); h.byID[o.m.ID()] != o || o.sender != sender {
				tb.Fatalf("queue of %q has %v", sender, o.m.ID())
			}
			queued++
		}
	}
	if queued != len(h.byID) {
		tb.Fatalf("%d orphans, %d in queues", len(h.byID), queued)
	}
}

// waiters are the orphans that wait for a parent.
func waiters(w *awaited) []*orphan { return slices.Collect(maps.Keys(w.orphans)) }

// checkNoOrphans fails if anything is left of orphans that are gone.
func checkNoOrphans(tb testing.TB, h *orphanage) {
	tb.Helper()
	if len(h.byID) != 0 || len(h.waiting) != 0 || len(h.bySender) != 0 || h.bytes != 0 {
		tb.Fatalf("left behind: %d orphans, %d awaited, %d senders, %d bytes",
			len(h.byID), len(h.waiting), len(h.bySender), h.bytes)
	}
}
