package node

import (
	"context"
	"fmt"

	"tangled/message"
)

// reissueQueue is how many stale messages wait to be issued again, and how many
// are looked for at a time.
const reissueQueue = 256

// reissuing is how far the loop has looked for own messages that went stale.
type reissuing struct {
	from uint64 // timestamps below are dealt with
}

// dropStale forgets the open messages that the ledger time has left behind.
func (l *loop) dropStale() {
	horizon := l.tangle.Horizon()
	for id := range l.open {
		if id.Timestamp() < horizon {
			delete(l.open, id)
		}
	}
}

// findStale hands own messages that the ledger time has left behind to the
// reissuer, as many as it has room for.
func (l *loop) findStale() {
	horizon := l.tangle.Horizon()
	if l.stale.from >= horizon || l.finality.graph == nil {
		return
	}
	for id, err := range l.n.store.Pending(l.stale.from, horizon) {
		if err != nil {
			l.n.opts.Logger.Error("stale messages not found", "error", err)
			return
		}
		select {
		case l.n.reissue <- id:
			l.stale.from = id.Timestamp() // others may have the same
		default:
			return
		}
	}
	l.stale.from = horizon
}

// runReissuer issues again what went stale, until the node closes.
func (n *Node) runReissuer() {
	defer n.workers.Done()
	for {
		select {
		case id := <-n.reissue:
			if err := n.reissueOne(n.ctx, id); err != nil && n.ctx.Err() == nil {
				n.opts.Logger.Error("stale message not issued again", "id", id, "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// reissueOne issues the payload of a stale message again: a reading keeps its
// event time, which is the first message's timestamp where none was given, and
// names the message that it replaces.
func (n *Node) reissueOne(ctx context.Context, id message.ID) error {
	if _, done, err := n.store.Replaced(id); err != nil || done {
		return err
	}
	r, err := n.store.Get(id)
	if err != nil {
		return err
	}
	n.metrics.reissued.Inc()
	switch r.Message.Kind {
	case message.KindData:
		d, err := r.Message.Data()
		if err != nil {
			return err
		}
		if d.EventTime == 0 {
			d.EventTime = r.Message.Timestamp
		}
		d.Replaces = id
		_, err = n.issueData(ctx, d)
		return err
	case message.KindTransfer:
		t, err := r.Message.Transfer()
		if err != nil {
			return err
		}
		if t.ValidUntil < uint64(n.opts.Now().UnixNano()) {
			return nil // it could only be reported as expired
		}
		_, err = n.issuePayload(ctx, message.KindTransfer, r.Message.Payload)
		return err
	}
	return fmt.Errorf("node: a %v is nothing to issue again", r.Message.Kind)
}
