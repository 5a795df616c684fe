package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/catchup"
	"tangled/snapshot"
)

// FetchSnapshot downloads the newest snapshot of a connected peer and verifies it.
// progress, if not nil, is told of its bytes. The error is ErrNoPeer, ErrNoSnapshot,
// ErrClosed, ctx's, a *snapshot.InvalidError for what the peer gave, or what the
// disk says.
func (n *Node) FetchSnapshot(ctx context.Context, of peer.ID, progress func(done, total uint64)) (SnapshotInfo, error) {
	if !n.isConnected(of) {
		return SnapshotInfo{}, ErrNoPeer
	}
	client := n.syncClient(of)
	status, err := client.Status(ctx)
	if errors.Is(err, catchup.ErrNotHere) || err == nil && status.Snapshot.Index == 0 {
		return SnapshotInfo{}, ErrNoSnapshot
	}
	if err != nil {
		return SnapshotInfo{}, err
	}
	path, err := n.fetchSnapshot(ctx, of, client, status.Snapshot, progress)
	if err != nil {
		return SnapshotInfo{}, err
	}
	info, err := n.readSnapshot(path, snapshot.Sink{})
	return describeSnapshot(path, info), err
}

// fetchSnapshot downloads a peer's snapshot and verifies it. What an earlier try
// with the same peer left is gone on with.
func (n *Node) fetchSnapshot(ctx context.Context, of peer.ID, client *catchup.Client, s catchup.SnapshotInfo, progress func(done, total uint64)) (path string, err error) {
	if err := os.MkdirAll(n.opts.snapshotDir(), 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(n.opts.snapshotDir(), snapshot.Name(s.Index))
	if _, err := os.Stat(path); err == nil {
		return path, nil // written or fetched and verified before
	}
	part := fmt.Sprintf("%s-%v.part", path, of)
	if err := download(ctx, client, s, part, progress); err != nil {
		return "", fmt.Errorf("fetch snapshot %d: %w", s.Index, err)
	}
	_, err = n.readSnapshot(part, snapshot.Sink{})
	if errors.As(err, new(*snapshot.InvalidError)) {
		n.gossip.Penalise(of, err.Error())
		return "", errors.Join(err, os.Remove(part))
	}
	if err != nil {
		return "", err
	}
	return path, os.Rename(part, path)
}

func download(ctx context.Context, client *catchup.Client, s catchup.SnapshotInfo, part string, progress func(done, total uint64)) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := client.Snapshot(ctx, s, uint64(at), &progressWriter{f, uint64(at), s.Size, progress}); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// progressWriter tells how far a download has come.
type progressWriter struct {
	io.Writer
	done, total uint64
	progress    func(done, total uint64)
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.done += uint64(n)
	if w.progress != nil {
		w.progress(w.done, w.total)
	}
	return n, err
}
