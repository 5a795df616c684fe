package gossip

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/pnet"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Bounds of the host.
const (
	dialTimeout = 10 * time.Second

	hostMemory    = 512 << 20 // bytes of buffers, over all peers
	hostFDs       = 1024
	maxConns      = 2 * maxNeighbours
	maxConnsPerIP = 64 // nodes behind one address: a site's NAT, a container host
)

// newHost builds the libp2p host; it listens nowhere yet.
func newHost(o *Options, peers *peerTable) (host.Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(o.Key)
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	resources, err := newResources()
	if err != nil {
		return nil, fmt.Errorf("resource manager: %w", err)
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.PrivateNetwork(pnet.PSK(o.SwarmKey[:])),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.NoListenAddrs,
		libp2p.ConnectionGater(gater{peers}),
		libp2p.ResourceManager(resources),
		// Neighbours are kept on purpose; there is nobody to trim.
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.DisableRelay(),
		libp2p.Ping(false),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.UserAgent("tangled"),
	}
	if len(o.Transports) > 0 {
		opts = append(opts, o.Transports...)
	} else {
		// libp2p listens with SO_REUSEPORT by default, under which two nodes take one
		// port without an error and each gets some of the connections.
		opts = append(opts, libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()))
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		resources.Close()
		return nil, fmt.Errorf("libp2p host: %w", err)
	}
	return h, nil
}

// newResources bounds what peers can make the host hold. The defaults of libp2p
// are for a public network of strangers: 8 connections and one new one in 5
// seconds from an address, which a rack of nodes behind a NAT exceeds.
func newResources() (network.ResourceManager, error) {
	conns := rcmgr.ResourceLimits{
		Conns: maxConns, ConnsInbound: maxConns, ConnsOutbound: maxConns, FD: hostFDs,
		Streams: 8192, StreamsInbound: 4096, StreamsOutbound: 8192, Memory: hostMemory,
	}
	limits := rcmgr.PartialLimitConfig{System: conns}.Build(rcmgr.DefaultLimits.Scale(hostMemory, hostFDs))
	rates := &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{
			{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
			{Prefix: netip.MustParsePrefix("::1/128")},
		},
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 4, Burst: 2 * maxConnsPerIP}}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 64, Limit: rate.Limit{RPS: 4, Burst: 2 * maxConnsPerIP}}},
			GracePeriod:      time.Minute,
		},
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithConnRateLimiters(rates),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: maxConnsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 64, ConnCount: maxConnsPerIP}}))
}

// listen takes every address or none. It bypasses the host's own way of
// listening, which is content with one address of many and turns the errors into
// text.
func listen(h host.Host, o *Options) error {
	s, ok := h.Network().(*swarm.Swarm)
	if !ok {
		return fmt.Errorf("libp2p network is a %T, want a swarm", h.Network())
	}
	for _, addr := range o.Listen {
		if err := s.AddListenAddr(addr); err != nil {
			return &ListenError{Addr: addr, Err: err}
		}
	}
	return nil
}

// clearBackoff makes the swarm dial a peer now: when to dial again is decided by
// the neighbour's loop, and two back-offs on top of each other would leave a
// healed partition split for minutes.
func clearBackoff(h host.Host, id peer.ID) {
	if s, ok := h.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
}
