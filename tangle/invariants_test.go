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
	for i, v := range t.order[t.first:] {
		if i > 0 && t.order[t.first+i-1].seq+1 != v.seq {
			tb.Fatalf("seq %d follows %d", v.seq, t.order[t.first+i-1].seq)
		}
		if t.vertices[v.id] != v {
			tb.Fatalf("%v is in the order and not held", v.id)
		}
		if t.orphans.has(v.id) {
			tb.Fatalf("%v is solid and an orphan", v.id)
		}
		for _, p := range v.parents {
			if p.seq >= v.seq {
				tb.Fatalf("%v became solid before its parent", v.id)
			}
			if p.approved.IsZero() {
				tb.Fatalf("%v has a solid child and is no approved one", p.id)
			}
		}
		if t.IsTip(v.id) != v.approved.IsZero() {
			tb.Fatalf("%v: tip %v, approved at %v", v.id, t.IsTip(v.id), v.approved)
		}
	}
	live := len(t.order) - t.first
	if len(t.vertices) != live || live > t.opts.MaxVertices || len(t.tips) > live {
		tb.Fatalf("%d vertices, %d in order, %d tips, at most %d", len(t.vertices), live, len(t.tips), t.opts.MaxVertices)
	}
	if len(t.order) > 2*t.opts.MaxVertices+1 {
		tb.Fatalf("the order has grown to %d for %d vertices", len(t.order), live)
	}
}

func checkOrphans(tb testing.TB, h *orphanage) {
	tb.Helper()
	bytes, waits := 0, 0
	for id, o := range h.byID {
		bytes += len(o.m.Bytes())
		waits += o.waits
		found := 0
		for _, p := range o.m.Parents {
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
