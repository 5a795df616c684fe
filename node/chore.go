package node

import (
	"context"
	"errors"

	"tangled/message"
)

// chore is a message that the loop wants issued by this node itself: a witness,
// or a word to the other seats. It is signed and worked for outside the loop and
// comes back through the door.
type chore struct {
	witness *message.Witness
	parents int // how many tips the witness approves
	data    *message.Data
}

// sendChores lets what the loop wants issued be done elsewhere.
func (l *loop) sendChores() {
	n := l.n
	for _, c := range l.chores {
		n.workers.Add(1)
		go func() {
			defer n.workers.Done()
			err := n.do(n.ctx, c)
			if err != nil && n.ctx.Err() == nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrCatchingUp) {
				n.opts.Logger.Error("own message not issued", "witness", c.witness != nil, "error", err)
			}
		}()
	}
	l.chores = l.chores[:0]
}

func (n *Node) do(ctx context.Context, c chore) error {
	if c.witness == nil {
		_, err := n.issueData(ctx, *c.data)
		return err
	}
	draft := n.draftWitness(*c.witness, c.parents)
	// Signed once: two witnesses of a round are a seat's gravest fault.
	_, err := n.issue(ctx, &draft, nil)
	if err != nil {
		_ = n.ask(ctx, func(l *loop) { l.writer.writing = false }) // on error the loop has ended
	}
	return err
}
