package localnet

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"

	"tangled/api"
	"tangled/gossip"
	"tangled/ingest"
	"tangled/node"
)

// Member is one node with its edges. Node is nil while it is stopped; MQTT is
// nil on a permanode, and both edges are nil without Options.Edges.
type Member struct {
	Name string
	Role node.Role
	FS   vfs.FS
	Node *node.Node
	MQTT *ingest.Broker
	API  *api.Server

	key    ed25519.PrivateKey
	listen multiaddr.Multiaddr
	opened bool // once: from then on its seat may have written
}

// closeTimeout bounds how long the edges of a member may drain.
const closeTimeout = 10 * time.Second

func (n *Network) start(ctx context.Context, m *Member) error {
	if err := n.open(ctx, m); err != nil {
		return fmt.Errorf("start %s: %w", m.Name, errors.Join(err, m.Stop(ctx)))
	}
	return nil
}

func (n *Network) nodeOptions(m *Member) (node.Options, error) {
	opts := node.Options{
		Dir:     filepath.Join(n.opts.Dir, m.Name),
		FS:      m.FS,
		Genesis: n.Genesis,
		Key:     m.key,
		Role:    m.Role,
		// What a seat wrote is in its store from the first time on.
		FirstStart: !m.opened,
		// The nodes share the machine: each with as many workers as there are
		// cores would only queue up behind one another.
		Workers: max(1, runtime.GOMAXPROCS(0)/len(n.Members)),
		Gossip: gossip.Options{
			SwarmKey: n.swarmKey, Listen: []multiaddr.Multiaddr{m.listen}, Transports: n.opts.Transports,
		},
		Logger: n.logger().With("node", m.Name),
	}
	if n.opts.Registerer != nil {
		opts.Registerer = n.opts.Registerer(m.Name)
	}
	if m.Role == node.Middle {
		opts.Retention, opts.SnapshotInterval = n.opts.Retention, n.opts.SnapshotInterval
	}
	if n.opts.Memory == nil {
		return opts, nil
	}
	ip, err := m.listen.ValueForProtocol(multiaddr.P_IP4)
	if err != nil {
		return opts, err
	}
	at, err := netip.ParseAddr(ip)
	if err != nil {
		return opts, err
	}
	opts.Gossip.Transports = []libp2p.Option{n.opts.Memory.Transport(at)}
	return opts, nil
}

func (n *Network) open(ctx context.Context, m *Member) error {
	opts, err := n.nodeOptions(m)
	if err != nil {
		return err
	}
	m.opened = true
	if m.Node, err = node.Open(ctx, opts); err != nil {
		return err
	}
	info, err := m.Node.Info(ctx)
	if err != nil {
		return err
	}
	m.listen = info.Addrs[0] // a restart comes back to the same port
	if !n.opts.Edges {
		return nil
	}
	if m.API, err = api.Open(ctx, m.Node, api.Options{Logger: opts.Logger, Registerer: opts.Registerer}); err != nil {
		return err
	}
	if m.Role != node.Middle {
		return nil
	}
	m.MQTT, err = ingest.Listen(ctx, ingest.Options{
		Address: "127.0.0.1:0", Issuer: m.Node, MaxConnectionsPerAddress: 1 << 14,
		Logger: opts.Logger, Registerer: opts.Registerer,
	})
	return err
}

func (n *Network) logger() *slog.Logger {
	if n.opts.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return n.opts.Logger
}

// Stop closes the member's edges, then its node. It may be called twice.
func (m *Member) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	var errs []error
	if m.MQTT != nil {
		errs = append(errs, m.MQTT.Close(ctx))
	}
	if m.API != nil {
		errs = append(errs, m.API.Close(ctx))
	}
	if m.Node != nil {
		errs = append(errs, m.Node.Close())
	}
	m.MQTT, m.API, m.Node = nil, nil, nil
	return errors.Join(errs...)
}
