package storage

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// blockSize is how many bytes of rows are compressed, read and cached together: some
// fifteen readings. With twice as many a history is read a tenth faster, but the newest
// readings of one topic, each in a block of its own, take a third longer and more while
// those are not cached. With half as many, as by default, a store is also filled more slowly.
const blockSize = 8 << 10

// memTableSize is how many bytes are written before files are made of them. Half of it
// costs 5 us more a message in merging what it makes twice as often.
const memTableSize = 64 << 20

// cacheSize makes room for the memtables, which Pebble takes out of the cache: with
// the one that takes the writes and the one being flushed nothing would be left of
// 64 MiB, and every look-up would read index and filter blocks from the disk.
func cacheSize(blocks int64) int64 {
	if blocks < 0 {
		return 1
	}
	return blocks + 2*memTableSize
}

// openPebble is pebble.Open that ends. With a log to make a table of and a disk
// that does not take it, Pebble would try for ever; we leave it where it is, in
// possession of the lock, and give up. It also panics when it cannot sync the
// directory.
func (s *Store) openPebble(opts Options) (*pebble.DB, error) {
	cache := pebble.NewCache(cacheSize(opts.CacheBytes))
	defer cache.Unref() // the database holds its own reference
	var opened atomic.Bool
	var damaged sync.Map // by path
	po := s.pebbleOptions(opts, cache)
	po.EventListener = &pebble.EventListener{
		BackgroundError: func(err error) {
			s.fail(err)
			if !opened.Load() {
				runtime.Goexit() // openPebble has given up
			}
		},
		// By default this is fatal. Whoever reads the block is told, and the rest can
		// be read, checked and brought back.
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			if _, told := damaged.LoadOrStore(info.Path, true); told {
				return // of each file once: it may be read a thousand times
			}
			opts.Logger.Error("damaged table", "path", info.Path, "bounds", info.Bounds.String(), "error", info.Details.Error())
		},
		// A memtable that is full gets a log and a flush of its own.
		WALCreated: func(pebble.WALCreateInfo) { s.pace.memtableFull() },
		FlushBegin: func(pebble.FlushInfo) { s.pace.flushBegins() },
	}
	type result struct {
		db  *pebble.DB
		err error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("pebble: %v", p)
			}
			done <- r
		}()
		r.db, r.err = pebble.Open(s.dir, po)
	}()
	select {
	case r := <-done:
		opened.Store(r.err == nil)
		s.pace.begin()
		return r.db, r.err
	case <-s.broken:
		return nil, s.Err()
	}
}

func (s *Store) pebbleOptions(opts Options, cache *pebble.Cache) *pebble.Options {
	po := &pebble.Options{
		FS:                 pacedFS{FS: opts.FS, pace: &s.pace},
		Lock:               s.lock,
		Cache:              cache,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       memTableSize,
		// A burst of ingest outruns compaction; reads stay quick enough while
		// it catches up, so do not stall writers early. What overlaps, the rows by topic
		// and by issuer, is merged with all below it each time: rather when sixteen files
		// lie upon each other, which is half of this threshold, than two. Files of rows in
		// order lie side by side. How many there are of those must not have the others
		// merged earlier, or in a large store it is at each flush.
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       32,
		L0CompactionFileThreshold:   2_000,
		L0StopWritesThreshold:       64,
		Logger:                      pebbleLogger{s: s, log: opts.Logger},
	}
	// MinLZ, and Zstandard at the last level where it gains enough more.
	po.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	// What is deleted by key is own messages that became final, a row each: not worth
	// a compaction of its own, which by default they get again and again.
	po.Experimental.TombstoneDenseCompactionThreshold = -1
	po.Experimental.SpanPolicyFunc = tableOfItsOwn
	// A file a table, of all that a memtable has; below as by default.
	po.TargetFileSizes[0] = memTableSize
	for i := 1; i < len(po.TargetFileSizes); i++ {
		po.TargetFileSizes[i] = 2 << 20 << i
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		po.Levels[i].BlockSize = blockSize
	}
	return po
}

// tableOfItsOwn ends every file of Pebble's with the last row of one of our tables.
// Rows by ID and by anchor come nearly in order: a file of them alone overlaps none
// below, and is moved down where one with rows of all tables would be merged with all
// there is, level after level.
func tableOfItsOwn(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	if len(start) == 0 || start[0] == math.MaxUint8 {
		return policy, nil, nil // the last there can be
	}
	// Merged most often, and half of a row is a hash.
	policy.PreferFastCompression = start[0] == tableTopic || start[0] == tableIssuer
	return policy, []byte{start[0] + 1}, nil
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
