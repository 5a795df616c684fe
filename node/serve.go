package node

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/catchup"
	"tangled/message"
	"tangled/snapshot"
	"tangled/storage"
)

// serveSync answers a peer that catches up or fills a gap.
func (n *Node) serveSync(ctx context.Context, from peer.ID, request []byte) ([]byte, error) {
	bodies, err := n.store.Bodies()
	if err != nil {
		return nil, err
	}
	defer bodies.Close()
	reply, err := catchup.Serve(ctx, n.syncSource(bodies), request)
	if invalid := new(catchup.InvalidError); errors.As(err, &invalid) {
		n.gossip.Penalise(from, err.Error())
	}
	return reply, err
}

// syncSource is what peers may read here, messages through bodies.
func (n *Node) syncSource(bodies *storage.Bodies) catchup.Source {
	return catchup.Source{
		LastAnchor:   n.lastTrusted,
		CompleteFrom: n.store.CompleteFrom,
		Complete:     n.completeThrough,
		Commitment: func(anchor uint64) ([]byte, error) {
			b, err := n.store.Commitment(anchor)
			return b, notHere(err)
		},
		Signatures: func(anchor uint64) (uint64, []byte, error) {
			signed, set, err := n.store.Signatures(anchor)
			return signed, set, notHere(err)
		},
		Included: n.listFrom,
		Message: func(id message.ID) ([]byte, error) {
			body, err := bodies.Get(id)
			if errors.Is(err, storage.ErrNotFound) {
				return nil, catchup.ErrNotHere
			}
			// A damaged message must not look like a lie.
			if m, decodeErr := message.Decode(body); err == nil && decodeErr == nil && m.ID() == id {
				return body, nil
			}
			// A row that was mended hides the damaged one from a look-up alone.
			r, err := n.get(id)
			if err != nil {
				return nil, notHere(err)
			}
			return r.Message.Bytes(), nil
		},
		Snapshot:     n.newestSnapshot,
		ReadSnapshot: n.readSnapshotPart,
	}
}

// notHere turns the store's words for what it has not got, or cannot read, into that
// of catch-up: another peer may have it.
func notHere(err error) error {
	if errors.Is(err, storage.ErrNotFound) || errors.As(err, new(*storage.CorruptionError)) {
		return catchup.ErrNotHere
	}
	return err
}

// lastTrusted is the last anchor that no alarm puts in doubt.
func (n *Node) lastTrusted() uint64 {
	last := n.store.LastAnchor()
	if alarm := n.alarm.Load(); alarm != nil {
		last = min(last, alarm.Index-1)
	}
	return last
}

// completeThrough is the last anchor of the complete ones that begin at from;
// below from where from is not complete.
func (n *Node) completeThrough(from uint64) uint64 {
	gaps, err := n.store.Gaps()
	if err != nil {
		return 0
	}
	through := n.lastTrusted()
	for _, g := range gaps {
		if g.Last >= from {
			through = min(through, g.First-1)
		}
	}
	return through
}

// listFrom is the list of an anchor, from an index on.
func (n *Node) listFrom(ctx context.Context, anchor uint64, from uint32) iter.Seq2[catchup.Included, error] {
	return func(yield func(catchup.Included, error) bool) {
		for p, err := range n.store.Order(ctx, anchor, from) {
			if err == nil && p.Anchor != anchor {
				return
			}
			if !yield(catchup.Included{ID: p.ID, Outcome: p.Outcome}, err) || err != nil {
				return
			}
		}
	}
}

func (n *Node) newestSnapshot() (catchup.SnapshotInfo, error) {
	snapshots, err := n.Snapshots()
	if err != nil {
		return catchup.SnapshotInfo{}, err
	}
	if len(snapshots) == 0 {
		return catchup.SnapshotInfo{}, catchup.ErrNotHere
	}
	newest := snapshots[len(snapshots)-1]
	return catchup.SnapshotInfo{Index: newest.Anchor, Size: uint64(newest.Size)}, nil
}

// readSnapshotPart reads from the snapshot of an anchor.
func (n *Node) readSnapshotPart(index, offset uint64, p []byte) (read int, size uint64, err error) {
	f, err := os.Open(filepath.Join(n.opts.snapshotDir(), snapshot.Name(index)))
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0, catchup.ErrNotHere // it was not, or is no more
	}
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if offset > math.MaxInt64 {
		return 0, uint64(stat.Size()), nil
	}
	read, err = f.ReadAt(p, int64(offset))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return read, uint64(stat.Size()), err
}
