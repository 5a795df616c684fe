package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"tangled/message"
	"tangled/storage"
)

// mendPause is how long damage stays after it was found: so an audit by a peer,
// which finds it by asking, can ask again until it has the anchor.
const mendPause = 10 * time.Second

// mendQueue is how many anchors wait to be mended. What finds no room is found
// again when it is read again.
const mendQueue = 64

// get reads a stored message, and has it mended where it cannot be read.
func (n *Node) get(id message.ID) (storage.Record, error) {
	r, err := n.store.Get(id)
	if err != nil {
		n.noticeDamage(err)
	}
	return r, err
}

// noticing has mended what a sequence cannot read.
func noticing[T any](n *Node, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for v, err := range seq {
			if err != nil {
				n.noticeDamage(err)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// noticeDamage has the message mended that an error is about, if it is about one
// that is final: others can be asked for by their anchor only.
func (n *Node) noticeDamage(err error) {
	damage := new(storage.CorruptionError)
	if !errors.As(err, &damage) {
		return
	}
	n.metrics.damaged.Inc()
	n.opts.Logger.Error("the store has a row that cannot be read", "table", string(rune(damage.Table)), "key", fmt.Sprintf("%x", damage.Key), "error", damage.Err)
	var id message.ID
	if len(damage.Key) != len(id) {
		return
	}
	copy(id[:], damage.Key)
	final, ok, err := n.store.Final(id)
	if err != nil || !ok {
		return
	}
	n.wantMended(final.Anchor)
}

func (n *Node) wantMended(anchor uint64) {
	select {
	case n.damaged <- anchor:
	default:
	}
}

// runMender fetches anew what could not be read, until the node closes.
func (n *Node) runMender() {
	defer n.workers.Done()
	found := make(map[uint64]struct{})
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case anchor := <-n.damaged:
			if len(found) == 0 {
				pause.Reset(mendPause)
			}
			found[anchor] = struct{}{}
		case <-pause.C:
			for anchor := range found {
				if err := n.mend(n.ctx, anchor); err != nil && n.ctx.Err() == nil {
					n.opts.Logger.Error("damaged messages not mended", "anchor", anchor, "error", err)
				}
			}
			clear(found)
		case <-n.ctx.Done():
			return
		}
	}
}

// mend fetches an anchor from a peer that has it, verified against its commitment,
// and stores again what of it cannot be read here.
func (n *Node) mend(ctx context.Context, anchor uint64) error {
	end, err := n.endOf(anchor)
	if err != nil {
		return err
	}
	peers := n.connectedPeers()
	if len(peers) == 0 {
		return errors.New("no peer is connected")
	}
	for v, err := range n.syncFrom(peers...).Backfill(ctx, anchor, anchor, end) {
		if err != nil {
			return err
		}
		if err := n.restoreMessages(v.Messages, v.Commitment.Time); err != nil {
			return err
		}
	}
	return nil
}

// restoreMessages stores those again that cannot be read.
func (n *Node) restoreMessages(messages []*message.Message, seen uint64) error {
	for _, m := range messages {
		if _, err := n.store.Get(m.ID()); err == nil {
			continue
		}
		if err := n.store.Restore(storage.Record{Message: m, Seen: seen}); err != nil {
			return err
		}
		n.metrics.mended.Inc()
		n.opts.Logger.Info("a damaged message was fetched again", "id", m.ID())
	}
	return nil
}
