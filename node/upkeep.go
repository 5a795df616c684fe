package node

import (
	"context"
	"errors"
	"time"

	"tangled/storage"
)

// What an operator may ask for and this node does not do now. An edge tells them
// apart from a fault.
var (
	// ErrPassed tells that an anchor's state is gone: the ledger went on.
	ErrPassed = errors.New("node: this anchor has passed: name a later one")
	// ErrBusy tells that the same work is under way already.
	ErrBusy = errors.New("node: this work is under way already")
	// ErrForever tells that nothing is deleted here.
	ErrForever = errors.New("node: a permanode deletes nothing")
	// ErrTooRecent tells that messages were to be deleted that must stay: those of
	// two windows, and what no snapshot has.
	ErrTooRecent = errors.New("node: messages of two windows, and what is newer than the last snapshot, must stay")
	// ErrNoPeer tells that a peer is not connected.
	ErrNoPeer = errors.New("node: no such peer is connected")
	// ErrNoSnapshot tells that a peer has none.
	ErrNoSnapshot = errors.New("node: the peer has no snapshot")
)

// SnapshotInfo describes a snapshot file.
type SnapshotInfo struct {
	Path       string
	Size       int64    // of the file, bytes
	Anchor     uint64   // index j
	Time       uint64   // T_j, ns since the Unix epoch
	Commitment [32]byte // C_j
	Digest     [32]byte // of the uncompressed body: the same on every node
	Accounts   uint64
	Anchors    uint64 // whose lists are in it
	Messages   uint64 // on those lists
}

// PruneRequest says what to delete. One of Before and ToSize is set.
type PruneRequest struct {
	Before   time.Time // messages with an earlier timestamp
	ToSize   uint64    // the oldest messages, until the store takes no more bytes than this
	DryRun   bool      // tell only
	Progress func(done float64)
}

// PruneReport says what was deleted, or would be.
type PruneReport struct {
	Before       time.Time // messages with an earlier timestamp went
	Snapshot     uint64    // the anchor of the snapshot behind which it was done
	Anchors      uint64    // that went whole
	Messages     uint64
	Bytes        uint64     // of those messages' encodings
	Kept         uint64     // messages older than Before that a hold or their topic keeps
	Topics       []TopicUse // of a dry run, by topic
	DiskBefore   uint64     // bytes that the store takes
	DiskAfter    uint64
	CompleteFrom uint64 // the first anchor from which on all is here
}

// AuditReport compares this node's history with a peer's.
type AuditReport struct {
	First, Last uint64 // the anchors compared
	Messages    uint64
	Differ      []Difference // at most maxDifferences, ascending
	More        bool         // there were more
}

// Difference is an anchor whose content is not right here or at the peer.
type Difference struct {
	Anchor uint64
	Here   string // what is wrong here, empty for nothing
	There  string // what is wrong at the peer
}

// TopicUse is what the messages of one topic come to.
type TopicUse struct {
	Topic    string
	Messages uint64
	Bytes    uint64
}

// Backup makes a verified copy of the store in dir, a new folder, while the node
// goes on; see storage.Store.Backup.
func (n *Node) Backup(ctx context.Context, dir string) error { return n.store.Backup(ctx, dir) }

// CheckStore reads the whole store and reports what of it is damaged; see
// storage.Store.Check. Messages that cannot be read are mended afterwards, if a
// peer has them.
func (n *Node) CheckStore(ctx context.Context, progress func(done, total uint64)) (storage.CheckReport, error) {
	report, err := n.store.Check(ctx, progress)
	for _, damage := range report.Damages {
		n.noticeDamage(damage)
	}
	return report, err
}
