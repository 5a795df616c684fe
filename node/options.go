package node

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/genesis"
	"tangled/gossip"
	"tangled/message"
	"tangled/snapshot"
)

// Role is the layer of the city that a node works in.
type Role string

// The roles; the outer layer runs no node.
const (
	Middle    Role = "middle"
	Permanode Role = "permanode"
)

// Options describe a node. Dir, Genesis, Key and Gossip.SwarmKey have no
// default.
type Options struct {
	// Dir is the data directory. The store is in its folder "db"; the changed
	// neighbours are in peers.json, on the machine's disk whatever FS is.
	Dir string
	// FS is where the store's files are; the machine's disk by default.
	FS vfs.FS
	// Genesis is the network.
	Genesis *genesis.Genesis
	// Key is peer identity and issuer.
	Key ed25519.PrivateKey
	// Role is Middle by default.
	Role Role
	// FirstStart is the operator's word that the key of this node has never
	// written a witness: with an empty store its seat begins at round 1. Without
	// it, a seat whose store remembers nothing asks the others first, so that it
	// never writes two witnesses for one round.
	FirstStart bool
	// Gossip says how to reach peers: swarm key, addresses, neighbours. The
	// node fills in its identity, network and callbacks.
	Gossip gossip.Options
	// MinFree is how many bytes of disk to leave; below, the node takes no
	// data. 256 MiB by default, and at least 1.
	MinFree uint64
	// Retention is how long messages stay, by their timestamps and the ledger time,
	// at least two windows; zero is for ever.
	Retention time.Duration
	// Topics have a retention of their own; LegalHold are topics of which nothing
	// is ever deleted.
	Topics    []TopicRetention
	LegalHold []message.Filter
	// MaxDisk is how many bytes the store may take before more is deleted than
	// Retention wants; zero is any number.
	MaxDisk uint64
	// SnapshotInterval is how far apart in ledger time snapshots are written; zero
	// is never by themselves. The newest SnapshotKeep stay, 3 by default.
	SnapshotInterval time.Duration
	SnapshotKeep     int
	// Trust is a commitment that the operator vouches for; nil is none. A history with
	// another at its anchor is refused with ErrUntrusted, whoever signed it: at Open, in
	// a snapshot that covers it and while catching up; a node that comes to it by itself
	// raises the alarm.
	Trust *snapshot.Trust
	// CatchUpFrom is how far a peer's ledger time must be ahead for this node to
	// take over what is final there, instead of fetching and judging it message by
	// message; half a window by default, at most a minute.
	CatchUpFrom time.Duration
	// CacheBytes is the size of the store's block cache; 64 MiB by default.
	CacheBytes int64
	// Workers is how many goroutines verify and mine; GOMAXPROCS by default.
	Workers int
	// Now is the node's clock; time.Now by default. Tests set it wrong.
	Now func() time.Time
	// Rand chooses tips, and is the node's alone from then on; nil is one that
	// nobody can foresee.
	Rand *rand.Rand
	// Logger hears of what an operator should know; nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps them to ourselves.
	Registerer prometheus.Registerer
}

func (o *Options) ensureDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Role == "" {
		o.Role = Middle
	}
	if o.MinFree == 0 {
		o.MinFree = 256 << 20
	}
	if o.SnapshotKeep == 0 {
		o.SnapshotKeep = 3
	}
	if o.CatchUpFrom == 0 && o.Genesis != nil {
		o.CatchUpFrom = min(o.Genesis.Window/2, time.Minute)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (o *Options) validate() error {
	switch {
	case o.Dir == "":
		return errors.New("node: no data directory")
	case o.Genesis == nil:
		return errors.New("node: no genesis")
	case len(o.Key) != ed25519.PrivateKeySize:
		return fmt.Errorf("node: key of %d bytes, want %d", len(o.Key), ed25519.PrivateKeySize)
	case o.Role != Middle && o.Role != Permanode:
		return fmt.Errorf("node: role %q, want %q or %q", o.Role, Middle, Permanode)
	}
	if err := o.validateRetention(); err != nil {
		return err
	}
	return o.Genesis.Validate()
}

func (o *Options) validateRetention() error {
	least := 2 * o.Genesis.Window
	switch {
	case o.Role == Permanode && (o.Retention != 0 || o.MaxDisk != 0 || len(o.Topics) > 0):
		return errors.New("node: a permanode deletes nothing: no retention, no limit of the disk")
	case o.Retention != 0 && o.Retention < least:
		return fmt.Errorf("node: retention %v, at least two windows: %v", o.Retention, least)
	case o.Retention == 0 && (o.MaxDisk != 0 || len(o.Topics) > 0):
		return errors.New("node: with a retention for ever nothing is deleted by topic or size")
	case o.SnapshotInterval < 0 || o.SnapshotKeep < 0 || o.CatchUpFrom < 0:
		return errors.New("node: negative time or number of snapshots")
	}
	for _, r := range o.Topics {
		if r.Keep < least {
			return fmt.Errorf("node: retention %v of topic %s, at least two windows: %v", r.Keep, r.Filter, least)
		}
	}
	return nil
}

func (o *Options) storeDir() string { return filepath.Join(o.Dir, "db") }
