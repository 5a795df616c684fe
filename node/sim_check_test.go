package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tangled/genesis"
	"tangled/ledger"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
)

// simFailure is why a simulation failed.
type simFailure string

func (s *sim) failf(format string, args ...any) {
	panic(simFailure(fmt.Sprintf("at %v: ", s.now) + fmt.Sprintf(format, args...)))
}

func (s *sim) must(err error) {
	if err != nil {
		s.failf("%v", err)
	}
}

// forkf is what the checker says where two nodes have different anchors.
func (s *sim) forkf(format string, args ...any) {
	s.forked = true
	s.failf("fork: "+format, args...)
}

// saw takes note of messages that a node has before it, and verifies those that
// nobody had before. No honest seat ever wrote two for one round, whoever it
// showed them to.
func (s *sim) saw(h *host, messages ...*message.Message) {
	var fresh []*message.Message
	for _, m := range messages {
		if m != nil && s.all[m.ID()] == nil {
			s.all[m.ID()] = m
			fresh = append(fresh, m)
		}
	}
	if len(fresh) == 0 {
		return
	}
	if errs := s.verifier.VerifyBatch(fresh); errs != nil {
		s.failf("node %d has a message that is badly signed", h.index)
	}
	for _, m := range fresh {
		if m.Kind == message.KindWitness {
			s.sawWitness(m)
		}
	}
}

func (s *sim) sawWitness(m *message.Message) {
	w, err := m.Witness()
	s.must(err)
	s.note("seat %d witness %d: %d refs, %d parents, %v", w.Seat, w.Round, len(w.Refs), len(m.Parents), m.ID())
	of := s.witnesses[w.Seat]
	other, ok := of[w.Round]
	of[w.Round] = m.ID()
	if !ok {
		return
	}
	if !s.liars[w.Seat] {
		s.failf("seat %d wrote two witnesses for round %d: %v and %v", w.Seat, w.Round, other, m.ID())
	}
	s.counts.equivocations++
}

// check compares what a node has made final since the last look with what others
// have, and with the model.
func (h *host) check() {
	f := h.l.finality
	if alarm := h.n.alarm.Load(); alarm != nil {
		h.s.forkf("node %d: %v", h.index, alarm)
	}
	h.durable = h.n.store.Count()
	if f.index > h.checked+1 {
		h.s.counts.several++
	}
	for h.checked < f.index {
		h.checked++
		hash, ok := f.commitments[h.checked]
		if !ok {
			h.s.failf("node %d has no commitment %d", h.index, h.checked)
		}
		if h.checked > uint64(len(h.s.anchors)) {
			h.s.newAnchor(h, h.checked)
		}
		if ours := h.s.anchors[h.checked-1]; ours.Hash() != hash {
			h.s.forkf("commitment %d of node %d is %x, another's is %x", h.checked, h.index, hash, ours.Hash())
		}
		if h.checked == f.index {
			h.checkLedger()
		}
	}
}

// checkLedger compares a node's accounts with the model's, where both are at the
// same anchor. In all, there is always the same.
func (h *host) checkLedger() {
	var supply uint64
	accounts := 0
	for address, a := range h.l.finality.ledger.Accounts() {
		supply += a.Balance
		accounts++
		if want := h.s.model.account(address); h.checked == uint64(len(h.s.anchors)) && want.balance != a.Balance {
			h.s.failf("node %d: account %v owns %d, the model says %d", h.index, address, a.Balance, want.balance)
		}
	}
	if supply != h.s.supply {
		h.s.failf("node %d: all accounts own %d together, at the start it was %d", h.index, supply, h.s.supply)
	}
}

// checkStart is what holds for a node that found its disk again: what was durable
// when it was last seen is, and replay gives what the others have.
func (h *host) checkStart() {
	f, s := h.l.finality, h.s
	if f.index < h.checked || h.n.store.Count() < h.durable {
		s.failf("node %d has %d anchors and %d messages after a restart, it had %d and %d",
			h.index, f.index, h.n.store.Count(), h.checked, h.durable)
	}
	for j := uint64(1); j <= min(f.index, uint64(len(s.anchors))); j++ {
		if hash, ok := f.commitments[j]; ok && hash != s.anchors[j-1].Hash() {
			s.forkf("node %d has another commitment %d after a restart", h.index, j)
		}
	}
	h.checked = min(f.index, uint64(len(s.anchors)))
}

// newAnchor checks an anchor that no node had before against the model.
func (s *sim) newAnchor(h *host, index uint64) {
	raw, err := h.n.store.Commitment(index)
	s.must(err)
	c, err := proof.DecodeCommitment(raw)
	s.must(err)
	var included []storage.Position
	for p, err := range h.n.store.Order(context.Background(), index, 0) {
		s.must(err)
		if p.Anchor > index {
			break
		}
		included = append(included, p)
	}
	ids, now := s.expected(c.Anchor)
	got := make([]message.ID, len(included))
	for i, p := range included {
		got[i] = p.ID
	}
	if !slices.Equal(ids, got) {
		s.failf("anchor %d of node %d includes %d messages, the model %d", index, h.index, len(got), len(ids))
	}
	previous := s.genesis.Hash()
	if index > 1 {
		previous = s.anchors[index-2].Hash()
	}
	if c.Index != index || c.Time != now || c.Previous != previous || c.Count != uint64(len(ids)) {
		s.failf("anchor %d of node %d is %+v, want time %d, previous %x and %d messages", index, h.index, c, now, previous, len(ids))
	}
	s.include(index, now, included)
	s.anchors = append(s.anchors, c)
	s.counts.anchors++
	s.note("anchor %d by node %d: witness of seat %d, %d messages", index, h.index, slices.IndexFunc(s.genesis.Committee, func(seat genesis.Seat) bool { return seat.Key == s.all[c.Anchor].Issuer }), len(ids))
}

// include takes what an anchor includes into the model.
func (s *sim) include(index, now uint64, included []storage.Position) {
	from := s.ledgerTime - min(s.ledgerTime, uint64(s.genesis.Window))
	for _, p := range included {
		if at, ok := s.final[p.ID]; ok {
			s.failf("%v is included by anchors %d and %d", p.ID, at, index)
		}
		s.final[p.ID] = index
	}
	s.ledgerTime = now
	for _, p := range included {
		m := s.all[p.ID]
		for _, edge := range m.Edges() {
			if _, ok := s.final[edge]; !ok && edge.Timestamp() >= from && edge != s.genesis.ID() {
				s.failf("anchor %d includes %v and not %v in its past", index, p.ID, edge)
			}
		}
		want := ledger.Included
		if m.Kind == message.KindTransfer {
			t, err := m.Transfer()
			s.must(err)
			want = s.model.apply(now, t.ID(s.genesis.Network()), &t)
		}
		if got := ledger.Outcome(p.Outcome); got != want {
			s.failf("anchor %d: outcome of %v is %v, the model says %v", index, p.ID, got, want)
		}
		if want == ledger.DoubleSpend {
			s.counts.doubleSpends++
		}
	}
}

// expected is the included set and the ledger time of the next anchor, by the
// words of the rule.
func (s *sim) expected(anchor message.ID) ([]message.ID, uint64) {
	m := s.all[anchor]
	if m == nil || m.Kind != message.KindWitness {
		s.failf("anchor %v is no witness", anchor)
	}
	w, err := m.Witness()
	s.must(err)
	median := s.median(w.Refs)
	from := s.ledgerTime - min(s.ledgerTime, uint64(s.genesis.Window))
	until := max(s.ledgerTime, median) + uint64(time.Minute)
	var ids []message.ID
	seen := make(map[message.ID]bool)
	for todo := []message.ID{anchor}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, ok := s.final[id]; ok || seen[id] || id.Timestamp() < from || id == s.genesis.ID() {
			continue
		}
		seen[id] = true
		ids = append(ids, id)
		m := s.all[id]
		if m == nil {
			s.failf("%v is in the past of anchor %v and was never seen", id, anchor)
		}
		todo = append(todo, m.Edges()...)
	}
	slices.SortFunc(ids, message.ID.Compare)
	ids = slices.DeleteFunc(ids, func(id message.ID) bool { return id.Timestamp() > until })
	if len(ids) <= s.genesis.MaxIncluded {
		return ids, max(s.ledgerTime, median)
	}
	s.counts.capped++
	ids = ids[:s.genesis.MaxIncluded]
	return ids, max(s.ledgerTime, min(median, ids[len(ids)-1].Timestamp()))
}

// median is the least timestamp whose refs reach half of the refs' weight.
func (s *sim) median(refs []message.Ref) uint64 {
	var all uint64
	for _, ref := range refs {
		all += s.genesis.Committee[ref.Seat].Weight
	}
	var least uint64
	for _, candidate := range refs {
		var reached uint64
		for _, ref := range refs {
			if ref.ID.Timestamp() <= candidate.ID.Timestamp() {
				reached += s.genesis.Committee[ref.Seat].Weight
			}
		}
		if t := candidate.ID.Timestamp(); 2*reached >= all && (least == 0 || t < least) {
			least = t
		}
	}
	return least
}
