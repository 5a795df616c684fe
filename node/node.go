package node

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	opts     Options
	rules    message.Rules
	issuer   message.Issuer
	verifier *message.Verifier
	miner    *pow.Miner
	store    *storage.Store
	gossip   *gossip.Gossip
	tips     *tipPool
	recent   recentIDs
	tail     hub
	links    links
	metrics  *metrics
	started  time.Time

	lastStamp atomic.Uint64 // of the newest message issued here
	diskLow   atomic.Bool

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
	n := &Node{
		opts: opts,
		rules: message.Rules{
			Network:  opts.Genesis.Network(),
			Genesis:  opts.Genesis.ID(),
			DataBits: opts.Genesis.DataBits,
		},
		issuer:   message.Issuer(opts.Key[32:]),
		verifier: message.NewVerifier(),
		miner:    pow.New(pow.Options{Workers: opts.Workers}),
		metrics:  newMetrics(opts.Registerer),
		verify:   make(chan *batch, verifyQueue),
		intake:   make(chan *batch, intakeQueue),
		asks:     make(chan func(*loop)),
		done:     make(chan struct{}),
		started:  time.Now(),
		links: links{
			ready:    make(chan struct{}),
			cancel:   make(map[peer.ID]context.CancelFunc),
			complete: make(map[peer.ID]uint64),
		},
	}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := n.open(ctx); err != nil {
		n.cancel()
		return nil, err
	}
	return n, nil
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
	l := &loop{n: n}
	unapproved, err := l.rebuild(ctx)
	if err != nil {
		return errors.Join(err, n.store.Close())
	}
	n.checkDisk()
	g := n.opts.Gossip
	g.Key, g.Network, g.Dir = n.opts.Key, n.rules.Network, n.opts.Dir
	g.Logger, g.Registerer = n.opts.Logger, n.opts.Registerer
	g.Judge, g.ServeFetch, g.ServeTips = n.judgeFrame, n.serveFetch, n.serveTips
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
	close(n.links.ready)
	for _, m := range unapproved {
		n.gossip.Announce(m.Bytes())
	}
	return nil
}

// Close takes nothing more in, answers those who wait, leaves the network and
// closes the store. It may be called twice.
func (n *Node) Close() error {
	n.closing.Do(func() {
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
	if n.diskLow.Load() {
		return ErrDiskLow
	}
	return n.store.Err()
}

// checkDisk compares the room on disk with MinFree. A file system that cannot
// tell is taken to have room.
func (n *Node) checkDisk() {
	free, err := n.store.Free()
	low := err == nil && free < n.opts.MinFree
	if was := n.diskLow.Swap(low); was != low {
		if low {
			n.opts.Logger.Error("disk is nearly full: taking no data", "free_bytes", free, "min_free", n.opts.MinFree)
		} else {
			n.opts.Logger.Info("disk has room again: taking data", "free_bytes", free)
		}
	}
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
	for _, parent := range m.Parents {
		delete(u.own, parent)
	}
}

// rebuild makes the loop's state from the newest part of the store.
func (l *loop) rebuild(ctx context.Context) ([]*message.Message, error) {
	n := l.n
	newest, ok, err := n.store.Newest()
	if err != nil {
		return nil, err
	}
	from := n.rules.Genesis.Timestamp()
	if ok {
		span := uint64(tangle.SettleTime + n.opts.Genesis.Window)
		from = max(from, newest.Timestamp()-min(newest.Timestamp(), span))
	}
	l.tangle = tangle.New(tangle.Options{
		Genesis:     n.rules.Genesis,
		Window:      n.opts.Genesis.Window,
		Stored:      n.store.Has,
		StoredUntil: from,
	})
	n.tips = newTipPool(n.rules.Genesis)
	n.recent = newRecentIDs(recentLimit)
	own := unapproved{issuer: n.issuer, own: make(map[message.ID]*message.Message)}
	for r, err := range n.store.Select(ctx, storage.Query{From: from}) {
		if err != nil {
			return nil, fmt.Errorf("rebuild the live DAG: %w", err)
		}
		seen := time.Unix(0, int64(r.Seen))
		l.offer([]tangle.Solid{l.tangle.Load(r.Message, seen)}, seen)
		n.recent.add(r.Message.ID())
		own.see(r.Message)
	}
	l.refreshSpares()
	n.links.rebuilt = l.tangle.LedgerTime()
	again := make([]*message.Message, 0, len(own.own))
	for _, m := range own.own {
		again = append(again, m)
	}
	return again, nil
}
