package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// maxSessionExpiry bounds how long mochi keeps a session without a connection,
// in seconds.
const maxSessionExpiry = 24 * 3600

// Broker takes readings in over MQTT. Its methods may be called concurrently.
type Broker struct {
	options  Options
	log      *slog.Logger
	metrics  *metrics
	server   *mqtt.Server
	listener net.Listener
	issue    func(message.Data) error // Options.Issuer under the broker's context
	cancel   context.CancelFunc       // of that context
	stopped  <-chan struct{}          // its end

	start    time.Time
	seed     maphash.Seed
	door     door
	sessions sessions
	wills    wills

	willsUnderWay atomic.Int64

	inFlight   chan struct{} // a token for each reading being issued
	publishers sync.Pool     // of *mqtt.Client, see distribute
	// retained keeps who reads mochi's index of retained messages, which takes no lock,
	// apart from who changes it.
	retained sync.RWMutex

	closing     chan struct{} // closed when Close begins
	accepting   sync.WaitGroup
	connections sync.WaitGroup
	workers     sync.WaitGroup // inboxes, readings being issued, Wills
	closeOnce   sync.Once
	closeErr    error

	count struct{ accepted, acked, refused atomic.Int64 }
}

// Stats are counts since Listen.
type Stats struct {
	Connections int   // open now
	Accepted    int64 // readings that became durable
	Acked       int64 // acknowledgements of QoS 1 and 2, negative ones included
	Refused     int64 // readings that can never be accepted
}

// Listen opens the address of o and serves it until Close. ctx bounds the
// opening only; Issue gets its values. See the package comment for errors.
func Listen(ctx context.Context, o Options) (*Broker, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	ln, err := config.Listen(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for MQTT on %s: %w", o.Address, err)
	}
	b, err := serve(ctx, ln, o)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return b, nil
}

// serve starts a broker on ln, with options that are complete.
func serve(ctx context.Context, ln net.Listener, o Options) (*Broker, error) {
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok && o.Authorize == nil && !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("ingest: %s is not loopback", tcp) // what "localhost" may mean
	}
	if o.Authorize == nil {
		o.Authorize = AllowLoopback
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	issueCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &Broker{
		options:  o,
		log:      o.Logger,
		metrics:  m,
		listener: ln,
		server:   newServer(&o),
		cancel:   cancel,
		stopped:  issueCtx.Done(),
		start:    time.Now(),
		seed:     maphash.MakeSeed(),
		inFlight: make(chan struct{}, o.MaxInFlight),
		closing:  make(chan struct{}),
	}
	b.issue = func(d message.Data) error {
		_, err := o.Issuer.Issue(issueCtx, d)
		return err
	}
	b.door = newDoor(o.MaxConnections, o.MaxConnectionsPerAddress)
	b.sessions = sessions{max: o.MaxSessions, forget: b.forgetSession, entries: make(map[string]*session)}
	b.wills = wills{issue: b.issueWill, max: o.MaxInFlight, waiting: make(map[string]*waitingWill)}
	b.publishers.New = func() any {
		p := b.server.NewClient(nil, mqtt.LocalListener, "", true)
		p.Properties.ProtocolVersion = 5 // so that message expiry counts
		return p
	}
	if err := errors.Join(b.server.AddHook(&hook{broker: b}, nil), b.server.Serve()); err != nil {
		cancel()
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	b.accepting.Go(b.accept)
	return b, nil
}

// newServer sets mochi up. Its own log is discarded: it writes whole packets,
// passwords included, and calls warnings what any client can cause.
func newServer(o *Options) *mqtt.Server {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClients = math.MaxInt64 // door counts
	caps.MaximumClientWritesPending = int32(o.WritesPending)
	caps.MaximumInflight = uint16(min(o.WritesPending, math.MaxUint16))
	caps.MaximumSessionExpiryInterval = maxSessionExpiry
	caps.MaximumPacketSize = uint32(o.MaxPacketSize)
	caps.ReceiveMaximum = uint16(o.Window)
	caps.TopicAliasMaximum = maxAliases
	caps.Compatibilities.NoInheritedPropertiesOnAck = true
	return mqtt.New(&mqtt.Options{
		Capabilities:             caps,
		Logger:                   slog.New(slog.DiscardHandler),
		ClientNetWriteBufferSize: 1,       // conn buffers; mochi may leave packets behind in its own
		SysTopicResendInterval:   1 << 31, // each round stops the world to read memory statistics
	})
}

// Addr is the address the broker listens on.
func (b *Broker) Addr() net.Addr { return b.listener.Addr() }

// Stats tells the counts so far.
func (b *Broker) Stats() Stats {
	return Stats{
		Connections: b.door.len(),
		Accepted:    b.count.accepted.Load(),
		Acked:       b.count.acked.Load(),
		Refused:     b.count.refused.Load(),
	}
}

// Close stops accepting connections and readings, waits until the readings
// under way are durable and acknowledged, disconnects the clients (MQTT 5:
// 0x8B server shutting down) and returns when nothing of the broker runs any
// more. When ctx ends first, the readings still under way are abandoned
// unacknowledged and the error says so. Further calls wait for the first and
// return its error.
func (b *Broker) Close(ctx context.Context) error {
	b.closeOnce.Do(func() { b.closeErr = b.close(ctx) })
	return b.closeErr
}

func (b *Broker) close(ctx context.Context) error {
	close(b.closing)
	err := b.listener.Close()
	b.accepting.Wait()
	abandon := context.AfterFunc(ctx, b.cancel)
	defer abandon()

	var drains sync.WaitGroup
	for _, c := range b.door.close() {
		drains.Go(func() { b.drain(ctx, c) })
	}
	drains.Wait()
	b.connections.Wait()
	b.wills.close()
	b.workers.Wait()
	b.cancel()
	if ctx.Err() != nil {
		err = errors.Join(err, fmt.Errorf("ingest: readings under way abandoned: %w", context.Cause(ctx)))
	}
	return errors.Join(err, b.server.Close())
}

// drain ends c once all that was read from it is acknowledged.
func (b *Broker) drain(ctx context.Context, c *conn) {
	cl := c.client.Load()
	if cl == nil {
		_ = c.Close()
		return
	}
	for range cap(cl.inbox.slots) { // nobody else takes a slot any more
		select {
		case cl.inbox.slots <- struct{}{}:
			continue
		case <-c.done:
		case <-ctx.Done():
		}
		break
	}
	cl.disconnect(packets.ErrServerShuttingDown)
}

// forgetSession makes mochi forget the session of id.
func (b *Broker) forgetSession(id string) {
	if mc, ok := b.server.Clients.Get(id); ok {
		b.dropSession(mc)
	}
}
