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

// SettleTime is how far the ledger time trails the newest solid message.
const SettleTime = 5 * time.Second

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
	// MaxVertices is how many solid messages are held; 262,144 by default,
	// at about 250 bytes each.
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

// vertex is a solid message without its payload. Every parent of a vertex is
// solid: it is in parents, or left memory, or is a root.
type vertex struct {
	id       message.ID
	seq      uint64    // place in the order of becoming solid: parents before children
	parents  []*vertex // those in memory when the vertex came
	approved time.Time // when the first solid child came; zero for a tip
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

// Tangle is the live part of the DAG. Solid implies every parent solid, too
// old for memory, or a root; an orphan waits for at least one parent.
type Tangle struct {
	opts     Options
	vertices map[message.ID]*vertex
	order    []*vertex // by seq, the oldest at index first
	first    int
	nextSeq  uint64
	tips     map[message.ID]*vertex
	orphans  orphanage

	forgotten uint64 // newest timestamp that may be stored and not in memory

	newest   message.ID // the newest solid message
	approved message.ID // the newest solid message that is no tip
}

// New returns a Tangle that holds the genesis alone.
func New(opts Options) *Tangle {
	opts.ensureDefaults()
	t := &Tangle{
		opts:      opts,
		vertices:  make(map[message.ID]*vertex),
		tips:      make(map[message.ID]*vertex),
		orphans:   newOrphanage(opts),
		forgotten: opts.StoredUntil,
		newest:    opts.Genesis,
		approved:  opts.Genesis,
	}
	return t
}

// LedgerTime is the time the network agrees has passed, in nanoseconds since
// the Unix epoch: SettleTime behind the newest solid message, and never before
// the genesis.
func (t *Tangle) LedgerTime() uint64 {
	return max(t.newest.Timestamp()-min(t.newest.Timestamp(), uint64(SettleTime)), t.opts.Genesis.Timestamp())
}

// Horizon is the timestamp before which a message is stale: the ledger time
// less the window.
func (t *Tangle) Horizon() uint64 {
	return t.LedgerTime() - min(t.LedgerTime(), uint64(t.opts.Window))
}

// Has reports whether id is solid or an orphan, in memory or stored.
func (t *Tangle) Has(id message.ID) bool {
	return t.isSolid(id) || t.orphans.has(id)
}

// InMemory reports whether id is one of the solid messages held here.
func (t *Tangle) InMemory(id message.ID) bool {
	_, ok := t.vertices[id]
	return ok || id == t.opts.Genesis
}

func (t *Tangle) isSolid(id message.ID) bool {
	return t.InMemory(id) || id.Timestamp() <= t.forgotten && t.opts.Stored(id)
}

// Attach adds a valid message that sender brought at now. The error is
// ErrDuplicate or nil.
func (t *Tangle) Attach(m *message.Message, sender string, now time.Time) (Delta, error) {
	if t.Has(m.ID()) {
		return Delta{}, ErrDuplicate
	}
	var d Delta
	var wait []message.ID
	for _, parent := range m.Parents {
		if t.isSolid(parent) || parent.Timestamp() < t.Horizon() && !t.orphans.has(parent) {
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

// Load adds a message that is known to be solid, as when the store is read at
// the start, in an order in which parents come first. Whether it would be solid
// by what is known here is not asked: a parent may be a root that the horizon
// has passed since.
func (t *Tangle) Load(m *message.Message, at time.Time) Solid {
	return t.addVertex(&orphan{m: m}, at)
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
	v := &vertex{id: m.ID(), seq: t.nextSeq, parents: make([]*vertex, 0, len(m.Parents))}
	t.nextSeq++
	s := Solid{Message: m, Sender: o.sender, Delays: make([]time.Duration, len(m.Parents))}
	for i, id := range m.Parents {
		p := t.vertices[id]
		switch {
		case p == nil:
			// Too old for memory, a root or the genesis: its age stands in for
			// the time since it was approved. The first messages of a network
			// are first approvers of the genesis.
			if id != t.opts.Genesis || t.approved != id {
				s.Delays[i] = max(0, now.Sub(id.Time()))
			}
			continue
		case p.approved.IsZero():
			p.approved = now
			delete(t.tips, id)
			s.Approves = append(s.Approves, id)
			if id.Compare(t.approved) > 0 {
				t.approved = id
			}
		default:
			s.Delays[i] = max(0, now.Sub(p.approved))
		}
		v.parents = append(v.parents, p)
	}
	t.vertices[v.id] = v
	t.tips[v.id] = v
	t.order = append(t.order, v)
	if v.id.Compare(t.newest) > 0 {
		t.newest = v.id
	}
	t.forget()
	return s
}

// forget drops the vertex that became solid first once there are too many.
func (t *Tangle) forget() {
	if len(t.order)-t.first <= t.opts.MaxVertices {
		return
	}
	v := t.order[t.first]
	t.order[t.first] = nil
	t.first++
	delete(t.vertices, v.id)
	delete(t.tips, v.id)
	t.forgotten = max(t.forgotten, v.id.Timestamp())
	// Its children still point at v; without this they would keep the whole
	// past alive.
	v.parents = nil
	if t.first > t.opts.MaxVertices {
		t.order = slices.Delete(t.order, 0, t.first)
		t.first = 0
	}
}

// Tips returns at most n tips, the newest first.
func (t *Tangle) Tips(n int) []message.ID {
	ids := make([]message.ID, 0, len(t.tips))
	for id := range t.tips {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b message.ID) int { return b.Compare(a) })
	return ids[:min(n, len(ids))]
}

// IsOrphan reports whether id waits for parents.
func (t *Tangle) IsOrphan(id message.ID) bool { return t.orphans.has(id) }

// Locator returns at most n IDs that tell a peer what is here: the newest tips,
// then solid messages 1, 2, 4, 8 ... places back in the order of becoming solid.
// Whatever the peer lacks of the newest, it has some of the older ones.
func (t *Tangle) Locator(n int) []message.ID {
	ids := t.Tips(n / 2)
	live := t.order[t.first:]
	for back := 1; back <= len(live) && len(ids) < n; back *= 2 {
		if id := live[len(live)-back].id; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// IsTip reports whether id is solid and has no solid child.
func (t *Tangle) IsTip(id message.ID) bool {
	_, ok := t.tips[id]
	return ok
}

// Newest is the newest solid message, the genesis at first. Since a child is
// always newer than its parents, it is a tip.
func (t *Tangle) Newest() message.ID { return t.newest }

// NewestApproved is the newest solid message that is no tip: the other parent
// where there is only one tip. It is the genesis at first.
func (t *Tangle) NewestApproved() message.ID { return t.approved }

// Missing returns at most n IDs to ask a peer for: parents that are not here
// and that orphans have waited for with patience, since a parent may be on its
// way by itself in another frame; first those that it returned least often,
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
		for _, o := range t.orphans.release(root) {
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
}

// Stats counts what is held now.
func (t *Tangle) Stats() Stats {
	return Stats{
		Vertices:    len(t.vertices),
		Tips:        len(t.tips),
		Orphans:     len(t.orphans.byID),
		OrphanBytes: t.orphans.bytes,
	}
}
