package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/storage"
)

const (
	// anchorSize is how many messages an anchor includes: what comes in within half a
	// second.
	anchorSize = 5_000
	// commitmentSize and stateSize are those of a node.
	commitmentSize, stateSize = 268, 200
	outcomeIncluded           = 1
)

// filler fills a store as a node would: batches of messages, each synced, and from
// time to time an anchor that makes all of them final.
type filler struct {
	store    *storage.Store
	forge    *forge // the goroutine's that makes the messages, while that runs
	rng      *rand.Rand
	tree     *treeShape
	included []storage.FinalMessage // since the last anchor
	done     int
	bytes    uint64 // of encodings
	progress func(step string, done, total uint64)
}

func newFiller(s *storage.Store, opts Options) *filler {
	return &filler{store: s, forge: newForge(), rng: rand.New(rand.NewPCG(9, 10)), tree: new(treeShape), progress: opts.Progress}
}

// storeDir is where the store of a measurement is.
func (o *Options) storeDir() string { return o.folder("db") }

// withStore opens the store of a measurement for do.
func withStore(opts Options, do func(*storage.Store) error) (err error) {
	return withStoreOn(vfs.Default, opts, do)
}

// withStoreOn is withStore on a file system that watches.
func withStoreOn(disk vfs.FS, opts Options, do func(*storage.Store) error) (err error) {
	s, err := storage.Open(opts.storeDir(), network(), storage.Options{FS: disk})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return do(s)
}

// diskUsage is how many bytes the tables of the closed store have. An open one still
// has files that are about to be removed. Logs do not count: those that are kept to be
// written again take some 130 MB, whatever the size of the store.
func diskUsage(opts Options) (total uint64, err error) {
	err = filepath.WalkDir(opts.storeDir(), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(d.Name()) != ".sst" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += uint64(info.Size())
		return nil
	})
	return total, err
}

// fill adds n messages, all of them final at the end. each, if not nil, is called
// after every batch.
func (f *filler) fill(ctx context.Context, n int, each func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches, failed := f.forge.batches(ctx, n)
	total := uint64(f.done + n)
	for batch := range batches {
		if err := f.commit(batch); err != nil {
			return err
		}
		f.progress("fill", uint64(f.done), total)
		if each == nil {
			continue
		}
		if err := each(); err != nil {
			return err
		}
	}
	if err := <-failed; err != nil {
		return err
	}
	return f.anchor()
}

func (f *filler) commit(batch []storage.Record) error {
	if err := f.store.Commit(batch); err != nil {
		return err
	}
	for _, r := range batch {
		f.included = append(f.included, storage.FinalMessage{ID: r.Message.ID(), Outcome: outcomeIncluded})
		f.bytes += uint64(len(r.Message.Bytes()))
	}
	f.done += len(batch)
	if len(f.included) < anchorSize {
		return nil
	}
	return f.anchor()
}

// anchor makes final what is not.
func (f *filler) anchor() error {
	if len(f.included) == 0 {
		return nil
	}
	index := f.store.LastAnchor() + 1
	commitment, state := make([]byte, commitmentSize), make([]byte, stateSize)
	fillRandom(f.rng, commitment[:commitmentSize-commitmentSize%8])
	fillRandom(f.rng, state)
	err := f.store.Finalise(storage.Finality{
		Anchor: index, Commitment: commitment, Included: f.included, Nodes: f.tree.grow(), State: state,
	})
	if err != nil {
		return fmt.Errorf("anchor %d: %w", index, err)
	}
	f.included = f.included[:0]
	return nil
}

// treeShape says which nodes of the tree of commitments an anchor completes.
type treeShape struct{ leaves uint64 }

func (t *treeShape) grow() []storage.Node {
	if t.leaves == 0 {
		t.leaves = 1 // that of the genesis
	}
	var nodes []storage.Node
	for level, index := uint8(0), t.leaves; ; level, index = level+1, index/2 {
		nodes = append(nodes, storage.Node{Level: level, Index: index, Hash: [32]byte{byte(index), byte(index >> 8), level}})
		if index%2 == 0 {
			break
		}
	}
	t.leaves++
	return nodes
}
