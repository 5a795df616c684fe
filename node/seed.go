package node

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/proof"
	"tangled/snapshot"
	"tangled/storage"
)

// waveRounds is how many rounds a wave has; its leader's round is the first.
const waveRounds = 3

// errEnough ends the reading of a snapshot of which no more is wanted.
var errEnough = errors.New("enough")

// seed lets the store begin at a snapshot's anchor. The file is read once to know
// that it is right, and again for each table: none of it is held in memory.
func (l *loop) seed(ctx context.Context, path string) (snapshot.Info, error) {
	n := l.n
	var last proof.Commitment
	var nodes []merkle.Node
	info, err := n.readSnapshot(path, snapshot.Sink{Anchor: func(a snapshot.Anchor) error {
		last = a.Commitment
		nodes = append(nodes, a.Nodes...)
		return n.opts.vouched(a.Commitment.Index, a.Commitment.Hash())
	}})
	if err != nil {
		return info, err
	}
	return info, n.store.Seed(ctx, storage.Seed{
		Anchor: info.Index,
		State: state{
			index: info.Index, time: info.Time, wave: (info.Round-1)/waveRounds + 1,
			last: info.Commitment, ledger: last.State, peaks: info.Peaks,
		}.encode(),
		Nodes:     storedNodes(nodes),
		Anchors:   n.seedAnchors(path, info),
		Accounts:  n.seedAccounts(path),
		Unexpired: n.seedTransfers(path),
	})
}

// seedAgain begins a seed anew that a crash cut short: the store takes nothing
// else until then.
func (l *loop) seedAgain(ctx context.Context) error {
	anchor, ok := l.n.store.Seeding()
	if !ok {
		return nil
	}
	if _, err := l.seed(ctx, filepath.Join(l.n.opts.snapshotDir(), snapshot.Name(anchor))); err != nil {
		return fmt.Errorf("begin at the snapshot of anchor %d again: %w", anchor, err)
	}
	return nil
}

func storedNodes(nodes []merkle.Node) []storage.Node {
	rows := make([]storage.Node, len(nodes))
	for i, n := range nodes {
		rows[i] = storage.Node{Level: n.Level, Index: n.Index, Hash: n.Hash}
	}
	return rows
}

// pushed is a sequence of what a snapshot's reading comes upon.
func pushed[T any](read func(give func(T) error) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := read(func(v T) error {
			if !yield(v, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			var none T
			yield(none, fmt.Errorf("read the snapshot again: %w", err))
		}
	}
}

func (n *Node) seedAnchors(path string, info snapshot.Info) iter.Seq2[storage.SeedAnchor, error] {
	return pushed(func(give func(storage.SeedAnchor) error) error {
		_, err := n.readSnapshot(path, snapshot.Sink{Anchor: func(a snapshot.Anchor) error {
			row := storage.SeedAnchor{Anchor: a.Commitment.Index, Commitment: a.Commitment.Encode()}
			if row.Anchor == info.Index && !info.Trusted {
				row.Signatures = proof.EncodeSignatures(info.Signatures)
			}
			for _, m := range a.Included {
				row.Included = append(row.Included, storage.FinalMessage{ID: m.ID, Outcome: m.Outcome})
			}
			return give(row)
		}})
		return err
	})
}

func (n *Node) seedAccounts(path string) iter.Seq2[storage.Account, error] {
	return pushed(func(give func(storage.Account) error) error {
		_, err := n.readSnapshot(path, snapshot.Sink{Account: func(a snapshot.Account) error {
			return give(storage.Account{Address: a.Address, Value: encodeAccount(a.Account)})
		}})
		return err
	})
}

func (n *Node) seedTransfers(path string) iter.Seq2[storage.AppliedTransfer, error] {
	return pushed(func(give func(storage.AppliedTransfer) error) error {
		_, err := n.readSnapshot(path, snapshot.Sink{Transfer: func(t ledger.AppliedTransfer) error {
			return give(storage.AppliedTransfer{TransferID: t.ID, ValidUntil: t.ValidUntil})
		}})
		return err
	})
}
