package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tangled/message"
)

// Issuer makes a reading a message of the ledger.
//
// Issue returns when the message is durable on this node. It is called
// concurrently and must return soon after ctx ends. An *message.InvalidError
// says that the reading can never be accepted; any other error is taken for
// temporary and makes the client deliver the reading again.
type Issuer interface {
	Issue(ctx context.Context, d message.Data) (message.ID, error)
}

// Options says how to listen and what to bound. Only Issuer must be set; the
// zero value of every other field means its default. Negative limits are
// refused.
type Options struct {
	// Address is "host:port" to listen on; default "127.0.0.1:1883". Port 0
	// takes any free one. Without Authorize the host must be a loopback
	// address or "localhost".
	Address string
	// Issuer takes the readings. Required.
	Issuer Issuer
	// Authorize grants rights; default AllowLoopback. It is called
	// concurrently, from the goroutine that reads the client's socket.
	Authorize Authorize

	// MaxConnections bounds the connections in all; default 10,000.
	MaxConnections int
	// MaxConnectionsPerAddress bounds the connections of one remote IPv4
	// address or IPv6 /64 network; default 1,024.
	MaxConnectionsPerAddress int
	// MaxSessions bounds the client identifiers without a connection whose
	// subscriptions and packet identifiers are remembered; the longest idle
	// is forgotten first. Default 10,000.
	MaxSessions int
	// MaxSubscriptions bounds the subscriptions of a client; default 100.
	MaxSubscriptions int
	// MaxRetained bounds the retained messages in all, the broker's own twenty
	// below $SYS among them; default 2,048. Further topics are distributed and
	// not retained.
	MaxRetained int
	// MaxInFlight bounds the readings of all clients that are being issued,
	// and the Wills that wait for it; default 4,096.
	MaxInFlight int
	// Window bounds the unacknowledged readings of a client, 1..65,535;
	// default 256.
	Window int
	// WritesPending bounds the messages waiting to be sent to a subscriber;
	// further ones are dropped and counted. 1..65,535; default 2,048.
	WritesPending int
	// MaxPacketSize bounds an MQTT packet, in bytes; default 64 KiB. A larger
	// one ends the connection. It should leave room above the largest content
	// of a message, so that a reading too large for the ledger can still be
	// refused by an answer.
	MaxPacketSize int

	// ConnectTimeout is the time from accepting a connection to its complete
	// CONNECT; default 5 s.
	ConnectTimeout time.Duration
	// WriteTimeout is how long a client may leave what is sent to it unread
	// before it is disconnected; default 10 s.
	WriteTimeout time.Duration

	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
	// Registerer gets the metrics; nil registers none.
	Registerer prometheus.Registerer
}

// EnsureDefaults fills the fields that are not set.
func (o *Options) EnsureDefaults() {
	setDefault(&o.Address, "127.0.0.1:1883")
	setDefault(&o.MaxConnections, 10_000)
	setDefault(&o.MaxConnectionsPerAddress, 1024)
	setDefault(&o.MaxSessions, 10_000)
	setDefault(&o.MaxSubscriptions, 100)
	setDefault(&o.MaxRetained, 2048)
	setDefault(&o.MaxInFlight, 4096)
	setDefault(&o.Window, 256)
	setDefault(&o.WritesPending, 2048)
	setDefault(&o.MaxPacketSize, 64<<10)
	setDefault(&o.ConnectTimeout, 5*time.Second)
	setDefault(&o.WriteTimeout, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate tells what in o cannot work. It expects the defaults to be filled.
func (o *Options) Validate() error {
	if o.Issuer == nil {
		return errors.New("ingest: no Issuer")
	}
	for _, limit := range []struct {
		name            string
		value, min, max int
	}{
		{"MaxConnections", o.MaxConnections, 1, 1 << 24},
		{"MaxConnectionsPerAddress", o.MaxConnectionsPerAddress, 1, 1 << 24},
		{"MaxSessions", o.MaxSessions, 1, 1 << 24},
		{"MaxSubscriptions", o.MaxSubscriptions, 1, 1 << 16},
		{"MaxRetained", o.MaxRetained, 1, 1 << 24},
		{"MaxInFlight", o.MaxInFlight, 1, 1 << 24},
		{"Window", o.Window, 1, 1<<16 - 1},
		{"WritesPending", o.WritesPending, 1, 1<<16 - 1},
		{"MaxPacketSize", o.MaxPacketSize, 128, 256 << 20},
	} {
		if limit.value < limit.min || limit.value > limit.max {
			return fmt.Errorf("ingest: %s is %d, want %d..%d", limit.name, limit.value, limit.min, limit.max)
		}
	}
	if o.ConnectTimeout < 0 || o.WriteTimeout < 0 {
		return errors.New("ingest: negative timeout")
	}
	return o.validateAddress()
}

// validateAddress keeps a broker that knows no users off the network.
func (o *Options) validateAddress() error {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return fmt.Errorf("ingest: address %q: %w", o.Address, err)
	}
	if o.Authorize != nil || host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return fmt.Errorf("ingest: address %q is not loopback: anonymous clients are let in from this machine only", o.Address)
	}
	return nil
}
