package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/message"
)

// Options tune a Store. The zero value works.
type Options struct {
	// FS is where the files are; the machine's disk by default.
	FS vfs.FS
	// CacheBytes is the size of the block cache, beside the memtables; 64 MiB by
	// default. Below zero there is none.
	CacheBytes int64
	// Logger hears of Pebble's troubles; nil discards.
	Logger *slog.Logger
	// Registerer takes the metrics; nil keeps them to ourselves.
	Registerer prometheus.Registerer
}

func (o *Options) ensureDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// Store is an open directory. Its methods may be called from many goroutines at
// the same time; what they write is written one after the other. Finalise is
// best left to one goroutine, for anchors must come in order.
type Store struct {
	dir        string
	fs         vfs.FS
	db         *pebble.DB
	lock       *pebble.Lock
	metrics    *metrics
	registerer prometheus.Registerer // of the metrics, until Close
	pace       flushPace
	failed     atomic.Pointer[error]
	broken     chan struct{} // closed by the first failure

	topics  names
	issuers names

	// writing is held while a batch is made from what is there and applied.
	writing sync.Mutex
	// What writes below watch sets touched; both are guarded by writing. A Prune
	// learns by it that what it saw is not all that it would delete.
	watch   message.ID
	touched bool
	// upkeep is held by what goes through much of the store to change it, and is
	// taken before writing.
	upkeep sync.Mutex
	pruned prunedSpans // guarded by upkeep

	// What Open reads and every batch brings up to date once it is durable.
	count   atomic.Uint64 // messages stored
	anchor  atomic.Uint64 // the last one, zero while there is none
	state   atomic.Pointer[[]byte]
	witness atomic.Pointer[ownWitness] // the newest own one
	gaps    atomic.Pointer[[]Gap]      // ascending and disjoint, none above anchor
	seeding atomic.Uint64              // the anchor of the seed that is not complete
	// replacements is set before the first row of the table can be read.
	replacements atomic.Bool

	// readers counts what holds an iterator: Pebble must not be closed under
	// it.
	mu      sync.Mutex
	closed  bool
	readers sync.WaitGroup

	closing  sync.Once
	closeErr error
}

// Open opens or creates the store of a network in dir.
func Open(dir string, network message.NetworkID, opts Options) (*Store, error) {
	opts.ensureDefaults()
	if err := makeDir(opts.FS, dir); err != nil {
		return nil, fmt.Errorf("create %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, opts.FS)
	if err != nil {
		return nil, &LockedError{Dir: dir, Err: err}
	}
	m, err := newMetrics(opts.Registerer)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store{dir: dir, fs: opts.FS, lock: lock, broken: make(chan struct{}), metrics: m, registerer: opts.Registerer}
	if err := s.open(network, opts); err != nil {
		m.unregister(opts.Registerer)
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// open opens the database and reads what the store keeps in memory.
func (s *Store) open(network message.NetworkID, opts Options) error {
	if err := s.refuseHeadless(); err != nil {
		return err
	}
	db, err := s.openPebble(opts)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.dir, err)
	}
	s.db = db
	if err := s.checkMeta(network); err != nil {
		return err
	}
	if err := s.topics.load(db, 't'); err != nil {
		return err
	}
	if err := s.issuers.load(db, 'i'); err != nil {
		return err
	}
	for _, load := range []func() error{s.loadCount, s.loadAnchor, s.loadGaps, s.loadSeeding, s.loadWitness, s.loadReplaced} {
		if err := load(); err != nil {
			return err
		}
	}
	return nil
}

// refuseHeadless refuses a folder with tables but without the file that says which
// of them belong to the store. No crash leaves one; Pebble would begin an empty
// store there and delete the tables.
func (s *Store) refuseHeadless() error {
	exists, err := Exists(s.dir, s.fs)
	if err != nil || exists {
		return err
	}
	files, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if path.Ext(name) == ".sst" {
			return &CorruptionError{tableMeta, nil, fmt.Errorf("%s has tables and no manifest: restore a backup", s.dir)}
		}
	}
	return nil
}

// makeDir makes dir and what is missing above it, and syncs the folders that
// now have a new entry: a crash could otherwise take the whole store along.
func makeDir(fs vfs.FS, dir string) error {
	var grown []string
	for at := dir; ; at = fs.PathDir(at) {
		if _, err := fs.Stat(at); err == nil || fs.PathDir(at) == at {
			break
		}
		grown = append(grown, fs.PathDir(at))
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range grown {
		d, err := fs.OpenDir(parent)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Err is the first failure to write, nil while there was none.
func (s *Store) Err() error {
	if err := s.failed.Load(); err != nil {
		return fmt.Errorf("storage: the store failed: %w", *err)
	}
	return nil
}

// update runs f while nobody else writes, if the store takes writes.
func (s *Store) update(f func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writable(); err != nil {
		return err
	}
	return f()
}

// writable tells why nothing may be written. The caller holds writing.
func (s *Store) writable() error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.seeding.Load() != 0 {
		return ErrSeeding
	}
	return nil
}

// touch tells a Prune that a row of id is written. The caller holds writing.
func (s *Store) touch(id message.ID) {
	if id.Compare(s.watch) < 0 {
		s.touched = true
	}
}

// Free is how many bytes the disk has left for the store.
func (s *Store) Free() (uint64, error) {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return 0, fmt.Errorf("disk usage of %s: %w", s.dir, err)
	}
	return usage.AvailBytes, nil
}

// enter counts a reader in; the caller calls s.readers.Done when it is through.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.readers.Add(1)
	return nil
}

// Close waits for readers to end, flushes and releases the directory. It may
// be called twice.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.readers.Wait()
	s.closing.Do(func() {
		s.metrics.unregister(s.registerer)
		s.pace.end()
		s.closeErr = errors.Join(s.db.Close(), s.lock.Close())
	})
	return s.closeErr
}
