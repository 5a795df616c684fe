package bench

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"tangled/genesis"
)

// Via is how readings come in.
type Via string

// The ways in; see the package comment.
const (
	Direct Via = "direct"
	GRPC   Via = "grpc"
	MQTT   Via = "mqtt"
)

// Bounds of Options.
const (
	maxNodes   = 32 // a bit each in reading.nodes
	maxSources = 1 << 15
	minSize    = 64
	maxSize    = 16 << 10
)

// Options describe a network and its load. Dir must be set; the zero value of every
// other field means its default, or what the field says.
type Options struct {
	// Nodes is how many there are, 1 to 32; 1 by default. Seats of them hold one on
	// the committee; all by default, at most 31. With localnet.NoSeats nothing
	// becomes final.
	Nodes, Seats int
	// Duration is the measured time, 20 s by default. Warmup is how long there is
	// load before; zero is none.
	Duration, Warmup time.Duration
	// Rate is how many readings a second are due in the whole network; zero is as
	// many as it takes.
	Rate float64
	// Size is how long a reading's content is, 64 to 16,384 bytes; 256 by default.
	Size int
	// Topics is how many topics the sources share; 100 by default.
	Topics int
	// Issuers, if not zero, is how many keys sign the readings outside the node; only
	// with Direct.
	Issuers int
	// Via is how readings come in; Direct by default.
	Via Via
	// PowBits is the work of a reading in leading zero bits; zero is zero here.
	PowBits int
	// Sources is how many publish at the same time, which is how many readings are
	// under way; 512 by default, with MQTT 400 over 100 connections.
	Sources int
	// Queries is how many times a second the newest readings of a topic are read
	// alongside, up to 100 of them; zero is never.
	Queries float64
	// Dir is where the nodes keep their data, a folder each.
	Dir string
	// Profile, if not nil, gets the CPU profile of the measured time once that is over,
	// as go tool pprof reads it.
	Profile io.Writer
	// Progress, if not nil, is told four times a second how far the load is, from one
	// goroutine.
	Progress func(Progress)
	// Logger hears of what the nodes say; nil discards.
	Logger *slog.Logger
}

// Progress is how far a run has come.
type Progress struct {
	// Step is which of Steps loads this is, from 1.
	Step, Steps int
	// Phase is "warm-up", "measure", "settle" while what was acknowledged becomes
	// final, or "read back".
	Phase string
	// Elapsed is of Total, the warm-up and the measured time of the whole run.
	Elapsed, Total time.Duration
	// Sent and Acknowledged are readings, since the load began.
	Sent, Acknowledged uint64
	// Waiting is how many readings are not final on the first node.
	Waiting int
}

// OptionError tells which option cannot be.
type OptionError struct {
	Option string // as its flag is called
	Text   string
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Text }

func (o *Options) ensureDefaults() {
	setDefault(&o.Nodes, 1)
	setDefault(&o.Duration, 20*time.Second)
	setDefault(&o.Size, 256)
	setDefault(&o.Topics, 100)
	setDefault(&o.Via, Direct)
	if o.Sources == 0 {
		o.Sources = 512
		if o.Via == MQTT {
			o.Sources = 4 * mqttClients
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (o *Options) validate() error {
	bad := func(option, format string, args ...any) error {
		return &OptionError{Option: option, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return bad("nodes", "%d, want 1 to %d", o.Nodes, maxNodes)
	case o.Seats > min(o.Nodes, genesis.MaxSeats):
		return bad("seats", "%d, want at most %d with %d nodes", o.Seats, min(o.Nodes, genesis.MaxSeats), o.Nodes)
	case o.Duration <= 0:
		return bad("duration", "%v, want above 0", o.Duration)
	case o.Warmup < 0:
		return bad("warmup", "%v is negative", o.Warmup)
	case o.Rate < 0:
		return bad("rate", "%v is negative", o.Rate)
	case o.Size < minSize || o.Size > maxSize:
		return bad("size", "%d bytes, want %d to %d", o.Size, minSize, maxSize)
	case o.Topics < 1:
		return bad("topics", "%d, want at least 1", o.Topics)
	case o.Via != Direct && o.Via != GRPC && o.Via != MQTT:
		return bad("via", "%q, want direct, grpc or mqtt", o.Via)
	case o.Issuers < 0 || o.Issuers > 0 && o.Via != Direct:
		return bad("issuers", "%d, want 0 but with --via direct", o.Issuers)
	case o.PowBits < 0 || o.PowBits > genesis.MaxBits:
		return bad("pow-bits", "%d, want 0 to %d", o.PowBits, genesis.MaxBits)
	case o.Sources < 1 || o.Sources > maxSources:
		return bad("sources", "%d, want 1 to %d", o.Sources, maxSources)
	case o.Queries < 0:
		return bad("queries", "%v is negative", o.Queries)
	case o.Dir == "":
		return bad("dir", "no folder for the nodes' data")
	}
	return nil
}

// total is how long there is load.
func (o *Options) total() time.Duration { return o.Warmup + o.Duration }
