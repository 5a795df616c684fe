package node

import (
	"context"
	"errors"
	"fmt"

	"tangled/catchup"
	"tangled/consensus"
	"tangled/ledger"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
)

// ErrCatchingUp tells that the node takes no data because it is far behind its
// peers: it takes over what they agreed on first.
var ErrCatchingUp = errors.New("node: catching up with the network")

// errOtherHistory tells that a quorum signed something else than this node works
// out from the same messages.
var errOtherHistory = errors.New("node: a quorum signed another history")

// adoption is an anchor that a quorum signed, with all that it included, and the
// wave that it decided.
type adoption struct {
	catchup.Verified
	wave uint64
}

// beginCatchUp stops the live part: from now on the loop attaches nothing.
func (l *loop) beginCatchUp() {
	l.catching = true
	l.n.catching.Store(true)
}

// endCatchUp makes the live part anew from the store and goes on.
func (l *loop) endCatchUp(ctx context.Context) error {
	// Whatever happens, the loop must not go on with a DAG that lags the store.
	unapproved, err := l.rebuild(ctx)
	if err != nil {
		return err
	}
	for _, m := range unapproved {
		l.n.announce(m.Bytes())
	}
	l.catching = false
	l.n.catching.Store(false)
	return nil
}

// adopt takes over anchors that come next, and makes them durable with their
// messages: all at once, since one wait for the disk after another would take most
// of the time where anchors are small. What it returns but errOtherHistory is the
// store's.
func (l *loop) adopt(anchors []adoption) error {
	bodies, err := l.n.store.Bodies()
	if err != nil {
		return err
	}
	defer bodies.Close()
	var fixed []storage.Adopted
	var failed error
	for _, a := range anchors {
		if a.Commitment.Index <= l.finality.index {
			continue
		}
		rows, err := l.adoptOne(a, bodies)
		if err != nil {
			failed = fmt.Errorf("adopt anchor %d: %w", a.Commitment.Index, err)
			break // the ones before are right
		}
		fixed = append(fixed, rows)
	}
	if err := l.n.store.Adopt(fixed); err != nil {
		return errors.Join(failed, fmt.Errorf("adopt %d anchors: %w", len(fixed), err))
	}
	l.n.metrics.adopted.Add(float64(len(fixed)))
	for _, f := range fixed {
		l.tellFinal(f.Finality.Anchor, f.Finality.Included)
	}
	l.n.anchored.tell()
	return failed
}

// adoptOne takes an anchor into the ledger, and returns what to store of it.
func (l *loop) adoptOne(a adoption, bodies *storage.Bodies) (storage.Adopted, error) {
	if err := l.n.opts.vouched(a.Commitment.Index, a.Commitment.Hash()); err != nil {
		return storage.Adopted{}, err
	}
	f := l.finality
	entries, err := ledgerEntries(a.Verified)
	if err != nil {
		return storage.Adopted{}, err
	}
	ids := make([]message.ID, len(a.Included))
	for i, included := range a.Included {
		ids[i] = included.ID
	}
	c := a.Commitment
	done := f.fix(consensus.Anchor{Index: c.Index, Wave: a.wave, ID: c.Anchor}, c.Time, ids, entries)
	if done.commitment != c {
		// The ledger went on already, and nothing of this is stored: nothing more
		// must be, until the store is opened again.
		l.raise(c.Index, done.commitment.Hash())
		return storage.Adopted{}, errOtherHistory
	}
	adopted := storage.Adopted{Finality: done.rows}
	if len(a.Signatures) > 0 {
		adopted.Signatures = proof.EncodeSignatures(a.Signatures)
	}
	adopted.Records = l.recordsOf(a.Messages, bodies)
	return adopted, nil
}

// recordsOf are the messages that are not stored yet.
func (l *loop) recordsOf(messages []*message.Message, bodies *storage.Bodies) []storage.Record {
	records := make([]storage.Record, 0, len(messages))
	seen := uint64(l.n.opts.Now().UnixNano())
	for _, m := range messages {
		l.foreignWitness(m)
		has, err := bodies.Has(m.ID())
		if err != nil {
			has = l.n.store.Has(m.ID()) // the damaged row is a neighbour's
		}
		if !has {
			records = append(records, storage.Record{Message: m, Seen: seen})
		}
	}
	return records
}

// foreignWitness notices a witness of this node's seat that its store does not
// remember, among those of rounds that are decided: an earlier self wrote it, and
// may have written later ones.
func (l *loop) foreignWitness(m *message.Message) {
	s := l.writer
	if s == nil || s.rejoin != nil || m.Kind != message.KindWitness || m.Issuer != l.n.issuer {
		return
	}
	w, err := m.Witness()
	if err != nil {
		return // decoded once already
	}
	if _, round, _, ok := l.n.store.OwnWitness(); ok && w.Round <= round {
		return
	}
	l.n.opts.Logger.Error("the history has a witness of this seat that is not remembered here: it stays silent until a quorum of the other seats has told what they have seen of it",
		"seat", s.number, "round", w.Round)
	s.forget(l.finality.committee)
}

// ledgerEntries are the messages of an anchor as the ledger sees them.
func ledgerEntries(v catchup.Verified) ([]ledger.Entry, error) {
	entries := make([]ledger.Entry, len(v.Messages))
	for i, m := range v.Messages {
		entries[i].ID = m.ID()
		if m.Kind != message.KindTransfer {
			continue
		}
		transfer, err := m.Transfer()
		if err != nil {
			return nil, fmt.Errorf("included message %v: %w", m.ID(), err)
		}
		entries[i].Transfer = &transfer
	}
	return entries, nil
}
