package consensus

import (
	"maps"

	"tangled/message"
)

// Options are what a Graph starts from. Committee is required.
type Options struct {
	Committee *Committee
	Epoch     uint32
	// NextWave is the lowest undecided wave and LastIndex the index of the last
	// anchor decided: zero at the genesis, after a restart what Graph's methods
	// of these names said when the last anchors were stored. The caller then
	// observes all stored witnesses of round 3*NextWave and later again, in the
	// order of their IDs.
	NextWave, LastIndex uint64
	// Lookup finds a witness that was offered to Observe at any time, be it
	// decided long ago or one that does not count, and judges by its bytes
	// alone: a message that is no witness, or whose issuer does not hold the
	// seat, is not found. It must know all of rounds 3*NextWave-1 and later. It
	// is asked about targets that are not held here, which is every time that a
	// witness of a certificate round comes after the commit of its wave. Nil
	// finds nothing.
	Lookup func(message.ID) (Witness, bool)
}

// Graph is the undecided part of the witness graph. It holds the witnesses that
// count of rounds 3*NextWave and later: the first of these rounds is decided,
// and is what the first undecided leader refs.
type Graph struct {
	committee *Committee
	epoch     uint32
	lookup    func(message.ID) (Witness, bool)

	nextWave, lastIndex uint64

	rounds      map[uint64]*round
	quorumRound uint64
	highest     []uint64 // by seat
}

// round is the witnesses of one round that count. Each is in byID and bySeat.
type round struct {
	byID   map[message.ID]*vertex
	bySeat [][]*vertex // in the order of their arrival
	seats  Seats       // those that have one
}

// Equivocation is two witnesses of one seat for one round, both of which count.
// Together they prove that the seat lies.
type Equivocation struct {
	Seat          int
	Round         uint64
	First, Second message.ID // in the order of their arrival here
}

// Observation is what one witness changed. The caller owns its slice.
type Observation struct {
	// Counts tells whether the witness counts. It is false for a witness of a
	// round before 3*NextWave, which nobody asks about any more.
	Counts bool
	// Anchors has the anchors that it decided, in ascending order.
	Anchors []Anchor
	// Equivocation is set if this is the second of its seat and round; a third
	// is kept and not reported.
	Equivocation *Equivocation
}

// New returns a Graph that holds no witness.
func New(opts Options) *Graph {
	return &Graph{
		committee: opts.Committee,
		epoch:     opts.Epoch,
		lookup:    opts.Lookup,
		nextWave:  opts.NextWave,
		lastIndex: opts.LastIndex,
		rounds:    make(map[uint64]*round),
		highest:   make([]uint64, opts.Committee.Size()),
	}
}

// Observe takes a witness that is solid and durable here; the caller has checked
// that its issuer holds the seat. Any order will do in which every witness comes
// after those it refs. A witness known already, or of a round before
// 3*NextWave, changes nothing. The Graph keeps w.Refs; nobody may change them.
//
// All targets of w must have been offered before or be known to Lookup, however
// old they are. Where an old missing parent passes for a root, the target of a
// ref must not: nodes that have it and nodes that do not would disagree on
// whether w counts, and then on anchors.
func (g *Graph) Observe(w Witness) Observation {
	if w.Round < 3*g.nextWave {
		return Observation{}
	}
	if g.find(w.ID, w.Round) != nil {
		return Observation{Counts: true}
	}
	if !g.counts(&w) {
		return Observation{}
	}
	v := &vertex{Witness: w}
	o := Observation{Counts: true, Equivocation: g.add(v)}
	if leader := g.judge(v); leader != nil {
		o.Anchors = g.commit(leader)
	}
	return o
}

// add keeps v, which counts.
func (g *Graph) add(v *vertex) *Equivocation {
	r := g.rounds[v.Round]
	if r == nil {
		r = &round{byID: make(map[message.ID]*vertex), bySeat: make([][]*vertex, g.committee.Size())}
		g.rounds[v.Round] = r
	}
	r.byID[v.ID] = v
	r.bySeat[v.Seat] = append(r.bySeat[v.Seat], v)
	r.seats = r.seats.with(v.Seat)
	g.highest[v.Seat] = max(g.highest[v.Seat], v.Round)
	if v.Round > g.quorumRound && g.committee.Quorum(r.seats) {
		g.quorumRound = v.Round
	}
	if copies := r.bySeat[v.Seat]; len(copies) == 2 {
		return &Equivocation{Seat: v.Seat, Round: v.Round, First: copies[0].ID, Second: v.ID}
	}
	return nil
}

// commit decides all waves up to that of a directly committed leader witness,
// and forgets them.
func (g *Graph) commit(direct *vertex) []Anchor {
	var anchors []Anchor
	for _, v := range g.walkBack(direct) {
		anchors = append(anchors, g.anchor(v))
	}
	g.nextWave = waveOf(direct.Round) + 1
	maps.DeleteFunc(g.rounds, func(number uint64, _ *round) bool { return number < 3*g.nextWave })
	return anchors
}

// find returns a witness that counts, or nil.
func (g *Graph) find(id message.ID, number uint64) *vertex {
	if r := g.rounds[number]; r != nil {
		return r.byID[id]
	}
	return nil
}

// copies are a seat's witnesses for a round that count, the first seen first.
func (g *Graph) copies(seat int, number uint64) []*vertex {
	if r := g.rounds[number]; r != nil && seat >= 0 && seat < len(r.bySeat) {
		return r.bySeat[seat]
	}
	return nil
}
