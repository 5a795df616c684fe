package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Pruning says what to delete.
type Pruning struct {
	// Before is a time in nanoseconds since the Unix epoch: messages with a lower
	// timestamp go.
	Before uint64
	// Anchor is the last anchor all of whose messages, and those of the anchors
	// before it, are older than Before: lists, commitments, signatures and nodes
	// of the tree up to it go. It is below LastAnchor; zero is none.
	Anchor uint64
	// Round is a round of epoch 0: witnesses of lower ones are not found by their
	// rounds any more. The newest own witness always is.
	Round uint64
	// Keep holds a message back, with where it became final; nil holds none. A
	// proof, if not nil, is what HeldProof gives from then on; nil leaves one that
	// is there. It may read the store and not write to it, and may be asked about
	// a message twice.
	Keep func(Record) (keep bool, proof []byte, err error)
	// KeepTopics tells of which topics Keep may hold messages back, so that no
	// others are read; nil has Keep asked about all messages of all kinds.
	KeepTopics func(topic string) bool
}

// Pruned is what was deleted, or would be.
type Pruned struct {
	Messages uint64 // deleted
	Bytes    uint64 // of their encodings
	Anchors  uint64 // whose lists and commitments were deleted
	Kept     uint64 // messages held back that are older than Before
}

func (p *Pruned) add(other Pruned) {
	p.Messages += other.Messages
	p.Bytes += other.Bytes
	p.Anchors += other.Anchors
	p.Kept += other.Kept
}

// Prune deletes what is old, in one synced batch: a crash leaves it done whole
// or not at all. Where so much is held back, or so many transfers go, that the
// batch would be large, it takes several, each of which deletes up to some message
// and notes the gap; the anchors go with the last. What was deleted before an
// error is told with it.
//
// Other goroutines may write all the while, and wait for the last step only. The
// room comes back when the tables are compacted, by themselves or by Compact.
func (s *Store) Prune(ctx context.Context, p Pruning) (Pruned, error) {
	if err := s.enter(); err != nil {
		return Pruned{}, err
	}
	defer s.readers.Done()
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	var total Pruned
	if err := s.checkPruning(p); err != nil {
		return total, fmt.Errorf("prune: %w", err)
	}
	for from, last := (message.ID{}), false; !last; {
		st, err := s.pruneStage(ctx, p, from)
		if err != nil {
			return total, fmt.Errorf("prune: %w", err)
		}
		total.add(st.Pruned)
		from, last = st.upTo, st.last
	}
	s.pruned.add(floor(p.Before), p.Anchor)
	return total, nil
}

func (s *Store) checkPruning(p Pruning) error {
	if last := s.anchor.Load(); p.Anchor != 0 && p.Anchor >= last {
		return fmt.Errorf("anchors up to %d: %d is the last", p.Anchor, last)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writable()
}

// pruneStage is one batch of a Prune, from an ID on. What it will delete is worked
// out beside other writers; if one of them wrote there meanwhile, it is worked out
// again while they wait.
func (s *Store) pruneStage(ctx context.Context, p Pruning, from message.ID) (*stage, error) {
	s.writing.Lock()
	s.watch, s.touched = floor(p.Before), false
	s.writing.Unlock()
	st, err := s.planStage(ctx, p, from)
	s.writing.Lock()
	defer s.writing.Unlock()
	touched := s.touched
	s.watch, s.touched = message.ID{}, false
	if err != nil {
		return nil, err
	}
	if touched {
		if st, err = s.planStage(ctx, p, from); err != nil {
			return nil, err
		}
	}
	if err := s.writable(); err != nil {
		return nil, err
	}
	return st, s.applyStage(st, p)
}

// stage is what one batch deletes: the messages from one ID up to another, but
// for those held back.
type stage struct {
	Pruned
	from, upTo message.ID
	last       bool   // the anchors go too
	lost       uint64 // the last anchor that loses a body
	indexed    []indexStretch
	// rest is what comes behind the range deletions in the batch: the rows of what
	// is held back, and single deletions.
	rest []batchOp
	size int // of rest, bytes
}

// batchOp is a row to set, or to delete where value is nil.
type batchOp struct{ key, value []byte }

func (st *stage) set(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	st.rest = append(st.rest, batchOp{key, value})
	st.size += len(key) + len(value) + 16
}

func (st *stage) delete(key []byte) {
	st.rest = append(st.rest, batchOp{key, nil})
	st.size += len(key) + 16
}

// indexStretch is a stretch of the rows of one number of an index.
type indexStretch struct{ lower, upper []byte }

// planStage works out a stage from one view of the store.
func (s *Store) planStage(ctx context.Context, p Pruning, from message.ID) (*stage, error) {
	v := s.newView(Query{To: max(p.Before, 1), WithReplaced: true})
	defer v.close()
	st := &stage{from: from, upTo: floor(p.Before), last: true}
	for d, err := range v.doomed(ctx, p, from) {
		if err != nil {
			return nil, err
		}
		if st.size >= batchLimit {
			st.upTo, st.last = d.id, false
			break
		}
		if err := st.take(v, d); err != nil {
			return nil, err
		}
	}
	for _, t := range []byte{tableTopic, tableIssuer} {
		if err := st.indexStretches(v, t); err != nil {
			return nil, err
		}
	}
	if !st.last {
		return st, nil
	}
	var err error
	st.Anchors, err = countAnchors(v.snap, p.Anchor)
	return st, err
}

// countAnchors counts the commitments up to an anchor.
func countAnchors(from pebble.Reader, anchor uint64) (n uint64, err error) {
	in := table(tableCommitment, anchorKeySize)
	in.upper = anchorKey(tableCommitment, anchor+1)
	for _, err := range rows(from, in, decodeNothing) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// take adds a message to the stage.
func (st *stage) take(v *view, d doomed) error {
	if d.kept != nil {
		st.Kept++
		return st.keep(v, d)
	}
	st.Messages++
	st.Bytes += uint64(d.size)
	if d.final == nil {
		return nil
	}
	st.lost = max(st.lost, d.final.Anchor)
	if d.final.Outcome == outcomeIncluded {
		return nil
	}
	return st.dropTransfer(v, d)
}

// keep adds the rows of a message that is held back.
func (st *stage) keep(v *view, d doomed) error {
	m := d.kept.Message
	st.set(messageKey(d.id), appendRecord(nil, *d.kept))
	if number, ok := v.store.issuers.lookup(string(m.Issuer[:])); ok {
		st.set(indexKey(tableIssuer, number, d.id), nil)
	}
	if data, err := m.Data(); err == nil {
		if number, ok := v.store.topics.lookup(data.Topic); ok {
			st.set(indexKey(tableTopic, number, d.id), nil)
		}
	}
	if d.final != nil {
		st.set(idKey(tableFinal, d.id), d.final.append(nil))
	}
	if d.proof == nil {
		// The anchors that it was made from may be gone by now.
		has, ok, err := find(v.snap, idKey(tableHeld, d.id), decodeBytes)
		if err != nil || !ok {
			return err
		}
		d.proof = has
	}
	st.set(idKey(tableHeld, d.id), d.proof)
	return nil
}

// dropTransfer deletes the rows that lead to a message with a transfer. One whose
// body is damaged leaves them, to be found missing.
func (st *stage) dropTransfer(v *view, d doomed) error {
	r, ok, err := find(v.snap, messageKey(d.id), decodeRecord)
	var damage *CorruptionError
	if err != nil && !errors.As(err, &damage) {
		return err
	}
	if !ok || r.Message.Kind != message.KindTransfer {
		return nil
	}
	t, err := r.Message.Transfer()
	if err != nil {
		return nil
	}
	st.delete(historyKey(message.AddressOf(t.From), d.final.Anchor, d.final.Index))
	for _, o := range t.Outputs {
		st.delete(historyKey(o.Address, d.final.Anchor, d.final.Index))
	}
	key := transferKey(t.ID(r.Message.Network))
	fate, ok, err := find(v.snap, key, decodeTransfer)
	if err == nil && ok && fate.ID == d.id {
		st.delete(key)
	}
	return err
}

// indexStretches finds the stretches of an index that go. Most numbers of a large
// store have no row that old, and a range deletion for nothing costs readers.
func (st *stage) indexStretches(v *view, name byte) error {
	it, err := v.snap.NewIter(&pebble.IterOptions{LowerBound: []byte{name}, UpperBound: []byte{name + 1}})
	if err != nil {
		return fmt.Errorf("read table %q: %w", name, err)
	}
	defer it.Close()
	for ok := it.First(); ok; {
		number, err := indexNumber(it.Key())
		if err != nil {
			return err
		}
		lower, upper := indexKey(name, number, st.from), indexKey(name, number, st.upTo)
		if ok = it.SeekGE(lower); ok && bytes.Compare(it.Key(), upper) < 0 {
			st.indexed = append(st.indexed, indexStretch{lower, upper})
		}
		// Not where an error ended it: a further seek would forget that.
		if ok = ok && number < math.MaxUint32; ok {
			ok = it.SeekGE(indexKey(name, number+1, message.ID{}))
		}
	}
	if err := it.Error(); err != nil {
		return &CorruptionError{name, nil, err}
	}
	return nil
}
