package node

import (
	"context"
	"slices"
	"time"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	"tangled/message"
)

// scribble has a seat's witnesses written by the simulation, from what its node
// knows, as long as there is a network. The node itself is an honest one that
// holds no seat.
func (s *sim) scribble(h *host) {
	l := &liar{s: s, h: h}
	s.every(170*time.Millisecond, l.turn)
}

type liar struct {
	s        *sim
	h        *host
	previous message.ID
	round    uint64       // the highest written
	parents  []message.ID // of old witnesses and messages, to approve again
}

// turn writes what harms most, or nothing.
func (l *liar) turn() {
	s := l.s
	if l.h.n == nil {
		return
	}
	g := l.h.l.finality.graph
	next := g.QuorumRound() + 1
	if next <= l.round && !s.chance(6) {
		return
	}
	refs := g.Refs(next - 1)
	switch s.rng.IntN(10) {
	case 0: // silent in this round
		l.round = next
	case 1, 2: // like anybody
		l.show(l.write(next, refs), s.hosts)
	case 3, 4: // one for these, another for those
		these, those := l.halves()
		a, b := l.write(next, refs), l.write(next, l.fewer(refs))
		l.show(a, these)
		l.show(b, those)
	case 5: // for one alone, or late
		m := l.write(next, l.fewer(refs))
		to := s.hosts[s.rng.IntN(len(s.hosts))]
		s.after(s.upTo(4*time.Second), func() { l.show(m, []*host{to}) })
	case 6: // three and more for a round
		for range 3 + s.rng.IntN(3) {
			if l.h.n == nil {
				return // it crashed with the last
			}
			l.show(l.write(next, l.fewer(refs)), []*host{s.hosts[s.rng.IntN(len(s.hosts))]})
		}
	case 7: // refs that are not what they claim
		l.show(l.write(next, l.distort(refs)), s.hosts)
	case 8: // of a round long decided, or far away
		round := 1 + s.rng.Uint64N(2*next)
		if round > 1 && len(refs) > 0 {
			l.show(l.write(round, refs), s.hosts)
		}
	case 9: // two that the leader's voters see, half of them each
		these, those := l.halves()
		a, b := l.write(next, refs), l.write(next, refs)
		l.show(a, these)
		s.after(s.upTo(600*time.Millisecond), func() { l.show(b, those) })
	}
}

func (l *liar) halves() (these, those []*host) {
	for _, h := range l.s.hosts {
		if l.s.chance(2) {
			these = append(these, h)
		} else {
			those = append(those, h)
		}
	}
	return these, those
}

// fewer leaves some refs out, now and then so many that the rest is no quorum.
func (l *liar) fewer(refs []message.Ref) []message.Ref {
	refs = slices.Clone(refs)
	for len(refs) > 1 && l.s.chance(2) {
		at := l.s.rng.IntN(len(refs))
		refs = slices.Delete(refs, at, at+1)
	}
	return refs
}

// distort makes a ref name what it must not.
func (l *liar) distort(refs []message.Ref) []message.Ref {
	refs = slices.Clone(refs)
	if len(refs) == 0 {
		return refs
	}
	at := l.s.rng.IntN(len(refs))
	switch l.s.rng.IntN(4) {
	case 0: // the witness of another seat
		refs[at].ID = refs[l.s.rng.IntN(len(refs))].ID
	case 1: // no witness, or one of another round
		refs[at].ID = l.h.l.tangle.NewestApproved()
	case 2: // one of its own of another round
		if l.previous != (message.ID{}) {
			refs[at].ID = l.previous
		}
	case 3: // what is nowhere
		refs[at].ID = message.NewID(refs[at].ID.Timestamp(), [32]byte{byte(l.s.rng.Uint32())})
	}
	return refs
}

// write makes a witness that is valid as a message.
func (l *liar) write(round uint64, refs []message.Ref) *message.Message {
	s, n := l.s, l.h.n
	w := message.Witness{Seat: uint8(l.h.seat), Round: round, Refs: refs, Previous: l.previous}
	if round == 1 {
		w.Refs = nil
	}
	f := l.h.l.finality
	w.Commit = message.Commit{Index: f.index, Hash: f.last}
	switch s.rng.IntN(8) {
	case 0:
		w.Commit.Hash[0] ^= 1
	case 1:
		w.Commit.Index += s.rng.Uint64N(5)
	}
	w.Commit.Signature = [64]byte(voi.Sign(voi.PrivateKey(l.h.key), message.CommitSigningBytes(n.rules.Network, 0, w.Commit.Index, w.Commit.Hash)))
	now := n.opts.Now()
	after := l.previous.Timestamp()
	for _, ref := range w.Refs {
		after = max(after, ref.ID.Timestamp())
	}
	parents := n.tips.pickMany(now, 1+s.rng.IntN(8), nil)
	if len(l.parents) > 0 && s.chance(3) {
		parents = slices.Clone(l.parents) // nothing new
	}
	l.parents = parents
	after = max(after, parents[len(parents)-1].Timestamp())
	stamp := max(after+1, uint64(now.UnixNano()))
	switch s.rng.IntN(6) {
	case 0:
		stamp = after + 1
	case 1:
		stamp = max(after+1, uint64(now.Add(s.upTo(4900*time.Millisecond)).UnixNano()))
	case 2:
		if s.chance(10) {
			stamp = max(after+1, uint64(now.Add(s.upTo(70*time.Second)).UnixNano()))
		}
	}
	draft := message.Draft{Network: n.rules.Network, Timestamp: stamp, Parents: parents, Kind: message.KindWitness, Payload: w.Append(nil)}
	m, err := draft.Sign(l.h.key)
	s.must(err)
	l.round = max(l.round, round)
	if !s.chance(5) && stamp < uint64(now.Add(5*time.Second).UnixNano()) {
		l.previous = m.ID()
	}
	return m
}

// show sends a witness straight to some, partition or not, and gives it to the
// liar's own node, so that it is found by whoever asks.
func (l *liar) show(m *message.Message, to []*host) {
	s := l.s
	f := newFrame([][]byte{m.Bytes()})
	for _, other := range to {
		if other == l.h {
			continue
		}
		d, _ := l.h.travel(other)
		s.after(d, func() { other.hear(l.h, f) })
	}
	if l.h.n != nil {
		l.h.spawn(func(ctx context.Context) { _, _, _ = l.h.n.submitMany(ctx, f.raws, "itself", true) }, nil)
	}
}
