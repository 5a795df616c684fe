package consensus

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tangled/message"
)

// network is a committee under attack. A seat that lies is played by twins (Bano
// et al.: "Twins: BFT Systems Made Robust", arXiv:2004.10617): two instances
// with its key, each of which follows the protocol and knows nothing of the
// other. Between partitions that change, they equivocate in every way that looks
// honest to somebody. What does not look honest is made by mischief.
type network struct {
	tb        testing.TB
	rng       *rand.Rand
	committee *Committee
	weights   []uint64
	liars     Seats
	instances []*instance
	published []Witness
	byID      store
	now       uint64
	malice    int // how much mischief there is, beside the twins
	walked    int // anchors that were decided by a walk back, at all instances
}

// instance is one process with a seat's key.
type instance struct {
	seat   int
	honest bool
	group  int // who is in another one does not hear of it
	graph  *Graph
	disk   store
	inbox  []letter
	round  uint64 // of its last witness
	// anchors has all since the genesis, restarts where it could start again.
	anchors  []Anchor
	restarts []restart
}

type letter struct {
	from *instance // nil where no partition stops it
	w    Witness
}

type restart struct{ nextWave, lastIndex uint64 }

// newNetwork makes a committee in which the liars weigh less than a third, or
// as few as weigh more than that.
func newNetwork(tb testing.TB, seed uint64, weights []uint64, tooMany bool) *network {
	n := &network{
		tb:        tb,
		rng:       rand.New(rand.NewPCG(seed, 6)),
		committee: newCommittee(tb, weights...),
		weights:   weights,
		byID:      make(store),
		now:       1000,
	}
	n.malice = n.rng.IntN(4)
	for _, seat := range n.rng.Perm(len(weights)) {
		liars := n.liars.with(seat)
		switch {
		case 3*n.committee.Weight(liars) < n.committee.Total(), tooMany && !n.committee.MoreThanThird(n.liars):
			n.liars = liars
		}
	}
	for seat := range weights {
		n.start(seat)
		if n.liars.has(seat) {
			n.start(seat)
		}
	}
	return n
}

func (n *network) start(seat int) {
	i := &instance{seat: seat, honest: !n.liars.has(seat), disk: make(store), restarts: []restart{{}}}
	i.graph = n.open(i.disk, restart{})
	n.instances = append(n.instances, i)
}

func (n *network) open(disk store, at restart) *Graph {
	return New(Options{Committee: n.committee, NextWave: at.nextWave, LastIndex: at.lastIndex, Lookup: disk.lookup})
}

// run is a number of random steps, with other partitions every so many; at their
// end everybody has everything.
func (n *network) run(steps, partition int) {
	for step := range steps {
		if step%partition == 0 {
			n.divide()
		}
		i := n.instances[n.rng.IntN(len(n.instances))]
		switch n.rng.IntN(12) {
		case 0, 1, 2:
			n.write(i)
		case 3:
			if n.rng.IntN(8) < n.malice {
				n.mischief()
			} else if n.rng.IntN(8) == 0 {
				n.reopen(i)
			}
		default:
			for range 1 + n.rng.IntN(4) {
				n.receive(i)
			}
		}
	}
	for _, i := range n.instances {
		for _, at := range n.rng.Perm(len(n.published)) {
			n.take(i, n.published[at])
		}
	}
}

// divide draws two groups; now and then there is one.
func (n *network) divide() {
	if n.committee.MoreThanThird(n.liars) {
		n.split()
		return
	}
	groups := 1 + min(1, n.rng.IntN(3))
	for _, i := range n.instances {
		i.group = n.rng.IntN(groups)
	}
}

// split has each of the twins on a side of its own, and the honest seats on
// sides of about the same weight.
func (n *network) split() {
	n.malice = 0 // it refs both sides
	var weights [2]uint64
	twins := make(map[int]int)
	for _, i := range n.instances {
		if !i.honest {
			i.group = twins[i.seat]
			twins[i.seat]++
			continue
		}
		i.group = 0
		if weights[1] < weights[0] {
			i.group = 1
		}
		weights[i.group] += n.weights[i.seat]
	}
}

// receive takes a random letter of the inbox, if one gets through.
func (n *network) receive(i *instance) {
	for _, at := range n.rng.Perm(len(i.inbox)) {
		if l := i.inbox[at]; l.from == nil || l.from.group == i.group {
			i.inbox = slices.Delete(i.inbox, at, at+1)
			n.take(i, l.w)
			return
		}
	}
}

// take makes w solid at i: first what it refs, then itself.
func (n *network) take(i *instance, w Witness) {
	if _, ok := i.disk[w.ID]; ok {
		return
	}
	for _, ref := range w.Refs {
		if target, ok := n.byID[ref.ID]; ok {
			n.take(i, target)
		}
	}
	i.disk[w.ID] = w
	anchors := i.graph.Observe(w).Anchors
	if len(anchors) > 0 {
		n.walked += len(anchors) - 1
		i.anchors = append(i.anchors, anchors...)
		i.restarts = append(i.restarts, restart{i.graph.NextWave(), i.graph.LastIndex()})
	}
}

// write is what a seat does by the protocol, where it is not too hasty: enter
// the round after that of the last quorum.
func (n *network) write(i *instance) {
	from := i.graph.QuorumRound()
	if from < i.round || from == 0 && i.round > 0 {
		return
	}
	wave := waveOf(max(from, 1))
	waits := kindOf(from) == leaderRound && !i.graph.LeaderKnown(wave) || kindOf(from) == voteRound && !i.graph.VotesKnown(wave)
	if from > 0 && waits && n.rng.IntN(4) > 0 {
		return
	}
	i.round = from + 1
	w := n.publish(i.seat, i.round, i.graph.Refs(from))
	for _, other := range n.instances {
		if i.honest || n.rng.IntN(3) > 0 {
			other.inbox = append(other.inbox, letter{i, w})
		}
	}
	n.take(i, w)
}

// publish makes a witness that is younger than its refs.
func (n *network) publish(seat int, number uint64, refs []message.Ref) Witness {
	n.now++
	timestamp := n.now - uint64(n.rng.IntN(50))
	for _, ref := range refs {
		timestamp = max(timestamp, ref.ID.Timestamp()+1)
	}
	w := Witness{
		ID:    newID(timestamp, fmt.Sprint(len(n.published))),
		Seat:  seat,
		Round: number,
		Refs:  refs,
	}
	n.published = append(n.published, w)
	n.byID[w.ID] = w
	return w
}

// mischief has a liar write whatever it likes, for whomever it likes.
func (n *network) mischief() {
	if n.liars == 0 {
		return
	}
	seat := n.rng.IntN(len(n.weights))
	for !n.liars.has(seat) {
		seat = n.rng.IntN(len(n.weights))
	}
	var highest uint64
	for _, i := range n.instances {
		highest = max(highest, i.graph.QuorumRound())
	}
	number := highest + 1 - min(highest, uint64(n.rng.IntN(4)))
	var refs []message.Ref
	for at := range n.weights {
		if target, ok := n.pick(at, number-1); ok && n.rng.IntN(8) > 0 {
			refs = append(refs, message.Ref{Seat: uint8(at), ID: target.ID})
		}
	}
	w := n.publish(seat, number, n.distort(refs))
	for _, i := range n.instances {
		if n.rng.IntN(3) == 0 {
			i.inbox = append(i.inbox, letter{nil, w})
		}
	}
}

// pick is any witness of a seat for a round, be it one that does not count.
func (n *network) pick(seat int, number uint64) (Witness, bool) {
	var found []Witness
	for _, w := range n.published {
		if w.Seat == seat && w.Round == number {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		return Witness{}, false
	}
	return found[n.rng.IntN(len(found))], true
}

// distort makes one in three lists of refs wrong.
func (n *network) distort(refs []message.Ref) []message.Ref {
	if len(refs) == 0 || len(n.published) == 0 {
		return refs
	}
	at := n.rng.IntN(len(refs))
	switch n.rng.IntN(12) {
	case 0:
		refs[at].ID = n.published[n.rng.IntN(len(n.published))].ID
	case 1:
		refs[at].Seat = uint8(n.rng.IntN(len(n.weights) + 1))
	case 2:
		refs = append(refs, refs[at])
	case 3:
		refs = refs[:at]
	}
	return refs
}

// reopen restarts an instance at a point that it had reached, as after a crash
// that lost what it had made of its store since. It must decide the same again.
func (n *network) reopen(i *instance) {
	at := i.restarts[n.rng.IntN(len(i.restarts))]
	if n.rng.IntN(2) == 0 {
		at = i.restarts[len(i.restarts)-1]
	}
	i.graph = n.open(i.disk, at)
	again := slices.Clone(i.anchors[:at.lastIndex])
	for _, id := range i.disk.ids() {
		again = append(again, i.graph.Observe(i.disk[id]).Anchors...)
	}
	if n.committee.MoreThanThird(n.liars) {
		i.anchors = again // all bets are off
		return
	}
	if !slices.Equal(again, i.anchors) {
		n.tb.Fatalf("seat %d restarts at %+v with the anchors %v, it had %v", i.seat, at, again, i.anchors)
	}
}

func (s store) ids() []message.ID {
	ids := make([]message.ID, 0, len(s))
	for id := range s {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, message.ID.Compare)
	return ids
}

// fork names two honest instances whose anchors are not prefixes of each other.
func (n *network) fork() (a, b *instance) {
	for at, a := range n.instances {
		for _, b := range n.instances[:at] {
			shared := min(len(a.anchors), len(b.anchors))
			if a.honest && b.honest && !slices.Equal(a.anchors[:shared], b.anchors[:shared]) {
				return a, b
			}
		}
	}
	return nil, nil
}
