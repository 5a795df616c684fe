package node

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
	"tangled/seat"
	"tangled/storage"
)

// host is a machine of a simulation: a disk that outlives crashes and, while it is
// up, a real node whose loop the scheduler runs.
type host struct {
	s     *sim
	index int
	id    peer.ID
	key   ed25519.PrivateKey
	seat  int // -1 for none
	fault fault
	skew  time.Duration // of its clock
	wrong time.Duration // what that is while it is wrong, zero for a sound one
	disk  *disk
	side  int // of the partition

	n       *Node // nil while down
	l       *loop
	life    int // counts the starts
	rejoin  *seat.Rejoin
	houseAt time.Duration

	tasks        []*task
	waiting      []*batch // at the door
	waitingTasks []*task

	outbox     [][]byte
	seen       map[[32]byte]time.Duration // frames, as GossipSub remembers them
	links      map[*host]*link
	neighbours []*host

	checked uint64 // anchors compared with those of the others
	durable uint64 // messages stored when last it was up and well
	// The life that ends with the next witness, and what is kept of that.
	doomed, kept int
	crashing     int // the life that a crash is planned for
}

// clock is what the machine shows. Its monotonic reading is right.
func (h *host) clock() time.Time { return instant(h.s.start.Add(h.s.now+h.skew), h.s.now) }

// later plans do for this life of the node.
func (h *host) later(d time.Duration, do func()) {
	life := h.life
	h.s.after(d, func() {
		if h.n != nil && h.life == life {
			do()
		}
	})
}

func (h *host) options() Options {
	return Options{
		Dir: "/node", FS: h.disk.view(), Genesis: h.s.genesis, Key: h.key, MinFree: 1, CacheBytes: 1 << 20,
		Workers: 1, Now: h.clock, Rand: rand.New(rand.NewPCG(h.s.rng.Uint64(), 1)), Logger: h.s.logger(h),
		// The operator knows whether the seat has ever written.
		FirstStart: h.seat < 0 || len(h.s.witnesses[h.seat]) == 0 || h.fault == twin && h.life == 0,
	}
}

// start does what Open does but for the network and the goroutines.
func (h *host) start() {
	s := h.s
	opts := h.options()
	opts.ensureDefaults()
	s.must(opts.validate())
	h.life++
	h.n = newNode(context.Background(), opts)
	h.l = &loop{n: h.n}
	var err error
	h.n.store, err = storage.Open(opts.storeDir(), h.n.rules.Network, storage.Options{FS: opts.FS, CacheBytes: opts.CacheBytes, Logger: opts.Logger})
	var unapproved []*message.Message
	if err == nil {
		unapproved, err = h.l.rebuild(context.Background())
	}
	if h.disk.failed() { // once more, while it starts
		h.down()
		return
	}
	s.must(err)
	h.n.announce, h.n.flush = h.announce, h.flush
	h.n.askTips, h.n.askFetch = h.askTips, h.askFetch
	close(h.n.links.ready)
	for r, err := range h.n.store.Select(context.Background(), storage.Query{Issuer: &h.n.issuer, WithReplaced: true}) {
		s.must(err)
		s.saw(h, r.Message) // it was durable, and nobody knew
	}
	h.checkStart()
	s.note("node %d is up at anchor %d", h.index, h.l.finality.index)
	for _, m := range unapproved {
		h.n.announce(m.Bytes())
	}
	if h.fault != scribe {
		s.must(h.l.takeSeat())
	}
	h.settle()
	h.tickOn()
	h.linksOn()
	for _, other := range h.neighbours {
		h.linkUp(other)
		other.linkUp(h)
	}
}

// tickOn looks at the time as the loop does.
func (h *host) tickOn() {
	h.later(paceEvery, func() {
		var err error
		if h.s.now-h.houseAt >= tickEvery {
			h.houseAt = h.s.now
			err = h.l.tick(h.clock())
		}
		h.after(err)
		h.reissue()
		if h.n != nil {
			h.tickOn()
		}
	})
}

// reissue does what the reissuer does.
func (h *host) reissue() {
	for h.n != nil {
		select {
		case id := <-h.n.reissue:
			h.spawn(func(ctx context.Context) {
				if err := h.n.reissueOne(ctx, id); err != nil && ctx.Err() == nil && !h.tooLate(err) {
					panic(fmt.Sprintf("reissue %v: %v", id, err))
				}
			}, func() { h.s.counts.reissued++ })
		default:
			return
		}
	}
}

// process gives the loop a group of batches.
func (h *host) process(group ...*batch) {
	h.after(h.l.process(group))
}

// processOwn gives the loop what the node itself made. Where the power failed
// nobody has seen it.
func (h *host) processOwn(b *batch) {
	err := h.l.process([]*batch{b})
	if !h.disk.failed() {
		h.s.saw(h, b.messages...)
	}
	h.after(err)
}

// after goes on behind a step of the loop.
func (h *host) after(err error) {
	if err != nil && !h.disk.failed() {
		h.s.failf("node %d: %v", h.index, err)
	}
	h.settle()
}

// settle does what the loop does at the end of each turn. Then what must always
// hold is checked.
func (h *host) settle() {
	if h.disk.failed() {
		h.down()
		return
	}
	h.disk.rest()
	h.drawNonce()
	h.l.keepPace(h.clock())
	h.drawNonce()
	for _, c := range h.l.chores {
		h.later(h.s.upTo(3*time.Millisecond), func() { h.do(c) })
	}
	h.l.chores = h.l.chores[:0]
	h.check()
}

// do issues a message of the node's own.
func (h *host) do(c chore) {
	if c.witness != nil && h.doomed == h.life {
		h.disk.plan(1, 0, h.kept, h.s.rng.Uint64())
	}
	h.spawn(func(ctx context.Context) {
		if err := h.n.do(ctx, c); err != nil && ctx.Err() == nil && !h.tooLate(err) {
			panic(fmt.Sprintf("own message: %v", err))
		}
	}, nil)
}

// drawNonce puts a nonce of the simulation in place of one that is truly random.
func (h *host) drawNonce() {
	w := h.l.writer
	if w == nil || w.rejoin == h.rejoin {
		return
	}
	if h.fault == twin {
		// It takes the other's witnesses for its own.
		w.pace = seat.NewPacemaker(seat.Options{
			Committee: h.l.finality.committee, Seat: w.number, Start: h.l.finality.graph.Highest(w.number) + 1,
		})
		w.rejoin = nil
		return
	}
	if h.rejoin = w.rejoin; w.rejoin == nil {
		return
	}
	var nonce seat.Nonce
	for i := range nonce {
		nonce[i] = byte(h.s.rng.Uint32())
	}
	w.rejoin = seat.NewRejoin(h.l.finality.committee, w.number, nonce)
	h.rejoin = w.rejoin
	h.s.counts.rejoins++
}

// down is the end of a life: the power failed.
func (h *host) down() {
	s := h.s
	s.counts.crashes++
	s.note("node %d is down", h.index)
	n := h.n
	h.n, h.l, h.rejoin = nil, nil, nil
	h.outbox = nil
	n.cancel()
	close(n.done)
	h.endTasks()
	for _, l := range h.links {
		l.busy = false
	}
	if n.store != nil {
		_ = n.store.Close() // of a disk that is no more
	}
	s.after(s.between(50*time.Millisecond, 3*time.Second), func() {
		h.disk.turnOn()
		h.start()
	})
}

// forget is the loss of the store, found when the power came back.
func (h *host) forget() {
	h.disk.fail(0, 1)
	h.disk.found = newDisk().fs
	h.checked, h.durable = 0, 0
	h.s.counts.lost++
	for i, m := range h.s.load.issued {
		if m.by == h {
			h.s.load.issued[i].lost = !slices.ContainsFunc(h.s.hosts, func(o *host) bool {
				return o != h && (o.n == nil || o.n.store.Has(m.id))
			})
		}
	}
}

// announce is what the node has gossip do. It leaves at the next flush, or soon.
func (h *host) announce(raw []byte) {
	h.outbox = append(h.outbox, raw)
	if len(h.outbox) == 1 {
		h.later(5*time.Millisecond, h.flush)
	}
}

// flush sends what was announced in frames, to all neighbours.
func (h *host) flush() {
	if h.disk.failed() {
		h.outbox = nil // the power had failed by then
		return
	}
	for len(h.outbox) > 0 {
		n := min(len(h.outbox), gossip.MaxFrameMessages)
		f := newFrame(h.outbox[:n])
		h.outbox = h.outbox[n:]
		if h.saw(f) {
			continue // GossipSub sends a frame once, whatever it is told
		}
		for _, other := range h.neighbours {
			h.send(other, f)
		}
	}
	h.outbox = nil
}

// frame is what gossip carries.
type frame struct {
	id   [32]byte
	raws [][]byte
}

func newFrame(raws [][]byte) *frame {
	sum := sha256.New()
	for _, raw := range raws {
		sum.Write(raw)
	}
	return &frame{[32]byte(sum.Sum(nil)), raws}
}

// seenFor is how long GossipSub remembers a frame.
const seenFor = 2 * time.Minute

func (h *host) saw(f *frame) bool {
	at, ok := h.seen[f.id]
	if ok && h.s.now-at < seenFor {
		return true
	}
	h.seen[f.id] = h.s.now
	return false
}

// hear takes a frame in and hands it on.
func (h *host) hear(from *host, f *frame) {
	if h.n == nil || h.saw(f) {
		return
	}
	h.s.note("node %d hears %x of node %d", h.index, f.id[:4], from.index)
	var verdict gossip.Verdict
	h.spawn(func(ctx context.Context) { verdict = h.n.judgeFrame(ctx, from.id, f.raws) }, func() {
		switch verdict {
		case gossip.Reject:
			h.s.failf("node %d refuses a frame of node %d", h.index, from.index)
		case gossip.Accept:
			for _, other := range h.neighbours {
				if other != from {
					h.send(other, f)
				}
			}
		}
	})
}
