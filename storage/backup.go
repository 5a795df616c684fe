package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// Backup makes a store in dir, a new folder, that is this one as it is now or a
// moment later: what is written meanwhile is in it whole or not at all. The store
// goes on all the while. On the same file system tables are linked, not copied,
// and take up no room until this store deletes its own. What was copied is opened
// and its meta rows compared; after an error dir is gone again, but where it was
// there before, which is refused with an error that is fs.ErrExist.
func (s *Store) Backup(ctx context.Context, dir string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	if err := s.backup(ctx, dir); err != nil {
		return fmt.Errorf("back up to %s: %w", dir, err)
	}
	return nil
}

func (s *Store) backup(ctx context.Context, dir string) error {
	if err := errors.Join(ctx.Err(), s.Err()); err != nil {
		return err
	}
	if _, err := s.fs.Stat(dir); err == nil {
		return fs.ErrExist
	}
	anchor := s.anchor.Load()
	err := s.checkpoint(dir)
	if err == nil {
		err = s.checkBackup(dir, anchor)
	}
	if err != nil {
		err = errors.Join(err, s.fs.RemoveAll(dir))
	}
	return err
}

// checkpoint is Pebble's, which panics when it cannot sync the new directory. That
// is no reason to end the process: the store's own directory is as it was.
func (s *Store) checkpoint(dir string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("pebble: %v", p)
		}
	}()
	return s.db.Checkpoint(dir, pebble.WithFlushedWAL())
}

// checkBackup opens a backup that has this anchor or a later one.
func (s *Store) checkBackup(dir string, anchor uint64) (err error) {
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	opts := s.pebbleOptions(Options{FS: s.fs, Logger: slog.New(slog.DiscardHandler)}, cache)
	opts.Lock, opts.ReadOnly, opts.Logger = nil, true, quietLogger{}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, name := range []string{"format", "network"} {
		want, err := s.meta(name)
		if err != nil {
			return err
		}
		has, ok, err := find(db, metaKey(name), decodeBytes)
		if err != nil {
			return err
		}
		if !ok || !bytes.Equal(has, want) {
			return &CorruptionError{tableMeta, []byte(name), fmt.Errorf("%x in the backup, %x in the store", has, want)}
		}
	}
	copied := &Store{db: db}
	has, err := copied.number("anchor")
	if err == nil && has < anchor {
		err = &CorruptionError{tableMeta, []byte("anchor"), fmt.Errorf("%d in the backup, %d in the store", has, anchor)}
	}
	return err
}

// quietLogger says nothing: what goes wrong is in the error.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)  {}
func (quietLogger) Errorf(string, ...any) {}
func (quietLogger) Fatalf(string, ...any) {}
