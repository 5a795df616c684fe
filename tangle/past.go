package tangle

import (
	"cmp"
	"math"
	"slices"

	"tangled/message"
)

// past is what anchors have reached and not yet taken: messages that wait
// because an anchor takes a limited number, or because their clocks run ahead.
// The past cones of anchors are nested, so that a walk ends at whatever an
// earlier one has seen.
type past struct {
	waiting []candidate             // ascending by ID
	far     map[message.ID]struct{} // those of waiting that left memory
	from    uint64                  // of the last Include
}

// candidate is a message that an anchor reached. A look-up of its vertex by ID
// would cost more than all the rest of its way to the anchor.
type candidate struct {
	id  message.ID
	seq uint64 // of its vertex, which may have left memory since
}

// noSeq is that of a message that was not in memory when it was reached.
const noSeq = math.MaxUint64

func (c candidate) compare(other candidate) int { return c.id.Compare(other.id) }

func (c candidate) compareTimestamp(timestamp uint64) int {
	return cmp.Compare(c.id.Timestamp(), timestamp)
}

// Include fixes what an anchor includes: of its past cone, itself with it, the
// messages from timestamp from up to timestamp until that no earlier anchor
// included, ascending by ID, and of these the first limit. It reports whether the
// limit cut something off. What is later than until, or beyond the limit, waits
// for the next anchor; what is older than from never comes any more.
//
// Every edge leads to a lower ID, so that the first messages by ID hold their
// own past: the order is topological. Anchors must be given in their order, and
// with from never falling; Options.Final must know of one before the next. The
// caller owns the slice.
func (t *Tangle) Include(anchor message.ID, from, until uint64, limit int) (included []message.ID, capped bool) {
	t.reach(anchor, from)
	p := &t.past
	p.from = from
	first, _ := slices.BinarySearchFunc(p.waiting, from, candidate.compareTimestamp)
	for _, c := range p.waiting[:first] {
		delete(p.far, c.id)
	}
	last := len(p.waiting)
	if until+1 != 0 {
		last, _ = slices.BinarySearchFunc(p.waiting, until+1, candidate.compareTimestamp)
	}
	last = max(first, last)
	capped = last-first > limit
	last = first + min(last-first, limit)
	included = make([]message.ID, last-first)
	for i, c := range p.waiting[first:last] {
		included[i] = c.id
		if t.vertices.holds(c.seq) {
			t.vertices.at(c.seq).flags |= final
		} else {
			delete(p.far, c.id)
		}
	}
	p.waiting = slices.Delete(p.waiting, 0, last)
	return included, capped
}

// reach walks down from an anchor and adds what it finds new to the waiting.
func (t *Tangle) reach(anchor message.ID, from uint64) {
	w := walk{t: t, from: from}
	w.visit(anchor)
	for {
		switch {
		case len(w.near) > 0:
			seq := w.near[len(w.near)-1]
			w.near = w.near[:len(w.near)-1]
			w.expand(seq)
		case len(w.far) > 0:
			id := w.far[len(w.far)-1]
			w.far = w.far[:len(w.far)-1]
			w.expandFar(id)
		default:
			t.past.merge(sorted(w.found))
			return
		}
	}
}

// sorted are the candidates ascending by ID. What is compared and moved about is a
// third of each: their timestamps, nearly always different, and where they stand.
func sorted(found []candidate) []candidate {
	type key struct {
		timestamp uint64
		at        int
	}
	keys := make([]key, len(found))
	for i, c := range found {
		keys[i] = key{c.id.Timestamp(), i}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.timestamp != b.timestamp {
			return cmp.Compare(a.timestamp, b.timestamp)
		}
		return found[a.at].compare(found[b.at])
	})
	inOrder := make([]candidate, len(found))
	for i, k := range keys {
		inOrder[i] = found[k.at]
	}
	return inOrder
}

// merge adds sorted messages to the waiting, from behind and in place.
func (p *past) merge(found []candidate) {
	i, j := len(p.waiting)-1, len(found)-1
	p.waiting = append(p.waiting, found...)
	for to := len(p.waiting) - 1; j >= 0; to-- {
		if i >= 0 && p.waiting[i].compare(found[j]) > 0 {
			p.waiting[to] = p.waiting[i]
			i--
		} else {
			p.waiting[to] = found[j]
			j--
		}
	}
}

// walk goes down a past cone: by number in memory, by ID below it.
type walk struct {
	t     *Tangle
	from  uint64
	near  []uint64
	far   []message.ID
	found []candidate
}

func (w *walk) visit(id message.ID) {
	if seq, ok := w.t.vertices.bySeq[id]; ok {
		w.visitNear(seq)
		return
	}
	p := &w.t.past
	if _, seen := p.far[id]; seen || id == w.t.opts.Genesis || id.Timestamp() < w.from || w.t.opts.Final(id) {
		return
	}
	p.far[id] = struct{}{}
	w.found = append(w.found, candidate{id, noSeq})
	w.far = append(w.far, id)
}

func (w *walk) visitNear(seq uint64) {
	v := w.t.vertices.at(seq)
	if v.flags&(final|reached) != 0 || v.id.Timestamp() < w.from {
		return
	}
	v.flags |= reached
	w.found = append(w.found, candidate{v.id, seq})
	w.near = append(w.near, seq)
}

// expand visits the edges of a vertex. Where some are not in memory, all are
// read from the store.
func (w *walk) expand(seq uint64) {
	s := &w.t.vertices
	v := s.at(seq)
	whole := v.flags&partial == 0
	for _, to := range v.edges[:v.count] {
		whole = whole && to >= s.oldest
	}
	for _, to := range s.rest(v, seq) {
		whole = whole && to >= s.oldest
	}
	if !whole {
		w.expandFar(v.id)
		return
	}
	for _, to := range v.edges[:v.count] {
		w.visitNear(to)
	}
	for _, to := range s.rest(v, seq) {
		w.visitNear(to)
	}
}

func (w *walk) expandFar(id message.ID) {
	for _, to := range w.t.opts.Edges(id) {
		w.visit(to)
	}
}
