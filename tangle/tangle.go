// Package tangle is the DAG itself: which messages are known, which of them
// are solid, which are tips, and how much of the newest traffic stands on each.
//
// It is a pure state machine: no I/O, no clock, no goroutines. The caller
// passes in valid messages and the time, and gets back a [Delta]: what became
// solid, in an order in which parents come first. A message whose parents are
// not all here waits as an orphan; Missing names what to fetch. Within the window
// the order of arrival does not matter: the same messages give the same DAG.
//
// Only the newest MaxVertices solid messages are held. Whether an older parent
// is there is asked through Options.Stored. A parent that is nowhere and older
// than Horizon counts as a root: without such a bound one lost message would
// hold up its whole future for ever.
//
// What stands on what follows all edges: those of a witness are its parents, its
// refs and the witness before. Include fixes, anchor by anchor, what becomes
// final; that reaches back behind memory through Options.Edges.
//
// A Tangle is not safe for concurrent use; one goroutine owns it.
//
// # Errors
//
// Attach returns ErrDuplicate, and nothing else. That a parent is missing is no
// error. Everything a sender can get wrong was refused before, by the message
// package.
package tangle

import (
	"errors"
	"slices"
	"time"

	"tangled/message"
)

// ErrDuplicate tells that a message is solid already or waits as an orphan.
var ErrDuplicate = errors.New("tangle: duplicate message")

// Options bound a Tangle. The zero value of every field but Genesis has a
// default.
type Options struct {
	// Genesis is the root. It is solid from the start.
	Genesis message.ID
	// Window is how far behind the ledger time the live DAG reaches; 30
	// minutes by default.
	Window time.Duration
	// Stored tells whether a message that is not in memory is solid. It is
	// asked only about timestamps up to the newest one that left memory, or up
	// to StoredUntil, so that a new message costs no look-up. Nil means that
	// none is.
	Stored      func(message.ID) bool
	StoredUntil uint64
	// Edges gives the edges of a stored message that is not in memory, nothing
	// for one that is nowhere; Final tells whether an anchor included it. Nil
	// means that none has edges, and none is final.
	Edges func(message.ID) []message.ID
	Final func(message.ID) bool
	// LedgerTime is where the ledger time begins, in nanoseconds since the Unix
	// epoch; at the genesis by default.
	LedgerTime uint64
	// MaxVertices is how many solid messages are held; 262,144 by default,
	// at about 200 bytes each.
	MaxVertices int
	// MaxOrphans and MaxOrphanBytes bound the messages that wait for parents;
	// 65,536 and 64 MiB by default.
	MaxOrphans     int
	MaxOrphanBytes int
	// MaxOrphanAge is how long one waits at most; 10 minutes by default.
	MaxOrphanAge time.Duration
}

func (o *Options) ensureDefaults() {
	if o.Window == 0 {
		o.Window = 30 * time.Minute
	}
	if o.Stored == nil {
		o.Stored = func(message.ID) bool { return false }
	}
	if o.Edges == nil {
		o.Edges = func(message.ID) []message.ID { return nil }
	}
	if o.Final == nil {
		o.Final = func(message.ID) bool { return false }
	}
	if o.MaxVertices == 0 {
		o.MaxVertices = 1 << 18
	}
	if o.MaxOrphans == 0 {
		o.MaxOrphans = 1 << 16
	}
	if o.MaxOrphanBytes == 0 {
		o.MaxOrphanBytes = 64 << 20
	}
	if o.MaxOrphanAge == 0 {
		o.MaxOrphanAge = 10 * time.Minute
	}
}

// Solid is a message that became solid with a Delta.
type Solid struct {
	Message *message.Message
	// Sender is who brought it, as given to Attach.
	Sender string
	// Waited is true for a message that was an orphan before.
	Waited bool
	// Delays has, for each parent, how long before this message became solid
	// that parent stopped being a tip; zero for a first approver, and for a
	// parent too old for memory the age of its timestamp.
	Delays []time.Duration
	// Approves has the parents that stopped being tips by this message.
	Approves []message.ID
}

// Delta is what one Attach changed. The caller owns its slices.
type Delta struct {
	// Solid has the messages that became solid, parents first.
	Solid []Solid
	// Missing has the parents of the attached message that are not here.
	Missing []message.ID
	// Evicted has the orphans that made room.
	Evicted []message.ID
}

// Tangle is the live part of the DAG. Solid implies every edge solid, too old
// for memory, or a root; an orphan waits for at least one edge.
type Tangle struct {
	opts     Options
	vertices vertices
	tips     map[message.ID]struct{}
	orphans  orphanage
	past     past

	ledgerTime uint64
	undecided  uint64    // lowest undecided round
	forgotten  uint64    // newest timestamp that may be stored and not in memory
	start      time.Time // of the first message's coming

	newest   message.ID // the newest solid message
	approved message.ID // the newest solid message that is no tip
}

// New returns a Tangle that holds the genesis alone.
func New(opts Options) *Tangle {
	opts.ensureDefaults()
	return &Tangle{
		opts:       opts,
		vertices:   newVertices(),
		tips:       make(map[message.ID]struct{}),
		orphans:    newOrphanage(opts),
		past:       past{far: make(map[message.ID]struct{})},
		ledgerTime: max(opts.LedgerTime, opts.Genesis.Timestamp()),
		forgotten:  opts.StoredUntil,
		newest:     opts.Genesis,
		approved:   opts.Genesis,
	}
}

// LedgerTime is the time that the network agrees has passed, in nanoseconds
// since the Unix epoch.
func (t *Tangle) LedgerTime() uint64 { return t.ledgerTime }

// SetLedgerTime moves the ledger time on; it never goes back.
func (t *Tangle) SetLedgerTime(at uint64) { t.ledgerTime = max(t.ledgerTime, at) }

// Horizon is the timestamp before which a message is stale: the ledger time
// less the window.
func (t *Tangle) Horizon() uint64 {
	return t.ledgerTime - min(t.ledgerTime, uint64(t.opts.Window))
}

// Has reports whether id is solid or an orphan, in memory or stored.
func (t *Tangle) Has(id message.ID) bool {
	return t.isSolid(id) || t.orphans.has(id)
}

func (t *Tangle) inMemory(id message.ID) bool {
	_, ok := t.vertices.bySeq[id]
	return ok || id == t.opts.Genesis
}

func (t *Tangle) isSolid(id message.ID) bool {
	return t.inMemory(id) || id.Timestamp() <= t.forgotten && t.opts.Stored(id)
}

// Kind tells what a message carries. It is false for one that is not in memory.
func (t *Tangle) Kind(id message.ID) (message.Kind, bool) {
	v, _ := t.vertices.find(id)
	if v == nil {
		return 0, false
	}
	return v.kind, true
}

// Attach adds a valid message that sender brought at now. The error is
// ErrDuplicate or nil.
func (t *Tangle) Attach(m *message.Message, sender string, now time.Time) (Delta, error) {
	if t.Has(m.ID()) {
		return Delta{}, ErrDuplicate
	}
	var d Delta
	var wait []message.ID
	for _, parent := range m.Edges() {
		if t.isSolid(parent) || parent.Timestamp() < t.Horizon() && !t.orphans.has(parent) && !t.needs(m, parent) {
			continue
		}
		wait = append(wait, parent)
		if !t.orphans.has(parent) {
			d.Missing = append(d.Missing, parent)
		}
	}
	if len(wait) > 0 {
		d.Evicted = t.orphans.add(&orphan{m: m, sender: sender, since: now, waits: len(wait)}, wait)
		return d, nil
	}
	t.settle(&orphan{m: m, sender: sender}, now, &d)
	return d, nil
}

// needs tells whether an edge of m must be here however old it is: a ref of a
// witness whose round is not decided. Whether that witness counts is read from
// its refs' targets, and must not depend on who still has them.
func (t *Tangle) needs(m *message.Message, edge message.ID) bool {
	if m.Kind != message.KindWitness {
		return false
	}
	w, err := m.Witness()
	return err == nil && w.Round >= t.undecided && slices.ContainsFunc(w.Refs, func(r message.Ref) bool { return r.ID == edge })
}

// SetUndecided tells the lowest round that is not decided; it never goes back.
func (t *Tangle) SetUndecided(round uint64) { t.undecided = max(t.undecided, round) }

// Load adds a message that is known to be solid, as when the store is read at
// the start, in an order in which parents come first. Whether it would be solid
// by what is known here is not asked: a parent may be a root that the horizon
// has passed since. isFinal tells whether an anchor included it.
func (t *Tangle) Load(m *message.Message, at time.Time, isFinal bool) Solid {
	s := t.addVertex(&orphan{m: m}, at)
	if isFinal {
		v, _ := t.vertices.find(m.ID())
		v.flags |= final
	}
	return s
}

// settle makes o solid and then, breadth first, every orphan that waited only
// for what became solid.
func (t *Tangle) settle(o *orphan, now time.Time, d *Delta) {
	for queue := []*orphan{o}; len(queue) > 0; queue = queue[1:] {
		next := queue[0]
		s := t.addVertex(next, now)
		s.Waited = next.waited
		d.Solid = append(d.Solid, s)
		queue = append(queue, t.orphans.release(next.m.ID())...)
	}
}

func (t *Tangle) addVertex(o *orphan, now time.Time) Solid {
	m := o.m
	if t.start.IsZero() {
		t.start = now
	}
	v, seq := t.vertices.add(m)
	s := Solid{Message: m, Sender: o.sender, Delays: make([]time.Duration, 0, len(m.Parents))}
	for _, id := range m.Edges() {
		delay, first := t.approve(v, seq, id, now)
		if first {
			s.Approves = append(s.Approves, id)
		}
		if _, isParent := slices.BinarySearchFunc(m.Parents, id, message.ID.Compare); isParent {
			s.Delays = append(s.Delays, delay)
		}
	}
	t.tips[v.id] = struct{}{}
	if v.id.Compare(t.newest) > 0 {
		t.newest = v.id
	}
	t.forget()
	return s
}

// approve joins v to the message that one of its edges names. It returns how
// long ago that stopped being a tip, and whether v is the first to approve it.
func (t *Tangle) approve(v *vertex, seq uint64, id message.ID, now time.Time) (delay time.Duration, first bool) {
	p, to := t.vertices.find(id)
	if p == nil {
		// Too old for memory, a root or the genesis: its age stands in for the
		// time since it was approved. The first messages of a network are first
		// approvers of the genesis.
		if id == t.opts.Genesis {
			if t.approved == id {
				return 0, false
			}
		} else {
			v.flags |= partial
		}
		return max(0, now.Sub(id.Time())), false
	}
	t.vertices.join(v, seq, to)
	if p.flags&approved != 0 {
		return max(0, now.Sub(t.start)-p.approvedAt), false
	}
	p.flags |= approved
	p.approvedAt = now.Sub(t.start)
	delete(t.tips, id)
	if id.Compare(t.approved) > 0 {
		t.approved = id
	}
	return 0, true
}

// forget drops the vertex that became solid first once there are too many.
func (t *Tangle) forget() {
	if t.vertices.len() <= t.opts.MaxVertices {
		return
	}
	v := t.vertices.dropOldest()
	delete(t.tips, v.id)
	t.forgotten = max(t.forgotten, v.id.Timestamp())
	if v.flags&(reached|final) == reached && v.id.Timestamp() >= t.past.from {
		t.past.far[v.id] = struct{}{}
	}
}

// Tips returns at most n tips, the newest first.
func (t *Tangle) Tips(n int) []message.ID {
	newer := func(a, b message.ID) int { return b.Compare(a) }
	// Of many only n are wanted: ids is sorted and cut each time it has grown
	// to twice that.
	var ids []message.ID
	for id := range t.tips {
		if ids = append(ids, id); len(ids)-n >= max(n, 64) {
			slices.SortFunc(ids, newer)
			ids = ids[:n]
		}
	}
	slices.SortFunc(ids, newer)
	return ids[:min(n, len(ids))]
}

// IsOrphan reports whether id waits for parents.
func (t *Tangle) IsOrphan(id message.ID) bool { return t.orphans.has(id) }

// Crowds reports whether half of the room for orphans is taken, and this sender brought
// no less of them than the average: the ancestors of what it brings must come in order
// then, the oldest first, or there will be no place for them.
func (t *Tangle) Crowds(sender string) bool { return t.orphans.crowds(sender) }

// Locator returns at most n IDs that tell a peer what is here: the newest tips,
// then solid messages 1, 2, 4, 8 ... places back in the order of becoming solid.
// Whatever the peer lacks of the newest, it has some of the older ones.
func (t *Tangle) Locator(n int) []message.ID {
	ids := t.Tips(n / 2)
	for back := 1; back <= t.vertices.len() && len(ids) < n; back *= 2 {
		if id := t.vertices.at(t.vertices.next - uint64(back)).id; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Newest is the newest solid message, the genesis at first. Since a child is
// always newer than its parents, it is a tip.
func (t *Tangle) Newest() message.ID { return t.newest }

// NewestApproved is the newest solid message that is no tip: the other parent
// where there is only one tip. It is the genesis at first.
func (t *Tangle) NewestApproved() message.ID { return t.approved }

// Missing returns at most n IDs to ask a peer for: parents that are not here
// and that orphans have waited for with patience, since one of the last ten seconds
// may be on its way by itself in another frame; first those that it returned least often,
// then the oldest. Parents that somebody made up therefore do not hold up real
// ones. An ID is returned once a second at most, and for the same peer only in
// the next round, when nobody was asked for 4 s.
func (t *Tangle) Missing(peer string, n int, now time.Time, patience time.Duration) []message.ID {
	return t.orphans.missing(peer, n, now, patience)
}

// Expire drops orphans that waited too long, and settles those whose missing
// parents fell behind the horizon and so became roots.
func (t *Tangle) Expire(now time.Time) Delta {
	var d Delta
	d.Evicted = t.orphans.expire(now)
	for _, root := range t.orphans.rootsBefore(t.Horizon()) {
		for _, o := range t.orphans.releaseFrom(root, t.needs) {
			t.settle(o, now, &d)
		}
	}
	return d
}

// Stats counts what is held.
type Stats struct {
	Vertices    int
	Tips        int
	Orphans     int
	OrphanBytes int
	Waiting     int // reached by an anchor and not yet included
}

// Stats counts what is held now.
func (t *Tangle) Stats() Stats {
	return Stats{
		Vertices:    t.vertices.len(),
		Tips:        len(t.tips),
		Orphans:     len(t.orphans.byID),
		OrphanBytes: t.orphans.bytes,
		Waiting:     len(t.past.waiting),
	}
}
