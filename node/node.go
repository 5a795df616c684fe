package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
	"tangled/pow"
	"tangled/storage"
	"tangled/tangle"
)

// Node is a running node. Its methods may be called from many goroutines.
type Node struct {
	opts      Options
	rules     message.Rules
	issuer    message.Issuer
	verifier  *message.Verifier
	mine      func(ctx context.Context, hash [32]byte, bits int) (nonce uint64, err error)
	store     *storage.Store
	gossip    *gossip.Gossip
	announce  func(raw []byte) // to the neighbours, soon
	flush     func()           // at once
	askTips   func(ctx context.Context, of peer.ID, ours []message.ID) ([]message.ID, error)
	askFetch  func(ctx context.Context, of peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error)
	askSync   func(ctx context.Context, of peer.ID, request []byte) ([]byte, error)
	tips      *tipPool
	recent    recentIDs
	tail      hub
	links     links
	standings standings
	history   turn
	fetches   budgets
	brake     brake
	metrics   *metrics
	started   time.Time

	lastStamp atomic.Uint64 // of the newest message issued here
	diskLow   atomic.Bool
	diskShort atomic.Bool // soon low
	catching  atomic.Bool
	leaving   atomic.Bool
	alarm     atomic.Pointer[Alarm]
	anchored  bell // an anchor was applied
	signed    bell // a quorum's signatures over one are here

	snapshotTurn chan frozenAnchor // to the keeper
	ledgerTime   atomic.Uint64     // T_j of the last anchor
	pruning      sync.Mutex        // held by whoever deletes
	syncing      sync.Mutex        // held by the link that catches up
	reissue      chan message.ID
	damaged      chan uint64 // anchors with messages that cannot be read

	// For the verifiers and the loop.
	verify chan *batch
	intake chan *batch
	asks   chan func(*loop)

	// ctx ends when Close begins or the store failed; done is closed when the
	// loop has ended, failure is set before.
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	workers sync.WaitGroup
	failure error

	closing  sync.Once
	closeErr error
}

// Open starts a node: it opens the store, rebuilds the live part of the DAG
// from it, joins its neighbours and announces again what it issued and nobody
// else has approved yet. The errors are those of storage.Open and gossip.Open,
// or name the option that is wrong. Background work ends with Close, not with
// ctx, which bounds Open alone.
func Open(ctx context.Context, opts Options) (*Node, error) {
	opts.ensureDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	n := newNode(ctx, opts)
	if err := n.open(ctx); err != nil {
		n.cancel()
		return nil, err
	}
	return n, nil
}

// newNode makes a node of valid options that has neither store nor neighbours
// yet.
func newNode(ctx context.Context, opts Options) *Node {
	n := &Node{
		opts: opts,
		rules: message.Rules{
			Network:      opts.Genesis.Network(),
			Genesis:      opts.Genesis.ID(),
			DataBits:     opts.Genesis.DataBits,
			TransferBits: opts.Genesis.TransferBits,
			WitnessBits:  opts.Genesis.WitnessBits,
		},
		issuer:   message.Issuer(opts.Key[32:]),
		verifier: message.NewVerifier(),
		mine:     pow.New(pow.Options{Workers: opts.Workers}).Mine,
		metrics:  newMetrics(opts.Registerer),
		verify:   make(chan *batch, verifyQueue),
		intake:   make(chan *batch, intakeQueue),
		asks:     make(chan func(*loop)),
		reissue:  make(chan message.ID, reissueQueue),
		damaged:  make(chan uint64, mendQueue),

		snapshotTurn: make(chan frozenAnchor, 1),
		done:         make(chan struct{}),
		tips:         newTipPool(opts.Genesis.ID(), opts.Rand),
		recent:       newRecentIDs(recentLimit),
		started:      opts.Now(),
		links: links{
			ready:  make(chan struct{}),
			cancel: make(map[peer.ID]context.CancelFunc),
		},
	}
	for _, seat := range opts.Genesis.Committee {
		n.rules.Seats = append(n.rules.Seats, seat.Key)
	}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return n
}

func (n *Node) open(ctx context.Context) (err error) {
	n.store, err = storage.Open(n.opts.storeDir(), n.rules.Network, storage.Options{
		FS: n.opts.FS, CacheBytes: n.opts.CacheBytes, Logger: n.opts.Logger, Registerer: n.opts.Registerer,
	})
	if err != nil {
		return err
	}
	// Behind the store, which syncs the folders that it makes; this is for a
	// store on another file system.
	if err := os.MkdirAll(n.opts.Dir, 0o700); err != nil {
		return errors.Join(fmt.Errorf("data directory: %w", err), n.store.Close())
	}
	l := &loop{n: n, waiters: make(waiters)}
	if err := l.seedAgain(ctx); err != nil {
		return errors.Join(err, n.store.Close())
	}
	if err := n.checkTrust(); err != nil {
		return errors.Join(err, n.store.Close())
	}
	unapproved, err := l.rebuild(ctx)
	if err != nil {
		return errors.Join(err, n.store.Close())
	}
	n.checkDisk()
	g := n.opts.Gossip
	g.Key, g.Network, g.Dir = n.opts.Key, n.rules.Network, n.opts.Dir
	g.Logger, g.Registerer = n.opts.Logger, n.opts.Registerer
	g.Judge, g.ServeFetch, g.ServeTips, g.ServeSync = n.judgeFrame, n.serveFetch, n.serveTips, n.serveSync
	g.Connected, g.Disconnected = n.connected, n.disconnected
	// The loop runs before gossip does: peers may speak at once.
	n.workers.Add(n.opts.Workers)
	for range n.opts.Workers {
		go n.runVerifier()
	}
	go l.run()
	if n.gossip, err = gossip.Open(ctx, g); err != nil {
		n.cancel()
		<-n.done
		n.workers.Wait()
		return errors.Join(err, n.store.Close())
	}
	n.announce, n.flush = n.gossip.Announce, n.gossip.Flush
	n.askTips, n.askFetch, n.askSync = n.gossip.ExchangeTips, n.gossip.Fetch, n.gossip.Sync
	// Not before: what it issues is announced.
	n.workers.Add(3)
	go n.runReissuer()
	go n.runMender()
	go n.runKeeper()
	close(n.links.ready)
	for _, m := range unapproved {
		n.announce(m.Bytes())
	}
	var seatErr error
	if err := n.ask(ctx, func(l *loop) { seatErr = l.takeSeat() }); err != nil || seatErr != nil {
		return errors.Join(err, seatErr, n.Close())
	}
	return nil
}

// Close takes nothing more in, waits a little until others have what this node
// issued last, answers those who wait, leaves the network and closes the store. It
// may be called twice.
func (n *Node) Close() error {
	n.closing.Do(func() {
		n.leave()
		n.cancel()
		err := n.gossip.Close()
		n.links.wait()
		<-n.done
		n.workers.Wait()
		n.closeErr = errors.Join(err, n.store.Close())
	})
	return n.closeErr
}

// Health is nil while the node takes data, and otherwise says why it does not:
// ErrDiskLow, ErrClosed, or what made the store fail.
func (n *Node) Health() error {
	select {
	case <-n.done:
		if n.failure != nil {
			return n.failure
		}
		return ErrClosed
	default:
	}
	if err := n.ready(); err != nil {
		return err
	}
	return n.store.Err()
}

// ask runs f in the loop and waits for it.
func (n *Node) ask(ctx context.Context, f func(*loop)) error {
	answered := make(chan struct{})
	select {
	case n.asks <- func(l *loop) { f(l); close(answered) }:
	case <-n.done:
		return n.closedErr()
	case <-ctx.Done():
		return ctx.Err()
	}
	<-answered // the loop answers what it took
	return nil
}

func (n *Node) closedErr() error {
	if n.failure != nil {
		return fmt.Errorf("%w: %w", ErrClosed, n.failure)
	}
	return ErrClosed
}

// unapproved remembers, while the store is read at Open, which of our own
// messages no other issuer's message has approved: they may have been lost
// between their acknowledgement and their announcement.
type unapproved struct {
	issuer message.Issuer
	own    map[message.ID]*message.Message
}

func (u *unapproved) see(m *message.Message) {
	if m.Issuer == u.issuer {
		u.own[m.ID()] = m
		return
	}
	for _, edge := range m.Edges() {
		delete(u.own, edge)
	}
}

// rebuild makes the loop's state from the store, at Open and whenever the store
// went ahead of it: the accounts and commitments of the last anchor, the newest
// part of the DAG, and the witnesses of the rounds that are not decided. It
// returns our own messages to announce again.
func (l *loop) rebuild(ctx context.Context) ([]*message.Message, error) {
	n := l.n
	f, err := newFinality(n.opts.Genesis, n.store)
	if err != nil {
		return nil, err
	}
	l.finality = f
	n.ledgerTime.Store(l.finality.time)
	l.open = make(map[message.ID]struct{})
	l.confidence, l.approval, l.stale, l.told = nil, nil, reissuing{}, nil
	from, ledgerTime, err := n.liveFrom(l.finality)
	if err != nil {
		return nil, err
	}
	l.tangle = tangle.New(tangle.Options{
		Genesis:     n.rules.Genesis,
		Window:      n.opts.Genesis.Window,
		LedgerTime:  ledgerTime,
		Stored:      n.store.Has,
		StoredUntil: from,
		Edges:       n.storedEdges,
		Final:       n.storedFinal,
		MaxVertices: maxVertices,
	})
	n.tips.clear()
	own := unapproved{issuer: n.issuer, own: make(map[message.ID]*message.Message)}
	for r, err := range n.store.Select(ctx, storage.Query{From: from, WithFinal: true, WithReplaced: true}) {
		if err != nil {
			return nil, fmt.Errorf("rebuild the live DAG: %w", err)
		}
		seen := time.Unix(0, int64(r.Seen))
		l.offer([]tangle.Solid{l.tangle.Load(r.Message, seen, r.Final != nil)}, seen)
		n.recent.add(r.Message.ID())
		own.see(r.Message)
		if r.Final == nil && r.Message.Kind != message.KindWitness {
			l.open[r.Message.ID()] = struct{}{}
		}
	}
	l.refreshSpares()
	n.standings.rebuild(l.tangle.LedgerTime())
	if err := l.recount(ctx); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(own.own), func(a, b *message.Message) int { return a.ID().Compare(b.ID()) }), nil
}

// liveFrom is the timestamp from which messages are read into memory at Open,
// and the ledger time there.
func (n *Node) liveFrom(f *finality) (from, ledgerTime uint64, err error) {
	ledgerTime = f.time
	if f.graph == nil {
		newest, ok, err := n.store.Newest()
		if err != nil {
			return 0, 0, err
		}
		if ok {
			ledgerTime = max(ledgerTime, newest.Timestamp()-min(newest.Timestamp(), uint64(settleTime)))
		}
	}
	from = ledgerTime - min(ledgerTime, uint64(n.opts.Genesis.Window))
	// Under load, or after a long time without an anchor, the window holds far more
	// than is needed to go on.
	oldest, ok, err := n.store.Back(openVertices)
	if ok {
		from = max(from, oldest.Timestamp())
	}
	return max(from, n.rules.Genesis.Timestamp()), ledgerTime, err
}

// recount takes the witnesses of undecided rounds into the witness graph again.
// Anchors that they decide were decided before and not yet durable.
func (l *loop) recount(ctx context.Context) error {
	f := l.finality
	if f.graph == nil {
		return nil
	}
	l.tally = newTally(f.committee)
	for id, err := range l.n.store.Witnesses(ctx, 0, 3*f.graph.NextWave()) {
		if err != nil {
			return fmt.Errorf("rebuild the witness graph: %w", err)
		}
		r, err := l.n.store.Get(id)
		if err != nil {
			return err
		}
		w, err := r.Message.Witness()
		if err != nil {
			return err
		}
		if err := l.count(r.Message, w); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) storedEdges(id message.ID) []message.ID {
	r, err := n.store.Get(id)
	if err != nil {
		return nil
	}
	return r.Message.Edges()
}

func (n *Node) storedFinal(id message.ID) bool {
	_, ok, err := n.store.Final(id)
	return err == nil && ok
}
