package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultListen     = "127.0.0.1:0"
	defaultTimeout    = 30 * time.Second
	defaultDrain      = 5 * time.Second
	defaultMaxConns   = 256
	defaultMaxStreams = 256
)

// Options configure a Server; the zero value works.
type Options struct {
	// Listen is the TCP address, host:port; 127.0.0.1 and a free port by default.
	Listen string
	// Listener, if not nil, is served in place of Listen. The Server closes it; it
	// stays open when Open returns an error.
	Listener net.Listener
	// TLS, if not nil, secures the connections; ask in it for client certificates
	// to let in only whom you know.
	TLS *tls.Config
	// Timeout is the deadline of a call that has none; 30 s by default.
	Timeout time.Duration
	// Drain is how long Close waits at most for calls to end; 5 s by default.
	Drain time.Duration
	// MaxConns is how many connections are open at once; further ones wait to be
	// accepted. 256 by default. One without calls is closed after a minute.
	MaxConns int
	// MaxStreams is how many streams (Query, Tail, Follow, SubmitStream and others)
	// are open at once; further ones get RESOURCE_EXHAUSTED. 256 by default. A Tail
	// takes 0.5 MiB, a Follow or a SubmitStream up to 8 MiB when all readings are as
	// large as can be.
	MaxStreams int
	// Version is the release that NodeService.Info tells.
	Version string
	// Logger hears of this node's own faults; nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps them to ourselves.
	Registerer prometheus.Registerer

	upkeep upkeep // for tests; the node itself where nil
}

func (o *Options) ensureDefaults() {
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Drain == 0 {
		o.Drain = defaultDrain
	}
	if o.MaxConns == 0 {
		o.MaxConns = defaultMaxConns
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = defaultMaxStreams
	}
	if o.TLS != nil {
		o.TLS = o.TLS.Clone()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (o *Options) validate() error {
	switch {
	case o.Timeout < 0 || o.Drain < 0:
		return errors.New("api: negative timeout or drain")
	case o.MaxConns < 0 || o.MaxStreams < 0:
		return fmt.Errorf("api: at most %d connections and %d streams, want at least 1", o.MaxConns, o.MaxStreams)
	}
	return nil
}
