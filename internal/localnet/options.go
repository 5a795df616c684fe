package localnet

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/genesis"
	"tangled/gossip/memnet"
)

// Options describe a network. Middle or Permanodes must be above zero.
type Options struct {
	// Name is the network's name; "local" by default.
	Name string
	// Middle and Permanodes are how many nodes of each role there are; the
	// permanodes come last in the ring.
	Middle, Permanodes int
	// Dir is where the nodes keep their data, a folder each; with Memory only
	// their lists of neighbours.
	Dir string
	// Memory, if set, carries the traffic, and the nodes keep their data in
	// memory; nil means TCP on loopback and the machine's disk.
	Memory *memnet.Network
	// DataBits is the work of a data message; zero is zero here.
	DataBits int
	// Window is the genesis window; 30 minutes by default.
	Window time.Duration
	// Retention is for how long middle nodes keep messages, by ledger time; zero is
	// for ever. SnapshotInterval is how often they write the snapshots that it needs.
	Retention, SnapshotInterval time.Duration
	// Seats is how many members, from the first on, hold a seat of weight 1 on
	// the committee: by default every middle node, at most 31. NoSeats is a
	// network in which nothing becomes final.
	Seats int
	// Balances is what addresses own at the start.
	Balances []genesis.Balance
	// Edges gives every middle node an MQTT broker and every node a gRPC
	// server, on free ports of loopback.
	Edges bool
	// Logger hears of what the nodes say; nil discards.
	Logger *slog.Logger

	// Without Memory: FS is where the stores are, nil for the machine's disk, and
	// Transports replace TCP as gossip.Options.Transports do.
	FS         vfs.FS
	Transports []libp2p.Option
	// Registerer is where the metrics of the member of that name go, its edges' too,
	// each time it is started; nil keeps them to themselves.
	Registerer func(member string) prometheus.Registerer
}

// NoSeats as Options.Seats is a network without a committee.
const NoSeats = -1

func (o *Options) ensureDefaults() {
	if o.Name == "" {
		o.Name = "local"
	}
	if o.Window == 0 {
		o.Window = genesis.DefaultWindow
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	switch o.Seats {
	case 0:
		o.Seats = min(o.Middle, genesis.MaxSeats)
	case NoSeats:
		o.Seats = 0
	}
}

func (o *Options) validate() error {
	switch members := o.Middle + o.Permanodes; {
	case members < 1 || o.Dir == "":
		return errors.New("localnet: no nodes, or no folder for them")
	case o.Seats < 0 || o.Seats > members:
		return fmt.Errorf("localnet: %d seats for %d nodes", o.Seats, members)
	}
	return nil
}
