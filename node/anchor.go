package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tangled/consensus"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
	"tangled/tangle"
)

// settleTime is how far the ledger time trails the newest solid message in a
// network without seats, where no anchor tells it.
const settleTime = 5 * time.Second

// Alarm says that more than a third of the committee's weight signed another
// commitment than this node worked out. From that anchor on the node reports
// nothing as final, makes no proofs, takes no transfers and writes no
// witnesses; it goes on taking data.
type Alarm struct {
	Index uint64   // of the first anchor in doubt
	Ours  [32]byte // the commitment worked out here
}

func (a *Alarm) Error() string {
	return fmt.Sprintf("node: more than a third of the committee signed another commitment %d than ours, %x", a.Index, a.Ours)
}

// observe takes a solid and durable message into what becomes final: a witness
// may decide anchors, everything else waits for one.
func (l *loop) observe(s tangle.Solid, now time.Time) error {
	m, f := s.Message, l.finality
	if m.Kind != message.KindWitness {
		if len(l.open) < maxVertices {
			l.open[m.ID()] = struct{}{}
		}
		if l.writer != nil {
			l.writer.solid++
			l.hearSeat(m)
		}
		if f.graph == nil {
			l.tangle.SetLedgerTime(l.tangle.Newest().Timestamp() - uint64(settleTime))
		}
		return nil
	}
	w, err := m.Witness()
	if err != nil {
		return fmt.Errorf("witness %v: %w", m.ID(), err) // decoded once already
	}
	if s.Sender == self {
		l.wrote(m, w, now)
	} else {
		l.heard(m, w)
	}
	return l.count(m, w)
}

// count takes a witness into the witness graph and the tally of commitments.
func (l *loop) count(m *message.Message, w message.Witness) error {
	f := l.finality
	if f.graph == nil {
		return nil // without seats the door takes no witnesses
	}
	l.tally.add(int(w.Seat), w.Commit)
	observed := f.graph.Observe(consensus.Witness{
		ID: m.ID(), Epoch: w.Epoch, Seat: int(w.Seat), Round: w.Round, Refs: w.Refs,
	})
	if e := observed.Equivocation; e != nil {
		l.n.metrics.equivocations.Inc()
		l.n.opts.Logger.Warn("a seat wrote two witnesses for one round", "seat", e.Seat, "round", e.Round, "first", e.First, "second", e.Second)
	}
	for _, a := range observed.Anchors {
		if err := l.apply(a); err != nil {
			return err
		}
	}
	l.tangle.SetUndecided(3 * f.graph.NextWave())
	return l.compare(w.Commit.Index)
}

// apply makes durable what an anchor fixes, and then tells.
func (l *loop) apply(a consensus.Anchor) error {
	before := l.finality.time
	done, err := l.finality.apply(a, l.tangle, l.n.store)
	if err != nil {
		return err
	}
	if err := l.n.store.Finalise(done.rows); err != nil {
		return err
	}
	l.tellFinal(a.Index, done.rows.Included)
	l.n.anchored.tell()
	l.snapshotDue(done.commitment, before)
	return l.compare(a.Index)
}

// tellFinal tells those who wait what became final, once that is durable.
func (l *loop) tellFinal(anchor uint64, messages []storage.FinalMessage) {
	l.n.ledgerTime.Store(l.finality.time)
	for i, m := range messages {
		delete(l.open, m.ID)
		l.waiters.tell(m.ID, storage.Final{Anchor: anchor, Index: uint32(i), Outcome: m.Outcome})
	}
	l.n.metrics.anchors.Inc()
	l.n.metrics.final.Add(float64(len(messages)))
}

// raise raises the alarm: ours is the commitment worked out here for the first
// anchor in doubt.
func (l *loop) raise(index uint64, ours [32]byte) {
	alarm := &Alarm{Index: index, Ours: ours}
	if !l.n.alarm.CompareAndSwap(nil, alarm) {
		return
	}
	l.n.anchored.tell() // whoever follows is told of the alarm instead
	l.n.opts.Logger.Error("this node went wrong, or more than a third of the committee did", "error", alarm)
}

// compare looks at what the seats claim for an anchor that is applied here.
func (l *loop) compare(index uint64) error {
	hash, ok := l.finality.commitments[index]
	if !ok {
		return nil
	}
	ours := claim{index, hash}
	if l.tally.contradicts(ours) || l.n.opts.vouched(index, hash) != nil {
		l.raise(index, hash)
	}
	if signatures := l.tally.settle(ours); signatures != nil {
		defer l.n.signed.tell()
		return l.n.store.SetSignatures(index, proof.EncodeSignatures(signatures))
	}
	return nil
}

// isFinal tells whether a position in the history may be told as final.
func (n *Node) isFinal(f storage.Final) bool {
	alarm := n.alarm.Load()
	return alarm == nil || f.Anchor < alarm.Index
}

// bell wakes everyone who waits for the next anchor.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next tell closes.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// waiters are those who wait for a message to become final.
type waiters map[message.ID][]chan storage.Final

func (w waiters) tell(id message.ID, f storage.Final) {
	for _, waiting := range w[id] {
		waiting <- f // has room for one
	}
	delete(w, id)
}

func (w waiters) remove(id message.ID, waiting chan storage.Final) {
	for i, other := range w[id] {
		if other == waiting {
			w[id] = append(w[id][:i], w[id][i+1:]...)
			break
		}
	}
	if len(w[id]) == 0 {
		delete(w, id)
	}
}

// WaitFinal waits until a message is final and tells where. A message that is
// not known yet is waited for too. The error is an *Alarm, ErrClosed or ctx's.
func (n *Node) WaitFinal(ctx context.Context, id message.ID) (storage.Final, error) {
	waiting := make(chan storage.Final, 1)
	err := n.ask(ctx, func(l *loop) { l.waiters[id] = append(l.waiters[id], waiting) })
	if err != nil {
		return storage.Final{}, err
	}
	defer func() {
		_ = n.ask(context.WithoutCancel(ctx), func(l *loop) { l.waiters.remove(id, waiting) }) // gone with the loop
	}()
	// It may have become final before we asked.
	f, ok, err := n.store.Final(id)
	if err != nil {
		return storage.Final{}, err
	}
	if !ok {
		select {
		case f = <-waiting:
		case <-n.done:
			return storage.Final{}, n.closedErr()
		case <-ctx.Done():
			return storage.Final{}, ctx.Err()
		}
	}
	if !n.isFinal(f) {
		return storage.Final{}, n.alarm.Load()
	}
	return f, nil
}
