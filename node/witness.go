package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"tangled/consensus"
	"tangled/message"
	"tangled/seat"
	"tangled/storage"
	"tangled/tangle"
)

const (
	// leastWitnessParents is how many tips a witness approves at least, where
	// there are that many.
	leastWitnessParents = 8
	// askReportsEvery is how often a seat that came back without its memory asks
	// the others again.
	askReportsEvery = 5 * time.Second

	// reservedTopics begin with this: seats speak to each other under them, and
	// no client may.
	reservedTopics = "$tangled/"
)

// writer writes this node's witnesses, where it holds a seat.
type writer struct {
	number  int // of the seat
	pace    *seat.Pacemaker
	clock   *seat.Clock
	rejoin  *seat.Rejoin // nil once the seat may write
	askedAt time.Time

	last    *message.Message // our newest witness, durable
	writing bool             // one is on its way
	solid   int              // messages that became solid since our last witness
	alarmed bool             // the clock is not to be trusted
	twin    bool             // somebody else writes with this seat's key
}

// takeSeat lets a node that holds a seat begin to write.
func (l *loop) takeSeat() (err error) {
	l.writer, err = l.n.newWriter(l.finality, l.n.opts.Now())
	return err
}

// newWriter goes on where the store says that this seat stopped. It is nil for a
// node without a seat.
func (n *Node) newWriter(f *finality, now time.Time) (*writer, error) {
	if f.committee == nil {
		return nil, nil
	}
	number, ok := f.committee.SeatOf(n.issuer)
	if !ok {
		return nil, nil
	}
	w := &writer{number: number, clock: seat.NewClock(f.committee, number, now)}
	_, round, id, ok := n.store.OwnWitness()
	switch {
	case ok:
		r, err := n.store.Get(id)
		if err != nil {
			return nil, fmt.Errorf("own witness of round %d: %w", round, err)
		}
		w.last = r.Message
		w.pace = seat.NewPacemaker(seat.Options{Committee: f.committee, Seat: number, Last: round})
	case n.opts.FirstStart:
		// What this seat wrote before, if anything, is what peers brought by now.
		w.pace = seat.NewPacemaker(seat.Options{Committee: f.committee, Seat: number, Start: f.graph.Highest(number) + 1})
	default:
		w.forget(f.committee)
		n.opts.Logger.Warn("this seat has no memory of its witnesses: it stays silent until a quorum of the other seats has told what they have seen of it", "seat", number)
		if !w.rejoin.Possible() {
			n.opts.Logger.Error("the other seats are no quorum: this seat stays silent until the operator gives his word, with first-start, that it has all it ever wrote", "seat", number)
		}
	}
	return w, nil
}

// forget silences the seat until the others have told what they have seen of it.
func (w *writer) forget(c *consensus.Committee) {
	var nonce seat.Nonce
	_, _ = rand.Read(nonce[:]) // never fails, by its documentation
	w.pace, w.rejoin = nil, seat.NewRejoin(c, w.number, nonce)
}

// keepPace writes or sends again a witness when it is time to.
func (l *loop) keepPace(now time.Time) {
	w := l.writer
	if w == nil || l.catching || l.n.leaving.Load() || w.writing || w.twin || l.n.alarm.Load() != nil || l.n.diskLow.Load() {
		return
	}
	if w.rejoin != nil {
		l.rejoin(now)
		return
	}
	if round := w.pace.Foreign(); round > 0 {
		l.n.opts.Logger.Error("there is a witness of this seat that is not remembered here: it stays silent until a quorum of the other seats has told what they have seen of it", "seat", w.number, "round", round)
		w.forget(l.finality.committee)
		return
	}
	if !l.clockRight(now) {
		return
	}
	if w.last != nil && w.pace.Resend(now) {
		l.n.announce(w.last.Bytes())
		l.n.flush()
	}
	round, ok := w.pace.Next(l.finality.graph, now, len(l.open) > 0)
	if !ok {
		return
	}
	refs, ok := l.refs(round, now)
	if !ok {
		return
	}
	payload := message.Witness{
		Seat: uint8(w.number), Round: round, Refs: refs,
		Commit: message.Commit{Index: l.finality.index, Hash: l.finality.last},
	}
	if w.last != nil {
		payload.Previous = w.last.ID()
	}
	w.writing = true
	l.chores = append(l.chores, chore{
		witness: &payload,
		parents: l.witnessParents(now),
	})
}

// witnessParents is how many tips a witness approves: this seat's share of what came
// since its last one, or of the pool where that is more. What a burst left behind
// must be approved before it is too old to be, also when nobody issues any more.
func (l *loop) witnessParents(now time.Time) int {
	pool := l.n.tips.stats(now)
	tips := max(l.writer.solid, pool.Fresh+pool.SemiLazy+pool.Lazy)
	return min(message.MaxWitnessParents, max(leastWitnessParents, tips/l.finality.committee.Size()))
}

// clockRight tells whether the clock can be trusted, and logs when that changes.
func (l *loop) clockRight(now time.Time) bool {
	w := l.writer
	err := w.clock.Check(now)
	if was := w.alarmed; was != (err != nil) {
		w.alarmed = err != nil
		if err != nil {
			l.n.opts.Logger.Error("this seat writes no witnesses", "error", err)
		} else {
			l.n.opts.Logger.Info("the clock is right again: this seat writes witnesses")
		}
	}
	return err == nil
}

// refs are what a witness for a round refs now: what the pacemaker counted. It is
// false after the clock was set back, until it has come near again: to our last
// witness, whose successor would be held here, and to a quorum of refs.
func (l *loop) refs(round uint64, now time.Time) (refs []message.Ref, ok bool) {
	limit := uint64(now.Add(seat.Ahead).UnixNano())
	if last := l.writer.last; last != nil && last.Timestamp > limit {
		return nil, false
	}
	refs = slices.DeleteFunc(l.finality.graph.Refs(round-1), func(r message.Ref) bool { return r.ID.Timestamp() > limit })
	var seats consensus.Seats
	for _, r := range refs {
		seats |= 1 << r.Seat
	}
	return refs, round == 1 || l.finality.committee.Quorum(seats)
}

// draftWitness makes a witness of its payload: it signs the commitment and
// approves tips.
func (n *Node) draftWitness(w message.Witness, parents int) message.Draft {
	w.Commit.Signature = n.sign(message.CommitSigningBytes(n.rules.Network, w.Epoch, w.Commit.Index, w.Commit.Hash))
	after := w.Previous.Timestamp()
	stand := make([]message.ID, 0, len(w.Refs)+1)
	for _, ref := range w.Refs {
		after = max(after, ref.ID.Timestamp())
		stand = append(stand, ref.ID)
	}
	now := n.opts.Now()
	draft := message.Draft{Network: n.rules.Network, Kind: message.KindWitness, Payload: w.Append(nil)}
	draft.Parents = n.tips.pickMany(now, parents, append(stand, w.Previous))
	draft.Timestamp = n.stamp(now, max(after, draft.Parents[len(draft.Parents)-1].Timestamp()))
	return draft
}

func (n *Node) sign(b []byte) [ed25519.SignatureSize]byte {
	return [ed25519.SignatureSize]byte(voi.Sign(voi.PrivateKey(n.opts.Key), b))
}

// wrote takes note of our own witness once it is durable.
func (l *loop) wrote(m *message.Message, w message.Witness, now time.Time) {
	l.writer.last, l.writer.writing, l.writer.solid = m, false, 0
	l.writer.pace.Wrote(w.Round, now)
}

// heard looks at a witness that was not made here. One of our own seat may be of
// an earlier self, which the pacemaker notices; but not if it is younger than
// this process: then the key is in use elsewhere, and two that rejoin in turn
// would write two witnesses for one round.
func (l *loop) heard(m *message.Message, w message.Witness) {
	s := l.writer
	if s == nil || int(w.Seat) != s.number || s.twin || m.ID().Time().Sub(l.n.started) < holdAhead {
		return
	}
	s.twin = true
	l.n.opts.Logger.Error("another process writes witnesses with this seat's key: stop one of the two, and start this one again", "seat", s.number, "round", w.Round)
}

// hearClock compares our clock with that of a seat whose witness just came in.
func (l *loop) hearClock(m *message.Message, now time.Time) {
	if l.writer == nil || m.Kind != message.KindWitness {
		return
	}
	if from, ok := l.finality.committee.SeatOf(m.Issuer); ok && from != l.writer.number {
		l.writer.clock.Observe(from, m.Timestamp, now)
	}
}

// rejoin asks the other seats what they have seen of this one, every now and
// then, until enough have told.
func (l *loop) rejoin(now time.Time) {
	w := l.writer
	if start, ok := w.rejoin.Start(l.finality.graph); ok {
		w.rejoin, w.last = nil, nil
		w.pace = seat.NewPacemaker(seat.Options{Committee: l.finality.committee, Seat: w.number, Start: start})
		l.n.opts.Logger.Info("this seat writes again", "seat", w.number, "from_round", start)
		return
	}
	if now.Sub(w.askedAt) < askReportsEvery {
		return
	}
	w.askedAt = now
	l.chores = append(l.chores, chore{data: &message.Data{Topic: seat.RequestTopic, Content: w.rejoin.Request()}})
}

// hearSeat takes in what a seat says to the others under a reserved topic.
func (l *loop) hearSeat(m *message.Message) {
	// The topic begins behind flags and length: most messages are none of ours.
	if l.writer == nil || len(m.Payload) < 3 || !bytes.HasPrefix(m.Payload[3:], []byte(reservedTopics)) {
		return
	}
	from, ok := l.finality.committee.SeatOf(m.Issuer)
	d, err := m.Data()
	if !ok || err != nil || from == l.writer.number {
		return
	}
	switch d.Topic {
	case seat.RequestTopic:
		request, err := seat.DecodeRequest(d.Content)
		if err != nil || l.writer.pace == nil {
			return
		}
		if report, ok := l.writer.pace.Report(l.finality.graph, from, request); ok {
			l.chores = append(l.chores, chore{data: &message.Data{Topic: seat.ReportTopic, Content: report.Append(nil)}})
		}
	case seat.ReportTopic:
		report, err := seat.DecodeReport(d.Content)
		if err == nil && l.writer.rejoin != nil {
			l.writer.rejoin.Add(from, report)
		}
	}
}

// pickMany picks at most n messages for a witness to approve, ascending; not
// those that it stands on anyhow, unless there is nothing else.
func (p *tipPool) pickMany(now time.Time, n int, except []message.ID) []message.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(now)
	picked := slices.DeleteFunc(p.selector.PickN(now, n), func(id message.ID) bool {
		return id.Timestamp() > approveUntil(now) || slices.Contains(except, id)
	})
	for _, id := range append(p.spares[:len(p.spares):len(p.spares)], p.genesis) {
		if len(picked) > 0 {
			break
		}
		if id.Timestamp() <= approveUntil(now) || id == p.genesis {
			picked = append(picked, id)
		}
	}
	slices.SortFunc(picked, message.ID.Compare)
	return picked
}

// ownWitness is the row under which a witness that this node made becomes
// durable; nil for everything else, also for what an earlier self made.
func ownWitness(s tangle.Solid) *storage.OwnWitness {
	if s.Sender != self || s.Message.Kind != message.KindWitness {
		return nil
	}
	w, err := s.Message.Witness()
	if err != nil {
		return nil // decoded once already
	}
	return &storage.OwnWitness{Epoch: w.Epoch, Round: w.Round}
}
