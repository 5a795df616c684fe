package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tangled/ledger"
	"tangled/proof"
	"tangled/snapshot"
	"tangled/storage"
)

// signedWithin is how long a snapshot waits for a quorum's signatures over its
// anchor.
const signedWithin = time.Minute

// snapshotWanted is a snapshot that somebody waits for.
type snapshotWanted struct {
	anchor uint64 // zero is the next one
	frozen chan frozenAnchor
}

// frozenAnchor is the store as one anchor left it.
type frozenAnchor struct {
	*storage.Frozen
	commitment proof.Commitment
}

// snapshotDir is where the snapshots are.
func (o *Options) snapshotDir() string { return filepath.Join(o.Dir, "snapshots") }

// snapshotDue freezes the store for whoever wants a snapshot of the anchor just
// applied, and for the keeper when one is due by time: at the first anchor whose
// ledger time is in another interval than that before, which is the same anchor on
// every node.
func (l *loop) snapshotDue(c proof.Commitment, before uint64) {
	l.snapshots = slices.DeleteFunc(l.snapshots, func(w snapshotWanted) bool {
		if w.anchor > c.Index {
			return false
		}
		if f, err := l.n.store.Freeze(); err == nil {
			w.frozen <- frozenAnchor{f, c} // has room for one
		}
		return true
	})
	interval := uint64(l.n.opts.SnapshotInterval)
	if interval == 0 || c.Time/interval == before/interval {
		return
	}
	f, err := l.n.store.Freeze()
	if err != nil {
		return // closing
	}
	select {
	case l.n.snapshotTurn <- frozenAnchor{f, c}:
	default:
		f.Close() // the one before is still being written
	}
}

// CreateSnapshot writes a snapshot of an anchor, or of the next one where that is
// zero, and waits for it. The error is ErrPassed, an *Alarm, ErrClosed, ctx's, or
// what the disk says.
func (n *Node) CreateSnapshot(ctx context.Context, anchor uint64) (SnapshotInfo, error) {
	want := snapshotWanted{anchor: anchor, frozen: make(chan frozenAnchor, 1)}
	var passed bool
	err := n.ask(ctx, func(l *loop) {
		if passed = anchor != 0 && anchor <= l.finality.index; !passed {
			l.snapshots = append(l.snapshots, want)
		}
	})
	switch {
	case err != nil:
		return SnapshotInfo{}, err
	case passed:
		return n.writtenSnapshot(anchor)
	}
	select {
	case f := <-want.frozen:
		return n.writeSnapshot(ctx, f)
	case <-n.done:
		n.forgetSnapshot(ctx, want)
		return SnapshotInfo{}, n.closedErr()
	case <-ctx.Done():
		n.forgetSnapshot(ctx, want)
		return SnapshotInfo{}, ctx.Err()
	}
}

// forgetSnapshot takes back a wish.
func (n *Node) forgetSnapshot(ctx context.Context, want snapshotWanted) {
	_ = n.ask(context.WithoutCancel(ctx), func(l *loop) { // on error all is closed
		l.snapshots = slices.DeleteFunc(l.snapshots, func(w snapshotWanted) bool { return w == want })
	})
	select {
	case f := <-want.frozen:
		f.Close()
	default:
	}
}

// writtenSnapshot is the snapshot of an anchor that has passed, if there is one.
func (n *Node) writtenSnapshot(anchor uint64) (SnapshotInfo, error) {
	entries, err := snapshot.List(n.opts.snapshotDir())
	if err != nil {
		return SnapshotInfo{}, err
	}
	for _, e := range entries {
		if e.Index == anchor {
			info, err := n.readSnapshot(e.Path, snapshot.Sink{})
			return describeSnapshot(e.Path, info), err
		}
	}
	return SnapshotInfo{}, ErrPassed
}

// Snapshots lists the snapshots that are here, the oldest first. Only Path, Size
// and Anchor are filled in.
func (n *Node) Snapshots() ([]SnapshotInfo, error) {
	entries, err := snapshot.List(n.opts.snapshotDir())
	if err != nil {
		return nil, err
	}
	infos := make([]SnapshotInfo, len(entries))
	for i, e := range entries {
		infos[i] = SnapshotInfo{Path: e.Path, Size: e.Size, Anchor: e.Index}
	}
	return infos, nil
}

// writeSnapshot writes the snapshot of an anchor once a quorum has signed it, and
// lets go of it.
func (n *Node) writeSnapshot(ctx context.Context, f frozenAnchor) (SnapshotInfo, error) {
	defer f.Close()
	src, err := n.snapshotSource(ctx, f)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("snapshot of anchor %d: %w", f.commitment.Index, err)
	}
	if err := os.MkdirAll(n.opts.snapshotDir(), 0o700); err != nil {
		return SnapshotInfo{}, err
	}
	path := filepath.Join(n.opts.snapshotDir(), snapshot.Name(f.commitment.Index))
	info, err := snapshot.WriteFile(ctx, path, src)
	if err != nil {
		return SnapshotInfo{}, fmt.Errorf("snapshot of anchor %d: %w", f.commitment.Index, err)
	}
	n.metrics.snapshots.Inc()
	n.opts.Logger.Info("snapshot written", "anchor", info.Index, "bytes", info.File, "path", path)
	return describeSnapshot(path, info), nil
}

func describeSnapshot(path string, i snapshot.Info) SnapshotInfo {
	return SnapshotInfo{
		Path: path, Size: i.File, Anchor: i.Index, Time: i.Time, Commitment: i.Commitment, Digest: i.Digest,
		Accounts: i.Accounts, Anchors: i.Anchors, Messages: i.Messages,
	}
}

// snapshotSource is what a snapshot of an anchor is written from.
func (n *Node) snapshotSource(ctx context.Context, f frozenAnchor) (snapshot.Source, error) {
	signatures, err := n.signaturesOf(ctx, f.commitment.Index)
	if err != nil {
		return snapshot.Source{}, err
	}
	anchor, err := n.store.Get(f.commitment.Anchor)
	if err != nil {
		return snapshot.Source{}, fmt.Errorf("witness of the anchor: %w", err)
	}
	first, err := n.firstListed(f)
	if err != nil {
		return snapshot.Source{}, err
	}
	src := snapshot.Source{
		Genesis: n.opts.Genesis, Index: f.commitment.Index,
		Anchors:    listedAnchors(f, first),
		Accounts:   snapshotAccounts(f),
		Transfers:  snapshotTransfers(f),
		Node:       n.treeNode,
		Signatures: signatures,
		Witness:    anchor.Message.Bytes(),
	}
	if first > 1 {
		src.Before, err = frozenCommitment(f, first-1)
	}
	return src, err
}

func frozenCommitment(f frozenAnchor, index uint64) (proof.Commitment, error) {
	raw, err := f.Commitment(index)
	if err != nil {
		return proof.Commitment{}, fmt.Errorf("commitment %d: %w", index, err)
	}
	return proof.DecodeCommitment(raw)
}

// signaturesOf waits until a quorum has signed the commitment of an anchor itself.
func (n *Node) signaturesOf(ctx context.Context, index uint64) ([]proof.Signature, error) {
	ctx, cancel := context.WithTimeout(ctx, signedWithin)
	defer cancel()
	for {
		next := n.signed.wait()
		at, set, err := n.store.Signatures(index)
		if err == nil && at == index {
			return proof.DecodeSignatures(set)
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, err
		}
		select {
		case <-next:
		case <-n.done:
			return nil, n.closedErr()
		case <-ctx.Done():
			return nil, fmt.Errorf("no quorum has signed it: %w", ctx.Err())
		}
	}
}

// firstListed is the first anchor whose messages a snapshot lists: those of a
// window and of as long as clocks may run ahead.
func (n *Node) firstListed(f frozenAnchor) (uint64, error) {
	since := snapshot.Since(n.opts.Genesis, f.commitment.Time)
	first := f.commitment.Index
	for ; first > 1; first-- {
		c, err := frozenCommitment(f, first-1)
		if err != nil {
			return 0, err
		}
		if c.Time < since {
			break
		}
	}
	return first, nil
}

func listedAnchors(f frozenAnchor, first uint64) iter.Seq2[snapshot.Anchor, error] {
	return func(yield func(snapshot.Anchor, error) bool) {
		for index := first; index <= f.commitment.Index; index++ {
			a, err := listedAnchor(f, index)
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

func listedAnchor(f frozenAnchor, index uint64) (a snapshot.Anchor, err error) {
	if a.Commitment, err = frozenCommitment(f, index); err != nil {
		return a, err
	}
	included, err := f.Included(index)
	if err != nil {
		return a, err
	}
	a.Included = make([]snapshot.Included, len(included))
	for i, m := range included {
		a.Included[i] = snapshot.Included{ID: m.ID, Outcome: m.Outcome}
	}
	return a, nil
}

func snapshotAccounts(f frozenAnchor) iter.Seq2[snapshot.Account, error] {
	return func(yield func(snapshot.Account, error) bool) {
		for row, err := range f.Accounts() {
			var account ledger.Account
			if err == nil {
				account, err = decodeAccount(row.Value)
			}
			// An emptied account has a row still, and is none to the ledger.
			if err == nil && account == (ledger.Account{}) {
				continue
			}
			if !yield(snapshot.Account{Address: row.Address, Account: account}, err) || err != nil {
				return
			}
		}
	}
}

func snapshotTransfers(f frozenAnchor) iter.Seq2[ledger.AppliedTransfer, error] {
	return func(yield func(ledger.AppliedTransfer, error) bool) {
		for row, err := range f.Unexpired() {
			if !yield(ledger.AppliedTransfer{ID: row.TransferID, ValidUntil: row.ValidUntil}, err) || err != nil {
				return
			}
		}
	}
}

// readSnapshot reads and verifies a snapshot file.
func (n *Node) readSnapshot(path string, sink snapshot.Sink) (snapshot.Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return snapshot.Info{}, err
	}
	defer file.Close()
	return snapshot.Read(n.ctx, file, snapshot.ReadOptions{Genesis: n.opts.Genesis}, sink)
}
