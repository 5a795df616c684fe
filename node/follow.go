package node

import (
	"context"
	"errors"
	"iter"

	"tangled/message"
	"tangled/storage"
)

// Cursor is a place in the network-wide order of final messages, the same on
// every node: the anchor that included a message, and its index there. The zero
// Cursor is before all.
type Cursor struct {
	Anchor uint64
	Index  uint32
}

// FinalEvent is a message that became final.
type FinalEvent struct {
	Cursor  Cursor
	Outcome uint8 // as package ledger numbers them
	Message *message.Message
}

// Follow reads the history in finality order: first what is final already, from
// behind the cursor on, then what becomes final, without a gap and without a
// repeat. A cursor is valid on every node of the network. The sequence ends with
// ctx's error, ErrClosed, an *Alarm, or what the store could not read.
func (n *Node) Follow(ctx context.Context, after Cursor) iter.Seq2[FinalEvent, error] {
	return func(yield func(FinalEvent, error) bool) {
		for {
			// Taken before the store is read: an anchor that comes meanwhile
			// rings.
			next := n.anchored.wait()
			var err error
			for e, readErr := range n.finalSince(ctx, after) {
				if readErr != nil {
					err = readErr
					break
				}
				if !yield(e, nil) {
					return
				}
				after = e.Cursor
			}
			if alarm := n.alarm.Load(); err == nil && alarm != nil && after.Anchor+1 >= alarm.Index {
				err = alarm
			}
			if err == nil {
				select {
				case <-next:
					continue
				case <-ctx.Done():
					err = ctx.Err()
				case <-n.done:
					err = n.closedErr()
				}
			}
			yield(FinalEvent{}, err)
			return
		}
	}
}

// finalSince reads what is final now, from behind the cursor on.
func (n *Node) finalSince(ctx context.Context, after Cursor) iter.Seq2[FinalEvent, error] {
	return func(yield func(FinalEvent, error) bool) {
		for p, err := range n.store.Order(ctx, after.Anchor, after.Index) {
			if err != nil {
				yield(FinalEvent{}, err)
				return
			}
			at := Cursor{p.Anchor, p.Index}
			if at == after {
				continue
			}
			if !n.isFinal(storage.Final{Anchor: p.Anchor}) {
				yield(FinalEvent{}, n.alarm.Load())
				return
			}
			r, err := n.get(p.ID)
			if !yield(FinalEvent{Cursor: at, Outcome: p.Outcome, Message: r.Message}, err) || err != nil {
				return
			}
		}
	}
}

// Anchor is the commitment of an anchor as it is stored, and whether a quorum's
// signatures over it or a later one are here. The error is ErrNotFound or the
// store's.
func (n *Node) Anchor(index uint64) (Anchor, error) {
	c, err := n.commitment(index)
	if err != nil {
		return Anchor{}, err
	}
	a := Anchor{Commitment: c}
	a.Signed, _, err = n.store.Signatures(index)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Anchor{}, err
	}
	return a, nil
}

// LastAnchor is the index of the last anchor applied; zero for none.
func (n *Node) LastAnchor() uint64 { return n.store.LastAnchor() }

// NextAnchor returns a channel that is closed when the next anchor was applied.
func (n *Node) NextAnchor() <-chan struct{} { return n.anchored.wait() }
