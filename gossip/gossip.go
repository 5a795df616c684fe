package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"
)

// Gossip is one node's place on the network. Its methods may be called from any
// goroutine.
type Gossip struct {
	opts     Options
	log      *slog.Logger
	metrics  *metrics
	peers    *peerTable
	host     host.Host
	protocol protocol.ID
	topic    *pubsub.Topic
	outbox   *outbox
	serving  slots
	asking   chan struct{} // a slot for each exchange this node began

	// ctx is the parent of all this value starts, from Open to Close; handlers that
	// libp2p calls have no other.
	ctx    context.Context
	cancel context.CancelFunc
	work   work
	// closeHost runs once; whoever calls Close later waits for it too.
	closeHost func() error

	editing sync.Mutex // held while the list of neighbours and its file change

	mu       sync.Mutex
	diallers map[peer.ID]*dialler
	untold   map[peer.ID]struct{} // peers whose sessions changed
	news     chan struct{}        // has a value when untold has
}

// Open listens and starts to connect. The context bounds Open alone; what it
// starts runs until Close. An address that cannot be had is a *ListenError.
func Open(ctx context.Context, options Options) (*Gossip, error) {
	o := options.clone()
	if err := o.ensureDefaults(); err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	g, err := newGossip(context.WithoutCancel(ctx), o)
	if err != nil {
		return nil, err
	}
	if err := g.start(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// newGossip builds everything and starts nothing of ours.
func newGossip(ctx context.Context, o Options) (*Gossip, error) {
	self, err := identity(o.Key)
	if err != nil {
		return nil, err
	}
	known, err := openNeighbours(o.Dir, o.Peers, self)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	peers := newPeerTable(&o, known, m)
	h, err := newHost(&o, peers)
	if err != nil {
		m.unregister(o.Registerer)
		return nil, err
	}
	g := &Gossip{
		opts: o, log: o.Logger, metrics: m, peers: peers, host: h,
		protocol: protocol.ID(exchangeProtocol(&o)),
		outbox:   newOutbox(m),
		serving:  slots{peers: make(map[peer.ID]int)},
		asking:   make(chan struct{}, maxAsking),
		diallers: make(map[peer.ID]*dialler),
		untold:   make(map[peer.ID]struct{}),
		news:     make(chan struct{}, 1),
	}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.closeHost = sync.OnceValue(func() error {
		m.unregister(o.Registerer)
		return h.Close()
	})
	return g, nil
}

// start lets peers in, last of all: the first frame finds everything in place.
func (g *Gossip) start() error {
	g.host.Network().Notify(notifiee{g}.notifiee())
	g.host.SetStreamHandler(g.protocol, g.handle)
	if err := g.startPubSub(g.ctx); err != nil {
		return err
	}
	g.work.start(func() { g.outbox.run(g.ctx, g.publish) })
	g.work.start(func() { g.tell(g.ctx) })
	g.work.start(func() { g.watchMutes(g.ctx) })
	if err := listen(g.host, &g.opts); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, info := range g.peers.neighbourList() {
		g.startDiallerLocked(info.ID)
	}
	return nil
}

// Close hangs up on everyone and waits until no callback runs and none will. It
// may be called more than once, but not from a callback.
func (g *Gossip) Close() error {
	g.work.close()
	g.cancel()
	err := g.closeHost()
	g.work.wait()
	if err != nil {
		return fmt.Errorf("close libp2p host: %w", err)
	}
	return nil
}

// ID is the peer's identity, made from Options.Key.
func (g *Gossip) ID() peer.ID { return g.host.ID() }

// Addrs are the addresses this node listens on, with the port it got and with
// 0.0.0.0 resolved to the interfaces' addresses, without /p2p/ID.
func (g *Gossip) Addrs() []multiaddr.Multiaddr {
	addrs, err := g.host.Network().InterfaceListenAddresses()
	if err != nil {
		return g.host.Network().ListenAddresses()
	}
	return addrs
}

// Announce sends a message to the network, in a frame with what is announced
// within 5 ms. It never blocks: when the queue is full, or msg is empty or
// longer than a message may be, it is dropped and counted, and peers fetch it.
// The caller must not change msg afterwards.
func (g *Gossip) Announce(msg []byte) { g.outbox.add(msg) }

// Flush sends what was announced without waiting for the 5 ms. It does not block.
func (g *Gossip) Flush() { g.outbox.flushNow() }

// publish gives a frame to GossipSub.
func (g *Gossip) publish(messages [][]byte) {
	size := frameHeaderSize
	for _, m := range messages {
		size += lengthPrefixSize + len(m)
	}
	frame := appendFrame(make([]byte, 0, size), messages)
	if err := g.topic.Publish(g.ctx, frame); err != nil {
		g.metrics.drop(dropPublish, len(messages))
		g.log.Debug("frame not published", "err", err)
		return
	}
	g.metrics.messages.WithLabelValues("out").Add(float64(len(messages)))
}

// AddPeer makes a peer a neighbour, also over a restart: it is let in, and
// dialled if it has an address. Adding it again replaces the addresses added
// before. A ban goes on.
func (g *Gossip) AddPeer(info peer.AddrInfo) error {
	if err := info.ID.Validate(); err != nil {
		return fmt.Errorf("add peer: %w", err)
	}
	if info.ID == g.host.ID() {
		return errors.New("add peer: that is this node")
	}
	g.editing.Lock()
	defer g.editing.Unlock()
	if err := g.peers.edit(func(n *neighbours) error { return n.add(info) }); err != nil {
		return fmt.Errorf("add peer %s: %w", info.ID, err)
	}
	g.host.Peerstore().ClearAddrs(info.ID) // those it had before
	g.mu.Lock()
	defer g.mu.Unlock()
	g.startDiallerLocked(info.ID)
	if d := g.diallers[info.ID]; d != nil {
		select {
		case d.wake <- struct{}{}: // a corrected address is tried at once
		default:
		}
	}
	return nil
}

// RemovePeer takes a peer off the list and closes its connections. It stays
// refused over a restart, also if it is configured or the node is open, until
// AddPeer.
func (g *Gossip) RemovePeer(id peer.ID) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("remove peer: %w", err)
	}
	g.editing.Lock()
	defer g.editing.Unlock()
	if err := g.peers.edit(func(n *neighbours) error { return n.remove(id) }); err != nil {
		return fmt.Errorf("remove peer %s: %w", id, err)
	}
	g.mu.Lock()
	if d := g.diallers[id]; d != nil {
		d.cancel()
		delete(g.diallers, id)
	}
	g.mu.Unlock()
	g.host.Peerstore().ClearAddrs(id)
	if err := g.host.Network().ClosePeer(id); err != nil {
		// The list is what counts; the connection is refused wherever it is looked at.
		g.log.Debug("close removed peer's connections", "peer", id, "err", err)
	}
	return nil
}

// Peers lists every neighbour and every other peer that is connected, charged or
// banned, sorted by ID. The caller owns the list.
func (g *Gossip) Peers() []PeerInfo { return g.peers.list() }

// Penalise charges a peer for a message that it sent outside a frame and that is
// objectively invalid. The reason is logged.
func (g *Gossip) Penalise(id peer.ID, reason string) { g.charge(id, invalidByNode, reason) }

// charge costs a peer a point and hangs up when that bans it.
func (g *Gossip) charge(id peer.ID, kind, reason string) {
	if g.peers.charge(id, kind, reason) {
		g.hangUp(id)
	}
}

// hangUp closes a peer's connections from a goroutine of its own: its callers
// run on libp2p's loops, which closing waits for.
func (g *Gossip) hangUp(id peer.ID) {
	g.work.start(func() {
		if g.host.Network().Connectedness(id) == network.NotConnected {
			return
		}
		if err := g.host.Network().ClosePeer(id); err != nil {
			g.log.Debug("close peer's connections", "peer", id, "err", err)
		}
	})
}
