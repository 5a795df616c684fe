package storage

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Seed is what a store begins with that does not begin at the genesis.
type Seed struct {
	Anchor uint64 // the last anchor from then on
	State  []byte // what the node needs to go on from it, as in Finality
	// Nodes are complete nodes of the tree of commitments, its peaks at least.
	Nodes []Node
	// Anchors are the newest anchors with their lists, ascending without a gap;
	// the last is Anchor.
	Anchors iter.Seq2[SeedAnchor, error]
	// Accounts are all accounts, ascending by address.
	Accounts iter.Seq2[Account, error]
	// Unexpired are all applied transfers that have not expired, in any order.
	Unexpired iter.Seq2[AppliedTransfer, error]
}

// SeedAnchor is an anchor without the bodies of its messages.
type SeedAnchor struct {
	Anchor     uint64
	Commitment []byte         // as in Finality
	Signatures []byte         // a set over the commitment; none if empty
	Included   []FinalMessage // ascending by ID
}

// batchLimit is about how many bytes of rows are put into one batch where there
// may be any number of them.
const batchLimit = 8 << 20

// Seed makes the store one that begins at an anchor, above LastAnchor. Messages
// that are stored stay; accounts and unexpired transfers are replaced whole; the
// anchors in between become a gap, whether or not the seed has their lists.
//
// A seed may be large and is written in many synced batches. From the first on
// the store is being seeded, and it is so until the last: Seeding tells, everything
// else that writes returns ErrSeeding, and so do Accounts and Unexpired. Where it
// ends early, by an error, by ctx or by a crash, it must be begun again, with
// this seed or another above LastAnchor; that and the messages are as before.
// The error is what a sequence gave, ctx's, a *CorruptionError, or that something
// does not fit, in which case the store is being seeded, but for an Anchor that
// is not above LastAnchor: that changes nothing.
func (s *Store) Seed(ctx context.Context, seed Seed) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	if err := s.seed(ctx, &seed); err != nil {
		return fmt.Errorf("seed anchor %d: %w", seed.Anchor, err)
	}
	return nil
}

// Seeding tells that a seed of an anchor is under way or was cut short: the store
// takes nothing but a Seed.
func (s *Store) Seeding() (anchor uint64, ok bool) {
	anchor = s.seeding.Load()
	return anchor, anchor != 0
}

func (s *Store) loadSeeding() error {
	anchor, err := s.number("seeding")
	s.seeding.Store(anchor)
	return err
}

func (s *Store) seed(ctx context.Context, seed *Seed) error {
	if err := s.beginSeed(seed.Anchor); err != nil {
		return err
	}
	w := &batches{ctx: ctx, s: s, b: s.db.NewBatch()}
	defer func() { w.b.Close() }()
	for _, step := range []func(*batches) error{s.clearAbove, seed.putAnchors, seed.putAccounts, seed.putUnexpired} {
		if err := step(w); err != nil {
			return err
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return s.endSeed(seed)
}

// beginSeed sets the mark; from then on nobody else writes.
func (s *Store) beginSeed(anchor uint64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	if last := s.anchor.Load(); anchor <= last || anchor == math.MaxUint64 {
		return fmt.Errorf("anchor %d was the last", last)
	}
	b := s.db.NewBatch()
	defer b.Close()
	putNumber(b, "seeding", anchor)
	_ = b.DeleteRange([]byte{tableAccount}, []byte{tableAccount + 1}, nil)
	_ = b.DeleteRange([]byte{tableUnexpired}, []byte{tableUnexpired + 1}, nil)
	// Before anybody can read what the batch leaves of the accounts.
	s.seeding.Store(anchor)
	return s.apply(b)
}

// clearAbove deletes what a seed that was cut short left. The order is deleted
// last: it leads to the rest.
func (s *Store) clearAbove(w *batches) error {
	last := s.anchor.Load()
	in := table(tableOrder, orderKeySize)
	in.lower = orderKey(last+1, 0)
	for p, err := range rows(s.db, in, decodePosition) {
		if err != nil {
			return err
		}
		final, ok, err := find(s.db, idKey(tableFinal, p.ID), decodeFinal)
		if err != nil {
			return err
		}
		if ok && final.Anchor > last {
			_ = w.b.Delete(idKey(tableFinal, p.ID), nil)
		}
		if err := w.flushIfFull(); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	_ = w.b.DeleteRange(in.lower, in.upper, nil)
	for _, t := range []byte{tableCommitment, tableSignatures} {
		_ = w.b.DeleteRange(anchorKey(t, last+1), []byte{t + 1}, nil)
	}
	return nil
}

// putAnchors writes the lists, but for those of anchors that are here. A message
// and its place in the order are written in one batch, for clearAbove.
func (seed *Seed) putAnchors(w *batches) error {
	last, at := w.s.anchor.Load(), uint64(0)
	for a, err := range seed.Anchors {
		if err != nil {
			return err
		}
		if at != 0 && a.Anchor != at+1 || a.Anchor == 0 {
			return fmt.Errorf("anchor %d comes after %d", a.Anchor, at)
		}
		if at = a.Anchor; at <= last {
			continue
		}
		if err := w.putSeedAnchor(a); err != nil {
			return fmt.Errorf("list of anchor %d: %w", a.Anchor, err)
		}
	}
	if at != seed.Anchor {
		return fmt.Errorf("its lists end with anchor %d", at)
	}
	return nil
}

func (w *batches) putSeedAnchor(a SeedAnchor) error {
	if err := ascending(a.Included); err != nil {
		return err
	}
	_ = w.b.Set(anchorKey(tableCommitment, a.Anchor), a.Commitment, nil)
	if len(a.Signatures) > 0 {
		_ = w.b.Set(anchorKey(tableSignatures, a.Anchor), a.Signatures, nil)
	}
	finals := newFollower(w.s.db, tableFinal, false)
	defer finals.close()
	for i, m := range a.Included {
		key := idKey(tableFinal, m.ID)
		// Overwritten, the row would be lost with a seed that is given up.
		has, ok, err := at(finals, key, decodeFinal)
		if err != nil {
			return err
		}
		if ok && w.s.believed(has.Anchor) {
			return fmt.Errorf("%v is final in anchor %d", m.ID, has.Anchor)
		}
		_ = w.b.Set(key, Final{a.Anchor, uint32(i), m.Outcome}.append(nil), nil)
		_ = w.b.Set(orderKey(a.Anchor, uint32(i)), m.append(nil), nil)
		if err := w.flushIfFull(); err != nil {
			return err
		}
	}
	return w.flushIfFull()
}

func (seed *Seed) putAccounts(w *batches) error {
	var before message.Address
	first := true
	for a, err := range seed.Accounts {
		if err != nil {
			return err
		}
		if !first && bytes.Compare(a.Address[:], before[:]) <= 0 {
			return fmt.Errorf("account %v is not after the one before", a.Address)
		}
		before, first = a.Address, false
		_ = w.b.Set(accountKey(a.Address), a.Value, nil)
		if err := w.flushIfFull(); err != nil {
			return err
		}
	}
	return nil
}

func (seed *Seed) putUnexpired(w *batches) error {
	for t, err := range seed.Unexpired {
		if err != nil {
			return err
		}
		_ = w.b.Set(unexpiredKey(t), nil, nil)
		if err := w.flushIfFull(); err != nil {
			return err
		}
	}
	return nil
}

// endSeed makes the seed count, in one synced batch.
func (s *Store) endSeed(seed *Seed) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	last := s.anchor.Load()
	b := s.db.NewBatch()
	defer b.Close()
	// Not before: lists that are given up must not end the waiting of a reading.
	if err := s.deleteSeeded(b); err != nil {
		return err
	}
	for _, n := range seed.Nodes {
		_ = b.Set(nodeKey(n.Level, n.Index), n.Hash[:], nil)
	}
	state := append([]byte{}, seed.State...)
	_ = b.Set(metaKey("state"), state, nil)
	putNumber(b, "anchor", seed.Anchor)
	_ = b.Delete(metaKey("seeding"), nil)
	gaps := addGap(*s.gaps.Load(), Gap{last + 1, seed.Anchor, GapNever})
	if err := s.applyGaps(b, gaps, s.count.Load()); err != nil {
		return err
	}
	s.state.Store(&state)
	s.anchor.Store(seed.Anchor)
	s.seeding.Store(0)
	return nil
}

// deleteSeeded ends the waiting of own messages that are final by the seed.
func (s *Store) deleteSeeded(b *pebble.Batch) error {
	finals := newFollower(s.db, tableFinal, false)
	defer finals.close()
	for id, err := range rows(s.db, table(tablePending, idKeySize), decodeKeyID) {
		if err != nil {
			return err
		}
		final, err := finals.find(idKey(tableFinal, id))
		if err != nil {
			return err
		}
		if final {
			_ = b.Delete(idKey(tablePending, id), nil)
		}
	}
	return nil
}

// batches writes any number of rows in synced batches of bounded size.
type batches struct {
	ctx context.Context // does not outlive the call
	s   *Store
	b   *pebble.Batch
}

func (w *batches) flushIfFull() error {
	if w.b.Len() < batchLimit {
		return nil
	}
	return w.flush()
}

func (w *batches) flush() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.b.Empty() {
		return nil
	}
	if err := w.s.apply(w.b); err != nil {
		return err
	}
	// Not Reset: what a batch of this size holds is Pebble's memtable now.
	next := w.s.db.NewBatch()
	err := w.b.Close()
	w.b = next
	return err
}

// readWhole is read for tables that are not whole during a seed.
func readWhole[T any](s *Store, in span, decode decoder[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := s.enter(); err != nil {
			yield(none, err)
			return
		}
		defer s.readers.Done()
		// A seed begins and ends while it holds writing.
		s.writing.Lock()
		if s.seeding.Load() != 0 {
			s.writing.Unlock()
			yield(none, ErrSeeding)
			return
		}
		snap := s.db.NewSnapshot()
		s.writing.Unlock()
		defer snap.Close()
		rows(snap, in, decode)(yield)
	}
}
