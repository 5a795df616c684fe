package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tangled/message"
	"tangled/storage"
)

// endsWithin is how long what was issued may take to become final once all is
// well again: a minute for the clocks that are ahead, and as much for the rest.
const endsWithin = 2 * time.Minute

// end lets all trouble end, waits for finality, and compares what is left.
func (s *sim) end() {
	s.ending = true
	s.heal()
	for _, h := range s.hosts {
		h.disk.plan(0, 0, 0, 0)
	}
	s.note("the end begins")
	began := s.now
	if !s.runUntil(s.now+endsWithin, s.settled) {
		s.failf("%v after the last trouble: %s", endsWithin, s.unsettled())
	}
	s.healed = s.now - began
	for _, h := range s.hosts {
		s.note("node %d: anchor %d, clock %v, delay %v", h.index, h.l.finality.index, h.skew, h.n.tips.delay())
	}
	s.prove()
	s.replay()
	s.anyOrder()
}

// settled tells whether all nodes are up and have made final what any of them
// acknowledged and still has.
func (s *sim) settled() bool {
	if len(s.up()) < len(s.hosts) {
		return false
	}
	s.load.issued = slices.DeleteFunc(s.load.issued, func(i issued) bool {
		// A clock that is wrong by a minute is at the limit of what is taken, and
		// may be beyond the window.
		return i.by.wrong.Abs() >= time.Minute || !slices.ContainsFunc(s.hosts, func(h *host) bool {
			return h.wrong.Abs() < time.Minute && !h.done(i)
		})
	})
	return len(s.load.issued) == 0
}

// done tells whether a node knows what became of a message: it is final, or stale
// and the message is that was issued in its place, or it was lost with the only
// store that had it.
func (h *host) done(i issued) bool {
	_, ok, err := h.n.store.Final(i.id)
	h.s.must(err)
	switch {
	case ok, i.lost:
		return true
	case i.by.fault == loser && !slices.ContainsFunc(h.s.hosts, func(h *host) bool { return h.n.store.Has(i.id) }):
		return true
	case i.transfer != nil:
		_, err := h.n.TransferFate(*i.transfer)
		return err == nil || h.l.finality.time > i.until
	}
	by, ok, err := i.by.n.store.Replaced(i.id)
	h.s.must(err)
	return ok && h.done(issued{id: by, by: i.by})
}

// unsettled says what is not settled.
func (s *sim) unsettled() string {
	var b []byte
	for _, h := range s.hosts {
		if h.n == nil {
			b = append(b, fmt.Sprintf("node %d is down; ", h.index)...)
			continue
		}
		missing := 0
		var first *issued
		for _, i := range s.load.issued {
			if !h.done(i) {
				if missing++; first == nil {
					first = &i
				}
			}
		}
		f := h.l.finality
		b = append(b, fmt.Sprintf("node %d (seat %d, %v, clock %v) is at anchor %d, ledger time %v, quorum of round %d, %d orphans, lacks %d",
			h.index, h.seat, h.fault, h.skew, f.index, time.Unix(0, int64(f.time)).Sub(s.start), f.graph.QuorumRound(), h.l.tangle.Stats().Orphans, missing)...)
		if first != nil {
			b = append(b, fmt.Sprintf(", of them %v of node %d at %v, stored %v", first.id, first.by.index, first.id.Time().Sub(s.start), h.n.store.Has(first.id))...)
		}
		b = append(b, "; "...)
	}
	return string(b)
}

// replay opens the store of each node again.
func (s *sim) replay() {
	for _, h := range s.hosts {
		before := h.l.finality
		h.disk.fail(0, s.rng.Uint64())
		h.life++
		h.n.cancel()
		close(h.n.done)
		s.must(h.n.store.Close())
		h.endTasks()
		h.disk.turnOn()
		h.start()
		after := h.l.finality
		if after.index != before.index || after.last != before.last || after.time != before.time ||
			after.ledger.StateHash() != before.ledger.StateHash() || after.tree.Root() != before.tree.Root() {
			s.failf("node %d opened again is at anchor %d, %x; it was at %d, %x", h.index, after.index, after.last, before.index, before.last)
		}
	}
}

// anyOrder gives all messages of one node to a new one, in a random order.
func (s *sim) anyOrder() {
	h := s.hosts[s.rng.IntN(len(s.hosts))]
	var raws [][]byte
	for r, err := range h.n.store.Select(context.Background(), storage.Query{WithReplaced: true}) {
		s.must(err)
		raws = append(raws, r.Message.Bytes())
	}
	s.rng.Shuffle(len(raws), func(i, j int) { raws[i], raws[j] = raws[j], raws[i] })
	fresh := s.add(keyOf(3000), -1, sound, 2*time.Minute) // nothing is ahead of its clock
	fresh.start()
	for group := range slices.Chunk(raws, 100) {
		fresh.spawn(func(ctx context.Context) {
			_, invalid, err := fresh.n.submitMany(ctx, group, "all", true)
			if invalid != nil || err != nil {
				panic(invalid)
			}
		}, nil)
	}
	// What waits for roots waits no more, and what that decides makes more of them.
	for range 10 {
		fresh.l.houseAt = time.Time{}
		fresh.after(fresh.l.tick(fresh.clock()))
	}
	f, other := fresh.l.finality, h.l.finality
	if f.index != other.index || f.last != other.last || f.ledger.StateHash() != other.ledger.StateHash() {
		s.failf("in another order the messages of node %d give anchor %d, %x; it has %d, %x", h.index, f.index, f.last, other.index, other.last)
	}
}

// prove checks a proof of finality as anybody can.
func (s *sim) prove() {
	var ids []message.ID
	for id := range s.final {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, message.ID.Compare)
	hosts := slices.DeleteFunc(slices.Clone(s.hosts), func(h *host) bool { return h.wrong.Abs() >= time.Minute })
	h, id := hosts[s.rng.IntN(len(hosts))], ids[s.rng.IntN(len(ids)/2)]
	proven := func() bool {
		_, _, err := h.n.store.Signatures(s.final[id])
		return err == nil
	}
	if !s.runUntil(s.now+time.Minute, proven) {
		s.failf("node %d has no proof of anchor %d", h.index, s.final[id])
	}
	h.spawn(func(ctx context.Context) {
		p, err := h.n.Prove(ctx, id)
		if err != nil {
			panic(err)
		}
		if statement, err := p.Verify(s.genesis); err != nil || statement.ID != id {
			panic(err)
		}
	}, nil)
}
