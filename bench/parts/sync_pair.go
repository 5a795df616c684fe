package parts

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/genesis"
	"tangled/gossip"
	"tangled/node"
)

const (
	// manyIssuers is how many goroutines issue at the same time: as many as one
	// synced batch takes.
	manyIssuers = 512
	// fewIssuers issue the last readings, each of which approves two tips.
	fewIssuers   = 8
	lastReadings = 2_000
	// progressEvery is after how many readings progress is told.
	progressEvery = 1_000
)

// pair is a node with a history and one without.
type pair struct {
	opts       Options
	genesis    *genesis.Genesis
	swarmKey   gossip.SwarmKey
	source     *node.Node
	target     *node.Node
	registry   *prometheus.Registry // of the target
	goal       uint64               // the anchor of the source to come to
	sourceKey  ed25519.PrivateKey
	targetKey  ed25519.PrivateKey
	sourceInfo peer.AddrInfo
}

func newPair(opts Options) (*pair, error) {
	p := &pair{opts: opts, swarmKey: gossip.NewSwarmKey(), registry: prometheus.NewRegistry()}
	for _, key := range []*ed25519.PrivateKey{&p.sourceKey, &p.targetKey} {
		var err error
		if _, *key, err = ed25519.GenerateKey(nil); err != nil {
			return nil, err
		}
	}
	p.genesis = &genesis.Genesis{
		Name:         "bench",
		Start:        time.Now().UTC(),
		Window:       genesis.DefaultWindow,
		TransferBits: genesis.DefaultTransferBits,
		WitnessBits:  genesis.DefaultWitnessBits,
		MaxIncluded:  genesis.DefaultMaxIncluded,
		Committee:    []genesis.Seat{{Key: [ed25519.PublicKeySize]byte(p.sourceKey[32:]), Weight: 1}},
	}
	return p, nil
}

// close closes the target first: without a neighbour the source need not wait
// until somebody has what it issued last.
func (p *pair) close() error {
	var errs []error
	for _, n := range []*node.Node{p.target, p.source} {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// build opens the source and fills it, and waits until all of it is final and
// signed.
func (p *pair) build(ctx context.Context) (err error) {
	p.source, err = node.Open(ctx, node.Options{
		Dir: p.opts.folder("source"), Genesis: p.genesis, Key: p.sourceKey, Role: node.Permanode, FirstStart: true,
		// The target is let in by its identity, and dials.
		Gossip: gossip.Options{SwarmKey: p.swarmKey, Open: true},
	})
	if err != nil {
		return err
	}
	if err := p.fill(ctx); err != nil {
		return err
	}
	return p.settle(ctx)
}

// fill issues the readings, many at the same time and the last ones by few: those
// approve what the many left as tips, which nobody else would come to approve.
func (p *pair) fill(ctx context.Context) error {
	total := uint64(p.opts.Messages)
	many := total - min(total/2, lastReadings)
	var issued atomic.Uint64
	if err := p.issue(ctx, &issued, many, manyIssuers); err != nil {
		return err
	}
	return p.issue(ctx, &issued, total, fewIssuers)
}

// issue issues readings until there are so many.
func (p *pair) issue(ctx context.Context, issued *atomic.Uint64, until uint64, issuers int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Uint64
	next.Store(issued.Load())
	var telling sync.Mutex
	var workers sync.WaitGroup
	for w := range issuers {
		workers.Go(func() {
			c := newCity(until + uint64(w))
			for i := next.Add(1) - 1; i < until; i = next.Add(1) - 1 {
				if _, err := p.source.Issue(ctx, c.reading(int(i), time.Now())); err != nil {
					cancel(err)
					return
				}
				if n := issued.Add(1); n%progressEvery == 0 {
					telling.Lock()
					p.opts.Progress("history", n, uint64(p.opts.Messages))
					telling.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// settle waits until everything in the source is final and a quorum signed it.
func (p *pair) settle(ctx context.Context) error {
	for {
		next := p.source.NextAnchor()
		info, err := p.source.Info(ctx)
		if err != nil {
			return err
		}
		p.opts.Progress("finality", uint64(p.opts.Messages-min(info.Waiting, p.opts.Messages)), uint64(p.opts.Messages))
		if p.goal == 0 && info.Waiting == 0 {
			p.goal = info.Anchor
		}
		if p.goal > 0 {
			a, err := p.source.Anchor(p.goal)
			if err != nil {
				return err
			}
			if a.Signed > 0 {
				return p.address(info)
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *pair) address(info node.Info) error {
	if len(info.Addrs) == 0 {
		return errors.New("the node listens nowhere")
	}
	p.sourceInfo = peer.AddrInfo{ID: info.PeerID, Addrs: info.Addrs}
	return nil
}

// catchUp opens the target and waits until it has the anchor to come to.
func (p *pair) catchUp(ctx context.Context) (err error) {
	p.target, err = node.Open(ctx, node.Options{
		Dir: p.opts.folder("target"), Genesis: p.genesis, Key: p.targetKey, Role: node.Permanode,
		Gossip: gossip.Options{SwarmKey: p.swarmKey, Peers: []peer.AddrInfo{p.sourceInfo}},
		// However short the history, it is taken over anchor by anchor.
		CatchUpFrom: 1,
		Registerer:  p.registry,
	})
	if err != nil {
		return err
	}
	for {
		next := p.target.NextAnchor()
		last := p.target.LastAnchor()
		p.opts.Progress("sync", min(last, p.goal), p.goal)
		if last >= p.goal {
			return nil
		}
		if err := p.target.Health(); err != nil && !errors.Is(err, node.ErrCatchingUp) {
			return err
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// bytes is how many the encodings of the messages have that the target stored.
func (p *pair) bytes() (uint64, error) {
	families, err := p.registry.Gather()
	if err != nil {
		return 0, err
	}
	for _, f := range families {
		if f.GetName() == "tangled_storage_message_bytes_total" {
			return uint64(f.GetMetric()[0].GetCounter().GetValue()), nil
		}
	}
	return 0, errors.New("the store does not count its bytes")
}

// compare is the commitment that both nodes have for the anchor to come to.
func (p *pair) compare() (string, error) {
	var hashes [2][32]byte
	for i, n := range []*node.Node{p.source, p.target} {
		a, err := n.Anchor(p.goal)
		if err != nil {
			return "", err
		}
		hashes[i] = a.Commitment.Hash()
	}
	if hashes[0] != hashes[1] {
		return "", fmt.Errorf("the nodes differ: anchor %d is %x and %x", p.goal, hashes[0], hashes[1])
	}
	return fmt.Sprintf("%x", hashes[0]), nil
}

// included is how many messages the anchors up to the goal include: all readings,
// and witnesses.
func (p *pair) included() (n uint64, err error) {
	for index := uint64(1); index <= p.goal; index++ {
		a, err := p.target.Anchor(index)
		if err != nil {
			return 0, err
		}
		n += a.Commitment.Count
	}
	if n < uint64(p.opts.Messages) {
		return n, fmt.Errorf("the anchors include %d messages of %d: %w", n, p.opts.Messages, node.ErrNotFinal)
	}
	return n, nil
}
