package node

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/genesis"
	"tangled/message"
	"tangled/proof"
)

// sim is a network of real nodes, but for their goroutines and for libp2p: the
// loop, the door, the seats, the tangle, the commit rule, the ledger and the
// store are the product's. One goroutine runs all of them in turn, by a clock of
// its own; all that is random comes from the seed.
type sim struct {
	seed  uint64
	rng   *rand.Rand
	plan  plan
	trace io.Writer // nil for none

	start   time.Time
	now     time.Duration
	planned uint64
	agenda  agenda

	genesis  *genesis.Genesis
	verifier *message.Verifier
	hosts    []*host
	byID     map[peer.ID]*host
	liars    []bool // by seat
	parted   bool
	ending   bool // no more load and trouble

	// What all nodes together have seen and decided.
	all       map[message.ID]*message.Message
	witnesses []map[uint64]message.ID // by seat and round, the last seen
	anchors   []proof.Commitment
	final     map[message.ID]uint64
	forked    bool

	// The model.
	ledgerTime uint64
	model      accounts
	supply     uint64

	load   load
	counts counts
	healed time.Duration // from the end of all trouble to finality
	digest hash.Hash
}

// counts is what happened.
type counts struct {
	anchors, crashes, partitions, equivocations, doubleSpends             int
	lost, rejoins, reissued, capped, fetches, lostFrames, clocks, several int
}

func (c counts) String() string {
	return fmt.Sprintf("anchors %d, crashes %d, partitions %d, equivocations %d, double spends %d; stores lost %d, rejoined %d, reissued %d, capped %d, fetches %d, frames lost %d, clocks set %d, several anchors at once %d",
		c.anchors, c.crashes, c.partitions, c.equivocations, c.doubleSpends, c.lost, c.rejoins, c.reissued, c.capped, c.fetches, c.lostFrames, c.clocks, c.several)
}

func (c *counts) add(other counts) {
	c.anchors += other.anchors
	c.crashes += other.crashes
	c.partitions += other.partitions
	c.equivocations += other.equivocations
	c.doubleSpends += other.doubleSpends
	c.lost += other.lost
	c.rejoins += other.rejoins
	c.reissued += other.reissued
	c.capped += other.capped
	c.fetches += other.fetches
	c.lostFrames += other.lostFrames
	c.clocks += other.clocks
	c.several += other.several
}

// less names what there was less of than there has to be.
func (c counts) less(least counts) (names []string) {
	for _, each := range []struct {
		name       string
		got, least int
	}{
		{"anchors", c.anchors, least.anchors},
		{"crashes", c.crashes, least.crashes},
		{"partitions", c.partitions, least.partitions},
		{"equivocations", c.equivocations, least.equivocations},
		{"double spends", c.doubleSpends, least.doubleSpends},
		{"stores lost", c.lost, least.lost},
		{"rejoined", c.rejoins, least.rejoins},
		{"clocks set", c.clocks, least.clocks},
	} {
		if each.got < each.least {
			names = append(names, fmt.Sprintf("%d %s, at least %d", each.got, each.name, each.least))
		}
	}
	return names
}

// newPlanned makes the network of a plan; nobody is up yet.
func newPlanned(seed uint64, p plan, rng *rand.Rand) *sim {
	s := &sim{
		seed: seed, rng: rng, plan: p,
		start: time.Unix(1_800_000_000, 0).Add(2 * time.Minute), verifier: message.NewVerifier(),
		byID: make(map[peer.ID]*host), all: make(map[message.ID]*message.Message), final: make(map[message.ID]uint64),
		digest: sha256.New(),
	}
	s.genesis = &genesis.Genesis{Name: "sim", Start: s.start.Add(-2 * time.Minute), Window: p.window, MaxIncluded: p.included}
	for i, weight := range p.weights {
		s.genesis.Committee = append(s.genesis.Committee, genesis.Seat{Key: [32]byte(keyOf(i)[32:]), Weight: weight})
		s.witnesses = append(s.witnesses, make(map[uint64]message.ID))
		s.liars = append(s.liars, p.faults[i].lies())
	}
	s.model = accounts{byAddress: make(map[message.Address]*modelAccount), applied: make(map[message.TransferID]uint64)}
	for i := range owners {
		address := message.AddressOf([32]byte(ownerKey(i)[32:]))
		s.genesis.Balances = append(s.genesis.Balances, genesis.Balance{Address: address, Amount: funds})
		s.model.account(address).balance = funds
		s.supply += funds
	}
	s.ledgerTime = uint64(s.genesis.Start.UnixNano())
	for i, f := range p.faults {
		h := s.add(keyOf(i), i, f, p.skews[i])
		if f == twin {
			other := s.add(keyOf(i), i, f, p.skews[i])
			s.join(h, other)
		}
	}
	for i := range p.observers {
		s.add(keyOf(len(p.weights)+i), -1, sound, p.skews[len(p.weights)+i])
	}
	s.connect()
	return s
}

func (s *sim) add(key ed25519.PrivateKey, seat int, f fault, skew time.Duration) *host {
	h := &host{
		s: s, index: len(s.hosts), key: key, seat: seat, fault: f, skew: skew, disk: newDisk(),
		id: peer.ID(fmt.Sprintf("host %d", len(s.hosts))), links: make(map[*host]*link), seen: make(map[[32]byte]time.Duration),
	}
	if skew.Abs() > allowed {
		h.wrong = skew
	}
	s.hosts = append(s.hosts, h)
	s.byID[h.id] = h
	return h
}

// connect makes each a neighbour of the next and of some others.
func (s *sim) connect() {
	for i, h := range s.hosts {
		s.join(h, s.hosts[(i+1)%len(s.hosts)])
		for range 2 {
			s.join(h, s.hosts[s.rng.IntN(len(s.hosts))])
		}
	}
}

func (s *sim) logger(h *host) *slog.Logger {
	if s.trace == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(s.trace, nil)).With("at", s.now, "node", h.index)
}

// up are the hosts that are.
func (s *sim) up() []*host {
	return slices.DeleteFunc(slices.Clone(s.hosts), func(h *host) bool { return h.n == nil })
}

// any is one of the hosts that are up, nil where none is.
func (s *sim) any() *host {
	up := s.up()
	if len(up) == 0 {
		return nil
	}
	return up[s.rng.IntN(len(up))]
}

// note adds to the digest of what happened, and to the trace.
func (s *sim) note(format string, args ...any) {
	line := fmt.Sprintf("%v %d ", s.now, s.planned) + fmt.Sprintf(format, args...)
	_, _ = s.digest.Write([]byte(line))
	if s.trace != nil {
		fmt.Fprintln(s.trace, line)
	}
}

// run is one simulation from the first start to the last check. The error says
// what did not hold.
func (s *sim) run() (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case simFailure:
			err = fmt.Errorf("%s", p)
		default:
			err = fmt.Errorf("at %v: panic: %v\n%s", s.now, p, debug.Stack())
		}
		s.stop()
	}()
	for _, h := range s.hosts {
		s.after(s.upTo(200*time.Millisecond), h.start)
	}
	s.runUntil(time.Second, nil)
	s.trouble()
	s.runUntil(time.Second+s.plan.busy, nil)
	s.end()
	return nil
}

// stop closes what is open.
func (s *sim) stop() {
	for _, h := range s.hosts {
		if h.n != nil && h.n.store != nil {
			h.n.cancel()
			_ = h.n.store.Close()
		}
	}
}

// sum is the digest of the run.
func (s *sim) sum() uint64 { return binary.BigEndian.Uint64(s.digest.Sum(nil)) }
