package api

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
)

const (
	// maxRequest has room for the largest message and what is around it.
	maxRequest = 2 * message.MaxSize
	// maxHeaders bounds what a client says before its request, in bytes.
	maxHeaders = 16 << 10
	// maxCalls is how many calls a connection has at a time.
	maxCalls = 128
	// handshakeTimeout bounds how long a connection may say nothing of use.
	handshakeTimeout = 10 * time.Second

	// A connection without traffic is pinged after pingEvery and given up after
	// pingTimeout more; a client may ping every minPing.
	pingEvery   = 30 * time.Second
	pingTimeout = 20 * time.Second
	minPing     = 10 * time.Second
	// A connection without calls is closed after idleTimeout, for others wait to be
	// accepted. Clients open another when they need one.
	idleTimeout = time.Minute
)

// ListenError is an address that could not be listened on, such as one in use
// (errors.Is syscall.EADDRINUSE).
type ListenError struct {
	Addr string
	Err  error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("api: listen on %s: %v", e.Addr, e.Err)
}

// Unwrap gives the cause.
func (e *ListenError) Unwrap() error { return e.Err }

// Server serves the API of one node until Close. Close it before the node.
type Server struct {
	node    *node.Node
	upkeep  upkeep // the node too
	opts    Options
	genesis message.ID
	network message.NetworkID
	self    peer.ID
	// committee is whether the network has one.
	committee bool
	listener  net.Listener
	grpc      *grpc.Server
	health    *health.Server
	metrics   *metrics
	streams   chan struct{} // one value for each open stream

	// ctx ends when Close begins.
	ctx      context.Context
	cancel   context.CancelFunc
	polls    sync.WaitGroup
	handlers sync.WaitGroup // of streams: they may outlive their call by a moment
	done     chan struct{}  // closed when serving ended, err is set before
	err      error

	closing sync.Once
}

// Open listens and serves. ctx bounds Open alone; what it starts runs until
// Close. The error is a *ListenError, one that names the option, node.ErrClosed,
// or that Options.Registerer has such metrics already.
func Open(ctx context.Context, n *node.Node, opts Options) (*Server, error) {
	opts.ensureDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	info, err := n.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe the node to serve: %w", err)
	}
	metrics, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, err
	}
	listener, err := listen(ctx, opts)
	if err != nil {
		metrics.unregister(opts.Registerer)
		return nil, err
	}
	s := &Server{
		node:      n,
		upkeep:    upkeepOf(n, opts),
		opts:      opts,
		genesis:   info.Genesis,
		network:   info.NetworkID,
		self:      info.PeerID,
		committee: len(info.Seats) > 0,
		listener:  netutil.LimitListener(listener, opts.MaxConns),
		health:    health.NewServer(),
		metrics:   metrics,
		streams:   make(chan struct{}, opts.MaxStreams),
		done:      make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.register()
	s.tellHealth()
	s.polls.Go(s.pollHealth)
	go s.serve()
	return s, nil
}

func listen(ctx context.Context, opts Options) (net.Listener, error) {
	if opts.Listener != nil {
		return opts.Listener, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return nil, &ListenError{opts.Listen, err}
	}
	return listener, nil
}

func (s *Server) register() {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxConcurrentStreams(maxCalls),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout, Time: pingEvery, Timeout: pingTimeout}),
		grpc.UnaryInterceptor(s.interceptUnary),
		grpc.StreamInterceptor(s.interceptStream),
		// No call may use the node once Close has returned.
		grpc.WaitForHandlers(true),
	}
	if s.opts.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.opts.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	tangledv1.RegisterMessagesServiceServer(s.grpc, messagesService{Server: s})
	tangledv1.RegisterHistoryServiceServer(s.grpc, historyService{Server: s})
	tangledv1.RegisterLedgerServiceServer(s.grpc, ledgerService{Server: s})
	tangledv1.RegisterProofsServiceServer(s.grpc, proofsService{Server: s})
	tangledv1.RegisterNodeServiceServer(s.grpc, nodeService{Server: s})
	if s.upkeep != nil {
		tangledv1.RegisterUpkeepServiceServer(s.grpc, upkeepService{Server: s})
	}
	healthv1.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
}

func (s *Server) serve() {
	defer close(s.done)
	if err := s.grpc.Serve(s.listener); err != nil && s.ctx.Err() == nil {
		s.err = fmt.Errorf("serve the api: %w", err)
		s.opts.Logger.Error("the api stopped serving", "error", err)
	}
}

// Addr is the address listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Done is closed when the Server serves no more: after Close, or because the
// listener failed; Close then returns why.
func (s *Server) Done() <-chan struct{} { return s.done }

// Close takes no more calls, ends the streams that have no end of their own, and
// waits for the other calls until ctx or Options.Drain ends; then it cuts them
// off. It returns what ended serving early, if anything did. It may be called
// twice.
func (s *Server) Close(ctx context.Context) error {
	s.closing.Do(func() {
		s.health.Shutdown()
		s.cancel()
		s.drain(ctx)
		s.handlers.Wait()
		s.polls.Wait()
		<-s.done
		s.metrics.unregister(s.opts.Registerer)
	})
	return s.err
}

func (s *Server) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Drain)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	select {
	case <-drained:
	case <-ctx.Done():
		s.opts.Logger.Warn("calls did not end in time and are cut off", "err", ctx.Err())
		s.grpc.Stop() // which ends GracefulStop
		<-drained
	}
}
