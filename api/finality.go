package api

import (
	"context"
	"fmt"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
	"tangled/storage"
)

// checkWait refuses a wait that cannot end, before anything is done.
func (s *Server) checkWait(w tangledv1.Wait) error {
	switch w {
	case tangledv1.Wait_WAIT_UNSPECIFIED, tangledv1.Wait_WAIT_DURABLE:
		return nil
	case tangledv1.Wait_WAIT_FINAL:
		return s.finalises()
	}
	return argumentf("WAIT", "unknown wait %d", w)
}

// finalises is errNoCommittee where nothing ever becomes final.
func (s *Server) finalises() error {
	if !s.committee {
		return errNoCommittee
	}
	return nil
}

// receipt tells what became of a message, after as long a wait as the client asked
// for.
func (s *Server) receipt(ctx context.Context, r node.Receipt, wait tangledv1.Wait) (*tangledv1.Receipt, error) {
	p := &tangledv1.Receipt{Id: r.ID[:], State: protoState(r.State)}
	if wait != tangledv1.Wait_WAIT_FINAL || dropped(r.State) {
		return p, nil
	}
	final, err := s.node.WaitFinal(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("message %v is %v and not known to be final: %w", r.ID, r.State, err)
	}
	p.Final = protoFinal(&final)
	return p, nil
}

// dropped tells whether a message in this state is waited for in vain.
func dropped(s node.State) bool {
	return s == node.Ahead || s == node.Stale || s == node.Surplus
}

// protoFinal is nil for what is not final.
func protoFinal(f *storage.Final) *tangledv1.Final {
	if f == nil {
		return nil
	}
	return &tangledv1.Final{Anchor: f.Anchor, Index: f.Index, Outcome: protoOutcome(f.Outcome)}
}

// protoOutcome keeps the numbers of package ledger: they are the enum's.
func protoOutcome(o uint8) tangledv1.Outcome { return tangledv1.Outcome(o) }

func protoFinality(md *node.Metadata) tangledv1.Finality {
	switch {
	case md.Final != nil:
		return tangledv1.Finality_FINALITY_FINAL
	case md.Stale:
		return tangledv1.Finality_FINALITY_STALE
	}
	return tangledv1.Finality_FINALITY_PENDING
}

func protoCursor(c node.Cursor) *tangledv1.Cursor {
	return &tangledv1.Cursor{Anchor: c.Anchor, Index: c.Index}
}
