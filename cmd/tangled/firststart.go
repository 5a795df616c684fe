package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"tangled/message"
	"tangled/node"
)

// firstStartFile lies beside the key of a node that init made, until the node's
// seat has written its first witness.
const firstStartFile = "first-start"

const firstStartText = `This file is the operator's word that the key beside it has never written a
witness. With it, a seat whose store is empty begins at round 1. The node removes
it as soon as the seat's first witness is on its disk.

Never put it back, and leave it out of backups: a seat that forgets what it wrote
and begins anew writes two witnesses for one round, and that is kept as proof
against it. Without this file a seat with an empty store first asks the others
what they have seen of it.
`

// firstStart is the word of the operator, in the file at path, that a node's key
// has never written a witness.
//
// The word holds until the seat's first witness is durable, so the file goes
// away right then and not before:
//
//   - A crash before that witness leaves the file and a store without witnesses:
//     the word is still true, and the next start needs it. Had the file gone when
//     the node opened, a start that ends at once (a port in use, Ctrl-C) would
//     silence the seat, and in a network of up to three seats for ever, since
//     there the others are no quorum that could tell it where to go on.
//   - A crash after that witness and before the file is gone leaves both. The
//     store remembers the witness, and what it remembers outweighs the word; the
//     next start removes the file.
//   - A store that is lost later finds no file, so the seat asks the others.
//   - What is left is a store lost together with the process within the moment
//     between the two, about a millisecond once in the life of a network.
type firstStart struct {
	path   string
	logger *slog.Logger
	cancel context.CancelFunc // nil while nobody watches
	done   chan struct{}
}

// given tells whether the word is there.
func (f *firstStart) given() (bool, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular(), err
}

// watch removes the file once the word does not hold any more. It returns at
// once; Close ends it.
func (f *firstStart) watch(ctx context.Context, n *node.Node) {
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.done = make(chan struct{})
	go func() {
		defer close(f.done)
		for !f.wrote(ctx, n) {
			if ctx.Err() != nil || fatal(n.Health()) {
				return
			}
		}
		if err := f.remove(); err != nil {
			f.logger.Error("remove this file: a seat that has written may not start like a new one",
				"file", f.path, "error", err)
		}
	}()
}

// wrote waits until the seat's first witness is durable. It is true at once for a
// node that holds no seat, and false when nothing more can be learned.
func (f *firstStart) wrote(ctx context.Context, n *node.Node) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := n.Tail(ctx) // from here on: before asking what there is already
	info, err := n.Info(ctx)
	wrote := err == nil && (info.Seat < 0 || info.Seats[info.Seat].Round > 0)
	if wrote {
		cancel() // what follows still has to end
	}
	for e, err := range events {
		switch {
		case wrote:
			return true
		case err != nil:
			return false
		case e.Message.Kind == message.KindWitness && e.Message.Issuer == info.Issuer:
			return true
		}
	}
	return wrote
}

// remove is durable when it returns.
func (f *firstStart) remove() error {
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

// Close waits until nobody watches any more.
func (f *firstStart) Close() {
	if f.cancel != nil {
		f.cancel()
		<-f.done
	}
}
