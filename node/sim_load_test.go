package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"time"

	"tangled/message"
)

const (
	owners = 6
	funds  = 1000
)

func ownerKey(i int) ed25519.PrivateKey { return keyOf(1000 + i) }

// issued is a message that a node acknowledged.
type issued struct {
	id       message.ID
	by       *host
	transfer *message.TransferID // nil for a reading
	until    uint64              // the transfer is valid
	lost     bool                // with the only store that had it; at others it waits for parents at most
}

// load is what clients do.
type load struct {
	seq    int
	issued []issued
	nonces [owners]uint64
	lazy   []message.ID // what a lazy issuer approves
	stamp  uint64       // of the newest message made outside the nodes
}

func (s *sim) startLoad() {
	s.whileBusy(s.plan.readings/2, 2*s.plan.readings, func() {
		if h := s.any(); h != nil {
			s.read(h)
		}
	})
	s.whileBusy(200*time.Millisecond, time.Second, s.pay)
	s.whileBusy(3*time.Second, 6*time.Second, s.spam)
	s.whileBusy(500*time.Millisecond, 2*time.Second, s.beLazy)
	s.after(s.between(s.plan.busy/2, 3*s.plan.busy/4), s.parasite)
}

// read has a node issue a reading.
func (s *sim) read(h *host) {
	s.load.seq++
	d := message.Data{Topic: fmt.Sprintf("city/%d", s.load.seq%5), Content: fmt.Appendf(nil, "%d", s.load.seq)}
	var id message.ID
	var err error
	h.spawn(func(ctx context.Context) { id, err = h.n.Issue(ctx, d) }, func() {
		if h.tooLate(err) {
			return
		}
		s.must(err)
		s.load.issued = append(s.load.issued, issued{id: id, by: h})
	})
}

// tooLate tells whether a node could not issue anything because its clock is
// behind by more than the window.
func (h *host) tooLate(err error) bool {
	return err != nil && h.wrong < 0 && strings.HasSuffix(err.Error(), "it is stale")
}

// transfer makes one that is signed.
func (s *sim) transfer(owner int, nonce, amount uint64, to int, validFor time.Duration) message.Transfer {
	t := message.Transfer{
		Nonce: nonce, ValidUntil: uint64(s.start.Add(s.now + validFor).UnixNano()),
		Outputs: []message.Output{{Address: message.AddressOf([32]byte(ownerKey(to)[32:])), Amount: amount}},
	}
	t.Sign(s.genesis.Network(), ownerKey(owner))
	return t
}

// submit brings a transfer to a node.
func (s *sim) submit(h *host, t message.Transfer) {
	if h == nil || h.n == nil {
		return
	}
	var id message.ID
	var err error
	h.spawn(func(ctx context.Context) { id, err = h.n.Transfer(ctx, t) }, func() {
		if h.tooLate(err) {
			return
		}
		s.must(err)
		txid := t.ID(s.genesis.Network())
		s.load.issued = append(s.load.issued, issued{id: id, by: h, transfer: &txid, until: t.ValidUntil})
	})
}

// pay brings a transfer to one node or, the same, to two. Some are of too much, of
// a nonce too far or soon expired.
func (s *sim) pay() {
	owner := s.rng.IntN(owners)
	nonce, amount, validFor := s.load.nonces[owner], 1+s.rng.Uint64N(20), 5*time.Minute
	switch s.rng.IntN(12) {
	case 0:
		amount = 10 * funds
	case 1:
		nonce += 100
	case 2:
		validFor = time.Second
	case 3:
		nonce += 2 // the ones between come later, or never
	default:
		s.load.nonces[owner]++
	}
	t := s.transfer(owner, nonce, amount, s.rng.IntN(owners), validFor)
	s.submit(s.any(), t)
	if s.chance(4) {
		s.submit(s.any(), t)
	}
}

// spendOnBothSides spends one nonce on either side of a partition.
func (s *sim) spendOnBothSides() {
	owner := s.rng.IntN(owners)
	nonce := s.load.nonces[owner]
	s.load.nonces[owner]++
	for side := range 2 {
		hosts := slices.DeleteFunc(s.up(), func(h *host) bool { return h.side != side })
		if len(hosts) > 0 {
			s.submit(hosts[s.rng.IntN(len(hosts))], s.transfer(owner, nonce, uint64(10+side), (owner+1+side)%owners, 5*time.Minute))
		}
	}
}

// spam brings many spends of one nonce to nodes all over.
func (s *sim) spam() {
	owner := s.rng.IntN(owners)
	nonce := s.load.nonces[owner]
	s.load.nonces[owner]++
	for i := range uint64(10) {
		s.submit(s.any(), s.transfer(owner, nonce, 1+i, s.rng.IntN(owners), 5*time.Minute))
	}
}

// outsider signs what no node issues: a device that chooses its parents itself.
var outsider = keyOf(2000)

// outside makes a reading with parents of one's own choice.
func (s *sim) outside(stamp uint64, parents ...message.ID) *message.Message {
	s.load.seq++
	d := message.Data{Topic: "city/outside", Content: fmt.Appendf(nil, "%d", s.load.seq)}
	slices.SortFunc(parents, message.ID.Compare)
	draft := message.Draft{
		Network: s.genesis.Network(), Timestamp: stamp, Parents: slices.Compact(parents), Kind: message.KindData, Payload: d.Append(nil),
	}
	m, err := draft.Sign(outsider)
	s.must(err)
	return m
}

// beLazy issues a message that approves the same old ones again and again.
func (s *sim) beLazy() {
	h := s.any()
	if h == nil {
		return
	}
	if len(s.load.lazy) < 2 || s.chance(20) {
		p := h.n.Prepare()
		s.load.lazy = p.Parents
		return
	}
	now := uint64(h.clock().UnixNano())
	s.load.stamp = max(s.load.stamp+1, now, s.load.lazy[len(s.load.lazy)-1].Timestamp()+1)
	s.inject(h, s.outside(s.load.stamp, slices.Clone(s.load.lazy)...))
}

// inject brings messages to a node in frames, as if a neighbour had them.
func (s *sim) inject(h *host, messages ...*message.Message) {
	from := h.neighbours[s.rng.IntN(len(h.neighbours))]
	for group := range slices.Chunk(messages, 64) {
		var raws [][]byte
		for _, m := range group {
			raws = append(raws, m.Bytes())
		}
		f := newFrame(raws)
		s.after(s.upTo(s.plan.delay), func() { h.hear(from, f) })
	}
}

// parasite shows a chain that was made in secret: each message approves the two
// before it, all are older than what the network has by now.
func (s *sim) parasite() {
	h := s.any()
	if h == nil || s.plan.parasite == 0 {
		return
	}
	p := h.n.Prepare()
	if len(p.Parents) < 2 {
		return
	}
	last, before := p.Parents[1], p.Parents[0]
	stamp := last.Timestamp()
	var chain []*message.Message
	for range s.plan.parasite {
		stamp += 1 + s.rng.Uint64N(uint64(time.Millisecond/4))
		m := s.outside(stamp, before, last)
		chain = append(chain, m)
		before, last = last, m.ID()
	}
	// In the time that the chain took its stamps have become old.
	s.after(5*time.Second, func() {
		if h := s.any(); h != nil {
			s.inject(h, chain...)
		}
	})
}
