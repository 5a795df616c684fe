package seat

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/consensus"
	"tangled/message"
)

// network is a committee whose seats write to each other, in one goroutine and in
// virtual time. It fails the test when a seat writes two witnesses for one round,
// when two seats disagree on an anchor, and when a seat starts where its old self
// was.
type network struct {
	tb        testing.TB
	rng       *rand.Rand
	committee *consensus.Committee
	now       time.Time
	queue     eventQueue
	nodes     []*node
	// delay is how long a message takes on its way; negative, it is lost.
	delay func(from, to int) time.Duration
	// lossy tells that what arrives now is lost.
	lossy bool

	wrote   map[seatRound]time.Time
	highest []uint64 // round written, by seat
	anchors []decision
}

type seatRound struct {
	seat  int
	round uint64
}

// decision is an anchor and when the first seat decided on it.
type decision struct {
	consensus.Anchor
	at time.Time
}

// node is one seat and its disk.
type node struct {
	*memory
	net  *network
	seat int
	busy bool

	down bool
	life int // counts its starts: what was set up before does not concern it any more
	arms int // counts its timers likewise

	pace   *Pacemaker // nil while it rejoins
	rejoin *Rejoin
	last   consensus.Witness // its newest, on disk

	doom  doom
	lies  bool // in its reports
	blind bool // to leaders: it votes for nobody
}

// doom is at which point of its next witness a node crashes.
type doom int

const (
	unharmed doom = iota
	beforeDurable
	beforeSent
	halfSent
	dooms
)

func newNetwork(tb testing.TB, seed uint64, weights ...uint64) *network {
	n := &network{
		tb:        tb,
		rng:       rand.New(rand.NewPCG(seed, 0)),
		committee: newCommittee(tb, weights...),
		now:       epoch,
		wrote:     make(map[seatRound]time.Time),
		highest:   make([]uint64, len(weights)),
	}
	n.delay = n.between(10*time.Millisecond, 80*time.Millisecond)
	for seat := range weights {
		n.nodes = append(n.nodes, &node{net: n, seat: seat, busy: true, down: true, memory: newMemory(n.committee, 0)})
	}
	return n
}

// between is a delay for newNetwork's field.
func (n *network) between(least, most time.Duration) func(from, to int) time.Duration {
	return func(int, int) time.Duration { return least + time.Duration(n.rng.Int64N(int64(most-least)+1)) }
}

// start starts all seats but the silent ones, for the first time.
func (n *network) start(silent ...int) {
	for _, node := range n.nodes {
		if !slices.Contains(silent, node.seat) {
			node.start()
		}
	}
}

// event is something that happens at a time.
type event struct {
	at    time.Time
	order int
	run   func()
}

type eventQueue struct {
	events []event
	count  int
}

func (q *eventQueue) Len() int { return len(q.events) }
func (q *eventQueue) Less(i, j int) bool {
	a, b := q.events[i], q.events[j]
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order)) < 0
}
func (q *eventQueue) Swap(i, j int) { q.events[i], q.events[j] = q.events[j], q.events[i] }
func (q *eventQueue) Push(e any)    { q.events = append(q.events, e.(event)) }
func (q *eventQueue) Pop() any {
	last := q.events[len(q.events)-1]
	q.events = q.events[:len(q.events)-1]
	return last
}

func (n *network) after(d time.Duration, run func()) {
	n.queue.count++
	heap.Push(&n.queue, event{n.now.Add(d), n.queue.count, run})
}

// run lets d pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for n.queue.Len() > 0 && !n.queue.events[0].at.After(end) {
		e := heap.Pop(&n.queue).(event)
		n.now = e.at
		e.run()
	}
	n.now = end
}

// carry brings what arrives to a node that is still up then.
func (n *network) carry(from, to int, arrive func(*node)) {
	d := n.delay(from, to)
	if d < 0 || from == to {
		return
	}
	n.after(d, func() {
		if node := n.nodes[to]; !node.down && !n.lossy {
			arrive(node)
		}
	})
}

func (n *network) broadcast(from int, arrive func(*node)) {
	for to := range n.nodes {
		n.carry(from, to, arrive)
	}
}

// decide compares the anchors that a node found with those of the others.
func (n *network) decide(anchors []consensus.Anchor) {
	for _, anchor := range anchors {
		if known := int(anchor.Index) - 1; known < len(n.anchors) {
			if n.anchors[known].Anchor != anchor {
				n.tb.Fatalf("anchors %v and %v", n.anchors[known].Anchor, anchor)
			}
			continue
		}
		n.anchors = append(n.anchors, decision{anchor, n.now})
	}
}

// crash stops a node. Its disk is what is left.
func (d *node) crash() {
	d.down, d.pace, d.rejoin, d.doom = true, nil, nil, unharmed
	d.life++
}

// start starts a node that knows what is on its disk.
func (d *node) start() {
	d.load()
	d.pace = NewPacemaker(Options{Committee: d.net.committee, Seat: d.seat, Last: d.last.Round})
	d.step()
}

// load reads the graph from disk. IDs sort by round here.
func (d *node) load() {
	d.down = false
	d.life++
	disk := d.store
	d.memory = newMemory(d.net.committee, 0)
	for _, id := range slices.SortedFunc(keys(disk), message.ID.Compare) {
		d.net.decide(d.see(disk[id]).Anchors)
	}
}

func keys(store map[message.ID]consensus.Witness) func(func(message.ID) bool) {
	return func(yield func(message.ID) bool) {
		for id := range store {
			if !yield(id) {
				return
			}
		}
	}
}

// restore starts a node with an empty disk. It asks the others.
func (d *node) restore() {
	d.last = consensus.Witness{}
	d.memory = newMemory(d.net.committee, 0)
	d.load()
	var nonce Nonce
	for i := range nonce {
		nonce[i] = byte(d.net.rng.Uint32())
	}
	d.rejoin = NewRejoin(d.net.committee, d.seat, nonce)
	d.request(d.life)
}

// request asks all others, and again every 5 s.
func (d *node) request(life int) {
	if d.life != life || d.rejoin == nil {
		return
	}
	b := d.rejoin.Request()
	d.net.broadcast(d.seat, func(reporter *node) {
		request, err := DecodeRequest(b)
		if err != nil {
			d.net.tb.Fatal(err)
		}
		reporter.report(d.seat, request)
	})
	d.net.after(5*time.Second, func() { d.request(life) })
}

func (d *node) report(asker int, request Request) {
	if d.pace == nil {
		return
	}
	report, ok := d.pace.Report(d.Graph, asker, request)
	if !ok {
		d.net.tb.Fatalf("no report of seat %d to seat %d", d.seat, asker)
	}
	if d.lies {
		report.Highest, report.HighestOfSeat = 0, 0
	}
	b := report.Append(nil)
	d.net.carry(d.seat, asker, func(asker *node) {
		report, err := DecodeReport(b)
		if err != nil {
			d.net.tb.Fatal(err)
		}
		if asker.rejoin != nil {
			asker.rejoin.Add(d.seat, report)
			asker.step()
		}
	})
}

// receive takes a witness, or fetches what it lacks of its past.
func (d *node) receive(w consensus.Witness, from *node) {
	missing := from.past(w, d.store)
	if len(missing) <= 1 {
		d.observe(missing)
		return
	}
	d.net.carry(d.seat, from.seat, func(from *node) {
		d.net.carry(from.seat, d.seat, func(d *node) { d.observe(from.past(w, d.store)) })
	})
}

// past is w and what is below it, but for what is known, the oldest first.
func (d *node) past(w consensus.Witness, known map[message.ID]consensus.Witness) (past []consensus.Witness) {
	seen := make(map[message.ID]bool)
	walk := []consensus.Witness{w}
	for len(walk) > 0 {
		w := walk[len(walk)-1]
		walk = walk[:len(walk)-1]
		if _, ok := known[w.ID]; ok || seen[w.ID] {
			continue
		}
		seen[w.ID] = true
		past = append(past, w)
		for _, ref := range w.Refs {
			if target, ok := d.store[ref.ID]; ok {
				walk = append(walk, target)
			}
		}
	}
	slices.SortFunc(past, func(a, b consensus.Witness) int { return a.ID.Compare(b.ID) })
	return past
}

func (d *node) observe(witnesses []consensus.Witness) {
	for _, w := range witnesses {
		for _, ref := range w.Refs {
			if _, ok := d.store[ref.ID]; !ok {
				return // from's disk was lost meanwhile
			}
		}
		d.net.decide(d.see(w).Anchors)
	}
	d.step()
}

// step does what a node does after each batch and at each deadline.
func (d *node) step() {
	if d.pace == nil && !d.begin() {
		return
	}
	if round, ok := d.pace.Next(d.Graph, d.net.now, d.busy); ok {
		d.write(round)
	}
	if d.down {
		return
	}
	if foreign := d.pace.Foreign(); foreign > 0 {
		d.net.tb.Fatalf("seat %d did not write its witness for round %d", d.seat, foreign)
	}
	if d.pace.Resend(d.net.now) {
		d.send(d.last)
	}
	d.arm()
}

// begin ends the rejoin.
func (d *node) begin() bool {
	start, ok := d.rejoin.Start(d.Graph)
	if !ok {
		return false
	}
	if start <= d.net.highest[d.seat] {
		d.net.tb.Fatalf("seat %d starts at %d, and wrote %d", d.seat, start, d.net.highest[d.seat])
	}
	d.rejoin = nil
	d.pace = NewPacemaker(Options{Committee: d.net.committee, Seat: d.seat, Start: start})
	return true
}

func (d *node) arm() {
	d.arms++
	arms, life := d.arms, d.life
	at := d.pace.Deadline(d.net.now)
	if !at.After(d.net.now) {
		d.net.tb.Fatalf("a deadline of %v at %v", at, d.net.now)
	}
	d.net.after(at.Sub(d.net.now), func() {
		if d.life == life && d.arms == arms {
			d.step()
		}
	})
}

func (d *node) write(round uint64) {
	if d.doom == beforeDurable {
		d.crash()
		return
	}
	key := seatRound{d.seat, round}
	if _, ok := d.net.wrote[key]; ok || round <= d.net.highest[d.seat] {
		d.net.tb.Fatalf("seat %d writes round %d after %d", d.seat, round, d.net.highest[d.seat])
	}
	w := newWitness(d.seat, round, d.refs(round))
	d.net.wrote[key], d.net.highest[d.seat] = d.net.now, round
	d.last, d.store[w.ID] = w, w
	d.pace.Wrote(round, d.net.now)
	if d.doom == beforeSent {
		d.crash()
		return
	}
	o := d.see(w)
	if !o.Counts {
		d.net.tb.Fatalf("the witness of seat %d for round %d does not count", d.seat, round)
	}
	d.net.decide(o.Anchors)
	d.send(w)
	if d.doom == halfSent {
		d.crash()
	}
}

// refs are those of its witness for a round.
func (d *node) refs(round uint64) []message.Ref {
	refs := d.Refs(round - 1)
	if d.blind && round%3 == 2 && len(refs) == len(d.net.nodes) {
		leader := d.net.committee.Leader((round - 1) / 3)
		refs = slices.DeleteFunc(refs, func(r message.Ref) bool { return int(r.Seat) == leader })
	}
	return refs
}

func (d *node) send(w consensus.Witness) {
	for to := range d.net.nodes {
		if d.doom == halfSent && d.net.rng.IntN(2) == 0 {
			continue
		}
		d.net.carry(d.seat, to, func(to *node) { to.receive(w, d) })
	}
}
