package node

import (
	"runtime"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/message"
	"tangled/storage"
	"tangled/tangle"
)

const (
	// groupSize is how many messages one synced batch takes at most: enough
	// that the fsync is cheap a message, few enough that the first does not
	// wait long for the last.
	groupSize = 512
	// maxVertices is how many messages of the DAG are in memory.
	maxVertices = 1 << 18
	// openVertices is how many of them are read at Open: enough for what is not
	// final and what new messages stand on, few enough to be back in a moment. The
	// store is asked about older ones.
	openVertices = 1 << 16
	// intakeQueue is how many batches wait for the loop; then callers wait.
	intakeQueue = 1024
	// tickEvery paces the release of held messages, houseEvery expiry, the look at
	// the disk's free room and the gauges.
	tickEvery  = 100 * time.Millisecond
	houseEvery = time.Second
	// sweepEvery paces what looks through all that is open.
	sweepEvery = 10 * time.Second
	// paceEvery is how often a seat looks whether a witness is due, where no
	// message makes it look.
	paceEvery = 20 * time.Millisecond
	// confidenceAge is how old a measure of confidence may be.
	confidenceAge = time.Second
)

// loop is the state that one goroutine owns.
type loop struct {
	n      *Node
	tangle *tangle.Tangle
	hold   hold

	finality *finality
	tally    *tally                  // nil without seats
	writer   *writer                 // nil for a node without a seat
	open     map[message.ID]struct{} // solid, not final, not stale, and no witness; at most maxVertices
	waiters  waiters
	chores   []chore
	stale    reissuing

	catching bool // the store goes ahead of what is here: nothing is attached

	snapshots []snapshotWanted

	told map[peer.ID]int // how many of the older tips each peer was told in this turn

	confidence   *tangle.Confidence
	confidenceAt time.Time
	exact        bool
	approval     *tangle.Approval
	approvalAt   time.Time
	houseAt      time.Time
	sweptAt      time.Time
	heldTold     time.Time
}

// run is the one goroutine that changes the graph, until Close or a failed
// commit.
func (l *loop) run() {
	n := l.n
	defer func() {
		close(n.done)
		n.tail.close(n.closedErr())
	}()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	pace := time.NewTicker(paceEvery)
	defer pace.Stop()
	for {
		var err error
		select {
		case b := <-n.intake:
			err = l.process(l.collect(b))
		case f := <-n.asks:
			f(l)
		case <-tick.C:
			err = l.tick(n.opts.Now())
		case <-pace.C:
		case <-n.ctx.Done():
			return
		}
		if err != nil {
			// The tangle now holds what the store does not: go no further.
			n.failure = err
			n.opts.Logger.Error("the store failed: the node stops", "error", err)
			n.cancel()
			return
		}
		l.keepPace(n.opts.Now())
		l.sendChores()
	}
}

// collect takes what else is waiting, up to a group. Before it looks, whoever is
// ready to run has a turn: on a busy machine many readings are nearly made, and
// would else wait for an fsync of their own, for which their cores would stand
// still; on one with time to spare it returns at once.
func (l *loop) collect(first *batch) []*batch {
	runtime.Gosched()
	group, size := []*batch{first}, len(first.messages)
	for size < groupSize {
		select {
		case b := <-l.n.intake:
			group = append(group, b)
			size += len(b.messages)
		default:
			return group
		}
	}
	return group
}

// process takes a group of batches through attach, commit, tips and announce,
// and answers them.
func (l *loop) process(group []*batch) error {
	now := l.n.opts.Now()
	if l.catching {
		for _, b := range group {
			l.putOff(b)
		}
		return nil
	}
	var solid []tangle.Solid
	var stale []storage.Record
	for _, b := range group {
		for i, m := range b.messages {
			if m == nil {
				continue // refused at the door
			}
			var fresh []tangle.Solid
			b.receipts[i].State, fresh = l.attach(m, b, now)
			solid = append(solid, fresh...)
			if b.receipts[i].State == Stale && l.n.opts.Role == Permanode && !l.n.store.Has(m.ID()) {
				stale = append(stale, storage.Record{Message: m, Seen: uint64(now.UnixNano())})
			}
		}
	}
	durable, err := l.commit(solid, now)
	if err != nil {
		return err
	}
	if err := l.keepStale(stale); err != nil {
		return err
	}
	// Whoever waits for durable does not wait for the anchors it may decide.
	for _, b := range group {
		l.answer(b)
	}
	return l.settle(solid, durable)
}

// keepStale stores valid messages that came too late for the DAG: a permanode
// keeps what it was given, outside of it, and shows it as stale.
func (l *loop) keepStale(records []storage.Record) error {
	if len(records) == 0 {
		return nil
	}
	byID := func(a, b storage.Record) int { return a.Message.ID().Compare(b.Message.ID()) }
	slices.SortFunc(records, byID)
	records = slices.CompactFunc(records, func(a, b storage.Record) bool { return byID(a, b) == 0 })
	l.n.metrics.staleKept.Add(float64(len(records)))
	return l.n.store.Commit(records)
}

// putOff answers a batch of which nothing is taken now.
func (l *loop) putOff(b *batch) {
	for i, m := range b.messages {
		if m != nil {
			b.receipts[i].State = Behind
		}
	}
	l.answer(b)
}

// attach decides on one valid message.
func (l *loop) attach(m *message.Message, b *batch, now time.Time) (State, []tangle.Solid) {
	if fromPeer(b.sender) && !b.fetched {
		l.hearClock(m, now)
	}
	switch ahead := m.ID().Time().Sub(now); {
	case ahead > maxAhead:
		return Ahead, nil
	case ahead > holdAhead:
		if !l.hold.add(m, b.sender) {
			return Ahead, nil
		}
		return Held, nil
	}
	switch {
	case l.tangle.IsOrphan(m.ID()):
		return Orphan, nil // it still waits, in memory only
	case !b.fetched && m.Timestamp < l.tangle.Horizon() && !l.tangle.Has(m.ID()):
		return Stale, nil
	case !b.fetched && l.standsOnStale(m):
		return Stale, nil
	}
	if !b.fetched && l.surplus(m) {
		return Surplus, nil
	}
	d, err := l.tangle.Attach(m, b.sender, now)
	if err != nil {
		return Duplicate, nil
	}
	if !b.fetched {
		l.n.tips.arrived(m.ID(), now)
	}
	l.n.metrics.evicted.Add(float64(len(d.Evicted)))
	if len(d.Solid) == 0 {
		return Orphan, nil
	}
	return Durable, d.Solid
}

// standsOnStale tells whether m is a witness with a ref that is older than every
// node has to keep: retention is at least twice the window.
func (l *loop) standsOnStale(m *message.Message) bool {
	if m.Kind != message.KindWitness {
		return false
	}
	least := l.tangle.Horizon() - min(l.tangle.Horizon(), uint64(l.n.opts.Genesis.Window))
	w, err := m.Witness()
	return err == nil && slices.ContainsFunc(w.Refs, func(r message.Ref) bool { return r.ID.Timestamp() < least })
}

// surplus tells whether m is one more witness of a seat that wrote two for its
// round already. Two prove that; further ones are taken only where something
// refers to them.
func (l *loop) surplus(m *message.Message) bool {
	if m.Kind != message.KindWitness || l.finality.graph == nil || l.tangle.Has(m.ID()) {
		return false
	}
	w, err := m.Witness()
	return err == nil && l.finality.graph.Copies(int(w.Seat), w.Round) >= 2
}

// commit makes what became solid durable and then, and only then, known. It
// returns when that was.
func (l *loop) commit(solid []tangle.Solid, now time.Time) (durable time.Time, err error) {
	if len(solid) == 0 {
		return now, nil
	}
	records := make([]storage.Record, len(solid))
	for i, s := range solid {
		records[i] = storage.Record{
			Message: s.Message, Seen: uint64(now.UnixNano()),
			Own:     s.Message.Issuer == l.n.issuer && s.Message.Kind != message.KindWitness,
			Witness: ownWitness(s),
		}
	}
	if err := l.n.store.Commit(records); err != nil {
		return now, err
	}
	durable = l.n.opts.Now()
	l.offer(solid, now)
	for _, s := range solid {
		l.n.recent.add(s.Message.ID())
		// A peer's frame of orphans was not forwarded: what is in it goes on now.
		if !fromPeer(s.Sender) || s.Waited {
			l.n.announce(s.Message.Bytes())
			if s.Message.Kind == message.KindWitness {
				l.n.flush()
			}
		}
	}
	l.n.tail.publish(records, durable)
	l.n.metrics.attached.Add(float64(len(solid)))
	l.n.metrics.commitSeconds.Observe(durable.Sub(now).Seconds())
	l.refreshSpares()
	return durable, nil
}

// settle takes what is durable into what becomes final.
func (l *loop) settle(solid []tangle.Solid, durable time.Time) error {
	for _, s := range solid {
		if err := l.observe(s, durable); err != nil {
			return err
		}
	}
	return nil
}

// offer brings the tip pool up to date with what became solid.
func (l *loop) offer(solid []tangle.Solid, now time.Time) {
	for _, s := range solid {
		l.n.tips.replace(s, now, s.Message.Issuer == l.n.issuer)
	}
}

func (l *loop) answer(b *batch) {
	for i := range b.receipts {
		if b.messages[i] != nil {
			l.n.metrics.outcomes.WithLabelValues(b.receipts[i].State.String()).Inc()
		}
	}
	close(b.done)
}

// refreshSpares tells the tip pool what to approve when it has too few tips.
func (l *loop) refreshSpares() {
	l.n.tips.setSpares(l.tangle.Newest(), l.tangle.NewestApproved())
}

// tick does what is due by time.
func (l *loop) tick(now time.Time) error {
	l.checkPace(now)
	if l.catching {
		l.n.checkDisk()
		return nil
	}
	var solid []tangle.Solid
	for _, h := range l.hold.due(now) {
		_, fresh := l.attach(h.m, &batch{sender: h.sender}, now)
		solid = append(solid, fresh...)
	}
	if now.Sub(l.houseAt) >= houseEvery {
		l.houseAt = now
		solid = append(solid, l.keepHouse(now)...)
	}
	durable, err := l.commit(solid, now)
	if err != nil {
		return err
	}
	return l.settle(solid, durable)
}

// keepHouse does what has time: it looks through all that waits. It returns what
// became solid by it.
func (l *loop) keepHouse(now time.Time) []tangle.Solid {
	d := l.tangle.Expire(now)
	l.n.metrics.evicted.Add(float64(len(d.Evicted)))
	l.n.tips.expire(now)
	l.n.checkDisk()
	l.findStale()
	if now.Sub(l.sweptAt) >= sweepEvery {
		l.sweptAt = now
		l.dropStale()
	}
	l.n.metrics.observe(l.tangle.Stats(), l.n.tips.stats(now))
	return d.Solid
}

// tellTips returns at most exchangeTips tips to tell a peer: the newest, and of
// the others those whose turn it is with this peer, so that it is told each in
// time however many there are.
func (l *loop) tellTips(to peer.ID) []message.ID {
	tips := l.tangle.Tips(tellableTips)
	if len(tips) <= exchangeTips {
		return tips
	}
	const half = exchangeTips / 2
	rest := tips[half:]
	if l.told == nil || len(l.told) > maxStandings {
		l.told = make(map[peer.ID]int)
	}
	from := l.told[to] % len(rest)
	l.told[to] = from + half
	return append(tips[:half:half], rest[from:min(from+half, len(rest))]...)
}

// measure is the confidence of everything in memory, at most a second old.
func (l *loop) measure(now time.Time) (c *tangle.Confidence, exact bool) {
	if l.confidence == nil || now.Sub(l.confidenceAt) >= confidenceAge {
		ids, total := l.n.tips.eligible(now, tangle.MaxConfidenceTips)
		l.confidence, l.confidenceAt = l.tangle.Confidence(ids), now
		l.exact = total <= len(ids)
	}
	return l.confidence, l.exact
}
