package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/message"
)

const formatVersion = 1

// Options tune a Store. The zero value works.
type Options struct {
	// FS is where the files are; the machine's disk by default.
	FS vfs.FS
	// CacheBytes is the size of the block cache; 64 MiB by default.
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

// Record is a stored message.
type Record struct {
	Message *message.Message
	// Seen is when this node took the message in, in nanoseconds since the
	// Unix epoch.
	Seen uint64
}

// Store is an open directory. Commit is for one goroutine; everything else may
// be called from many at the same time.
type Store struct {
	dir     string
	fs      vfs.FS
	db      *pebble.DB
	lock    *pebble.Lock
	metrics *metrics
	failed  atomic.Pointer[error]
	broken  chan struct{} // closed by the first failure
	count   atomic.Uint64 // messages stored

	topics  names
	issuers names

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
	s := &Store{dir: dir, fs: opts.FS, lock: lock, broken: make(chan struct{}), metrics: newMetrics(opts.Registerer)}
	if err := s.open(network, opts); err != nil {
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
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

func (s *Store) open(network message.NetworkID, opts Options) error {
	cache := pebble.NewCache(opts.CacheBytes)
	defer cache.Unref() // the database holds its own reference
	po := &pebble.Options{
		FS:                 opts.FS,
		Lock:               s.lock,
		Cache:              cache,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       32 << 20,
		// A burst of ingest outruns compaction; reads stay quick enough while
		// it catches up, so do not stall writers early.
		MemTableStopWritesThreshold: 4,
		L0StopWritesThreshold:       24,
		Logger:                      pebbleLogger{s: s, log: opts.Logger},
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	var opened atomic.Bool
	po.EventListener = &pebble.EventListener{BackgroundError: func(err error) {
		s.fail(err)
		if !opened.Load() {
			runtime.Goexit() // openPebble has given up
		}
	}}
	db, err := s.openPebble(po)
	if err != nil {
		return fmt.Errorf("open %s: %w", s.dir, err)
	}
	opened.Store(true)
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
	return s.loadCount()
}

func (s *Store) loadCount() error {
	b, err := s.meta("count")
	if err != nil || b == nil {
		return err
	}
	if len(b) != 8 {
		return &CorruptionError{tableMeta, []byte("count"), fmt.Errorf("%d bytes, want 8", len(b))}
	}
	s.count.Store(binary.BigEndian.Uint64(b))
	return nil
}

// Count is how many messages are stored.
func (s *Store) Count() uint64 { return s.count.Load() }

// checkMeta refuses a directory that is not ours, and signs a new one.
func (s *Store) checkMeta(network message.NetworkID) error {
	format, err := s.meta("format")
	if err != nil {
		return err
	}
	if format == nil {
		b := s.db.NewBatch()
		defer b.Close()
		_ = b.Set(metaKey("format"), binary.BigEndian.AppendUint32(nil, formatVersion), nil)
		_ = b.Set(metaKey("network"), network[:], nil)
		return s.apply(b)
	}
	if len(format) != 4 {
		return &CorruptionError{tableMeta, []byte("format"), fmt.Errorf("%d bytes, want 4", len(format))}
	}
	if has := binary.BigEndian.Uint32(format); has > formatVersion {
		return &FormatError{Dir: s.dir, Has: has, Want: formatVersion}
	}
	has, err := s.meta("network")
	if err != nil {
		return err
	}
	if len(has) != len(network) {
		return &CorruptionError{tableMeta, []byte("network"), fmt.Errorf("%d bytes, want %d", len(has), len(network))}
	}
	if message.NetworkID(has) != network {
		return &NetworkError{Dir: s.dir, Has: [8]byte(has), Want: network}
	}
	return nil
}

// meta reads a row of the meta table; nil if there is none.
func (s *Store) meta(name string) ([]byte, error) {
	value, closer, err := s.db.Get(metaKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, &CorruptionError{tableMeta, []byte(name), err}
	}
	defer closer.Close()
	return slices.Clone(value), nil
}

// Commit makes records durable with all their index rows, in one synced batch.
// When it returns nil they survive any crash. After an error the store takes
// no more writes.
func (s *Store) Commit(records []Record) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	if err := s.Err(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	defer b.Close()
	size := 0
	for _, r := range records {
		n, err := s.put(b, r)
		if err != nil {
			// Names may have been numbered that are now never written.
			s.fail(err)
			return fmt.Errorf("commit %d messages: %w", len(records), err)
		}
		size += n
	}
	count := s.count.Load() + uint64(len(records))
	_ = b.Set(metaKey("count"), binary.BigEndian.AppendUint64(nil, count), nil)
	if err := s.apply(b); err != nil {
		return fmt.Errorf("commit %d messages: %w", len(records), err)
	}
	s.count.Store(count)
	s.metrics.commits.Inc()
	s.metrics.messages.Add(float64(len(records)))
	s.metrics.bytes.Add(float64(size))
	return nil
}

// put adds a record to b. Set on a batch fails only when the batch is closed.
func (s *Store) put(b *pebble.Batch, r Record) (size int, err error) {
	id, raw := r.Message.ID(), r.Message.Bytes()
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(raw)), r.Seen)
	_ = b.Set(messageKey(id), append(value, raw...), nil)
	issuer := s.issuers.number(b, string(r.Message.Issuer[:]))
	_ = b.Set(indexKey(tableIssuer, issuer, id), nil, nil)
	if r.Message.Kind == message.KindData {
		data, err := r.Message.Data()
		if err != nil {
			return 0, err
		}
		_ = b.Set(indexKey(tableTopic, s.topics.number(b, data.Topic), id), nil, nil)
	}
	return len(raw), nil
}

// apply writes b and waits for the disk. Pebble reports a failed write-ahead
// log to its logger and returns nil, so that nil alone proves nothing.
func (s *Store) apply(b *pebble.Batch) error {
	if err := s.db.Apply(b, pebble.Sync); err != nil {
		s.fail(err)
	}
	return s.Err()
}

func (s *Store) fail(err error) {
	if s.failed.CompareAndSwap(nil, &err) {
		close(s.broken)
	}
}

// openPebble is pebble.Open that ends. With a log to make a table of and a disk
// that does not take it, Pebble would try for ever; we leave it where it is, in
// possession of the lock, and give up. It also panics when it cannot sync the
// directory.
func (s *Store) openPebble(po *pebble.Options) (*pebble.DB, error) {
	type result struct {
		db  *pebble.DB
		err error
	}
	opened := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("pebble: %v", p)
			}
			opened <- r
		}()
		r.db, r.err = pebble.Open(s.dir, po)
	}()
	select {
	case r := <-opened:
		return r.db, r.err
	case <-s.broken:
		return nil, s.Err()
	}
}

// Err is the first failure to write, nil while there was none.
func (s *Store) Err() error {
	if err := s.failed.Load(); err != nil {
		return fmt.Errorf("storage: the store failed: %w", *err)
	}
	return nil
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

var errClosed = errors.New("storage: store is closed")

// Close waits for readers to end, flushes and releases the directory. It may
// be called twice.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.readers.Wait()
	s.closing.Do(func() { s.closeErr = errors.Join(s.db.Close(), s.lock.Close()) })
	return s.closeErr
}

// pebbleLogger keeps Pebble from ending the process: by its own account it
// calls Fatalf when it cannot write, and then goes on if that returns.
type pebbleLogger struct {
	s   *Store
	log *slog.Logger
}

func (l pebbleLogger) Infof(format string, args ...any) {
	l.log.Debug("pebble", "text", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("pebble", "text", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.s.fail(err)
	l.log.Error("pebble", "text", err.Error())
}
