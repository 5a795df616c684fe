package gossip

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/message"
)

// Defaults and bounds of Options.
const (
	defaultMaxInvalid = 5
	defaultBan        = 10 * time.Minute
	minBan            = time.Second
	maxNeighbours     = 256
	defaultListen     = "/ip4/127.0.0.1/tcp/0"
)

// Verdict is what the node thinks of a frame.
type Verdict int

const (
	// Ignore drops the frame at no cost to its deliverer: nothing in it is new,
	// or this node cannot take it now. It is the zero value, so that a verdict
	// somebody forgot forwards nothing.
	Ignore Verdict = iota
	// Accept forwards the frame: what it brings is durable here.
	Accept
	// Reject drops the frame and charges its deliverer: a message in it is
	// objectively invalid.
	Reject
)

// Options configure a Gossip. Network, Key, SwarmKey, Judge, ServeFetch and
// ServeTips have no default.
type Options struct {
	// Network is the network's id; it names the topic and the protocols, so that
	// two networks with one swarm key do not mix.
	Network [8]byte
	// Key is the node's key and becomes the peer's identity.
	Key ed25519.PrivateKey
	// SwarmKey is the network's shared key.
	SwarmKey SwarmKey

	// Listen are the addresses to listen on; all must succeed. Default
	// /ip4/127.0.0.1/tcp/0: loopback, a free port.
	Listen []multiaddr.Multiaddr
	// Peers are the configured neighbours, at most 256. One without an address is
	// let in and not dialled.
	Peers []peer.AddrInfo
	// Open lets in every holder of the swarm key but removed and banned ones.
	Open bool
	// Dir is where peers.json is kept; it must exist. Empty: AddPeer and RemovePeer last until
	// Close.
	Dir string

	// MaxInvalid is how many invalid things in a burst ban a peer; default 5. A
	// tenth of Ban forgives one.
	MaxInvalid int
	// Ban is how long, default 10 minutes, at least a second.
	Ban time.Duration

	// The callbacks below come on goroutines of Gossip's, and may come before Open
	// has returned: peers do not wait for that.

	// Judge validates and commits the messages of a frame from a peer, and blocks
	// until that is done: up to 32 frames are judged at once, and the bounded queue
	// behind them is the back-pressure. It may keep the messages and must not
	// change them. The context ends with Close.
	Judge func(ctx context.Context, from peer.ID, messages [][]byte) Verdict
	// ServeFetch answers a fetch within the reply's bounds. An error tells the
	// peer to ask another; it is logged, so it must say something only of us.
	ServeFetch func(ctx context.Context, from peer.ID, request FetchRequest) (FetchReply, error)
	// ServeTips takes a peer's newest tips and returns ours; of more than MaxTips
	// the first are sent.
	ServeTips func(ctx context.Context, from peer.ID, tips []message.ID) []message.ID

	// ServeSync answers a sync request of 1 to MaxSyncRequest bytes with at most
	// MaxSyncReply. An error tells the peer to ask another; it is logged. Where the
	// request itself is wrong, Penalise is what charges the peer. Nil: every peer is
	// told to ask another.
	ServeSync func(ctx context.Context, from peer.ID, request []byte) ([]byte, error)

	// Connected, if not nil, is told when a peer has its first connection, and
	// Disconnected when it has lost its last. They are called one after another on
	// a goroutine of their own, in order for each peer; they may use the Gossip, and
	// Close waits for the one running. While one blocks, news waits.
	Connected, Disconnected func(peer.ID)

	// Transports replace TCP, for nodes in one process; see memnet.
	Transports []libp2p.Option

	// Logger is where to log; nil discards.
	Logger *slog.Logger
	// Registerer is where the metrics go; nil counts without registering.
	Registerer prometheus.Registerer
}

// clone copies what Open's caller might change later.
func (o Options) clone() Options {
	o.Key = slices.Clone(o.Key)
	o.Listen = slices.Clone(o.Listen)
	o.Peers = slices.Clone(o.Peers)
	for i := range o.Peers {
		o.Peers[i].Addrs = slices.Clone(o.Peers[i].Addrs)
	}
	o.Transports = slices.Clone(o.Transports)
	return o
}

func (o *Options) ensureDefaults() error {
	if len(o.Listen) == 0 {
		addr, err := multiaddr.NewMultiaddr(defaultListen)
		if err != nil {
			return fmt.Errorf("default listen address: %w", err)
		}
		o.Listen = []multiaddr.Multiaddr{addr}
	}
	if o.MaxInvalid == 0 {
		o.MaxInvalid = defaultMaxInvalid
	}
	if o.Ban == 0 {
		o.Ban = defaultBan
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (o *Options) validate() error {
	switch {
	case o.Network == [8]byte{}:
		return errors.New("gossip options: no network id")
	case len(o.Key) != ed25519.PrivateKeySize:
		return fmt.Errorf("gossip options: key of %d bytes, want %d", len(o.Key), ed25519.PrivateKeySize)
	case o.SwarmKey == SwarmKey{}:
		return errors.New("gossip options: no swarm key")
	case o.Judge == nil || o.ServeFetch == nil || o.ServeTips == nil:
		return errors.New("gossip options: Judge, ServeFetch and ServeTips must be set")
	case len(o.Peers) > maxNeighbours:
		return fmt.Errorf("gossip options: %d peers, at most %d", len(o.Peers), maxNeighbours)
	case o.MaxInvalid < 1:
		return fmt.Errorf("gossip options: MaxInvalid is %d, at least 1", o.MaxInvalid)
	case o.Ban < minBan:
		return fmt.Errorf("gossip options: Ban is %s, at least %s", o.Ban, minBan)
	}
	for _, p := range o.Peers {
		if err := p.ID.Validate(); err != nil {
			return fmt.Errorf("gossip options: peer: %w", err)
		}
	}
	return nil
}
