package catchup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"tangled/message"
)

// outcomeIncluded is the ledger's outcome of what is no transfer, and of nothing
// else.
const outcomeIncluded = 1

// stream gives the anchors of a span. One goroutine gathers believed lists; one for
// each peer asks it for their bodies, one page ahead of another that checks them;
// work hands out what to ask for, and to the consumer what is whole.
func (c *Client) stream(ctx context.Context, s span) iter.Seq2[Verified, error] {
	return func(yield func(Verified, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var peers []*streamPeer
		for _, p := range c.peers {
			peers = append(peers, &streamPeer{Peer: p})
		}
		w := newWork(peers)
		defer context.AfterFunc(ctx, func() { w.end(ctx.Err()) })()
		var workers sync.WaitGroup
		defer workers.Wait()
		defer cancel()
		workers.Go(func() { c.gather(ctx, w, peers, s) })
		for _, p := range peers {
			workers.Go(func() { c.fetch(ctx, w, p) })
		}
		for {
			v, ok, err := w.next()
			if err != nil {
				yield(Verified{}, err)
			}
			if !ok || !yield(v, nil) {
				return
			}
		}
	}
}

// gather adds run after run, from the first peer that gives them.
func (c *Client) gather(ctx context.Context, w *work, peers []*streamPeer, s span) {
	var failed error // of whoever may have more than those that are left
	for {
		anchors, err := c.run(ctx, peers[0].Peer, s)
		switch {
		case errors.Is(err, errNotYet):
			w.finish(failed)
			return
		case err != nil:
			failed = fmt.Errorf("anchors from %d: %w", s.from, err)
			peers[0].charge(err)
			if errors.As(err, new(*InvalidError)) {
				w.leave(peers[0], failed)
			}
			if peers = peers[1:]; len(peers) == 0 {
				w.finish(failed)
				return
			}
			continue
		}
		last := anchors[len(anchors)-1].Commitment
		hash := last.Hash()
		if !w.add(newLists(anchors), c.rangeSize) {
			return
		}
		if last.Index == s.until {
			w.finish(nil)
			return
		}
		s.from, s.previous, s.time, failed = last.Index+1, &hash, last.Time, nil
	}
}

// fetch asks a peer for the bodies of range after range.
func (c *Client) fetch(ctx context.Context, w *work, of *streamPeer) {
	var checker sync.WaitGroup
	defer checker.Wait()
	for {
		f, ok := w.take(ctx, of)
		if !ok {
			return
		}
		bodies, err := c.page(f)
		size := 0
		for _, body := range bodies {
			size += len(body)
		}
		w.land(f, size)
		if err != nil {
			if w.fail(f, err) {
				of.charge(err)
			}
			continue
		}
		checker.Wait()
		checker.Go(func() { c.check(w, f, bodies) })
	}
}

// page asks for the bodies of a range, as many as fit.
func (c *Client) page(f *flight) ([][]byte, error) {
	anchor, index := f.lists.at(f.from)
	q := request{kind: kindBodies, anchor: f.lists.first + uint64(anchor), index: uint32(index), until: f.last}
	body, err := exchange(f.ctx, f.of.Peer, q)
	if err != nil {
		return nil, fmt.Errorf("messages of anchor %d from %d: %w", q.anchor, q.index, err)
	}
	return decodeBodies(body, f.to-f.from)
}

// check decodes the bodies of a range and puts them in their places, unless another
// peer's are there.
func (c *Client) check(w *work, f *flight, bodies [][]byte) {
	if !w.claim(f) {
		return
	}
	l := f.lists
	err := parallel(len(bodies), chunk, func(i int) error {
		anchor, index := l.at(f.from + i)
		v := &l.anchors[anchor]
		m, err := c.body(bodies[i], v.Included[index])
		if err != nil {
			return invalidf(ReasonMessage, "message %d of anchor %d: %w", index, v.Commitment.Index, err)
		}
		v.Messages[index] = m
		return nil
	})
	if err == nil {
		w.put(f, len(bodies))
	} else if w.fail(f, err) {
		f.of.charge(err)
	}
}

// chunk is how many bodies a worker checks in one go.
const chunk = 64

// body is the message that an entry of a believed list names.
func (c *Client) body(b []byte, entry Included) (*message.Message, error) {
	m, err := message.Decode(b)
	if err != nil {
		return nil, err
	}
	if m.ID() != entry.ID {
		return nil, fmt.Errorf("has ID %v, want %v", m.ID(), entry.ID)
	}
	if err := c.rules.Check(m); err != nil {
		return nil, err
	}
	if (m.Kind == message.KindTransfer) == (entry.Outcome == outcomeIncluded) {
		return nil, fmt.Errorf("a %v message with outcome %d", m.Kind, entry.Outcome)
	}
	return m, nil
}
