package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// storeFolder is where in a data directory the store is.
const storeFolder = "db"

// storeIn is the folder of the store in dir, which is a data directory or a backup.
func storeIn(dir string) (string, error) {
	for _, path := range []string{filepath.Join(dir, storeFolder), dir} {
		found, err := storage.Exists(path, vfs.Default)
		if err != nil {
			return "", err
		}
		if found {
			return path, nil
		}
	}
	return "", &exitError{code: exitNotFound, err: fmt.Errorf("there is no store in %s", dir)}
}

// openOffline opens the store in dir, else the config's. With a config it must be
// of the config's network. The error is a *storage.LockedError where a node runs,
// and a *damagedError where the store's own files are why.
func openOffline(logs io.Writer, c *config, dir string) (*storage.Store, error) {
	if dir == "" {
		dir = c.DataDir
	}
	path, err := storeIn(dir)
	if err != nil {
		return nil, err
	}
	logger := newTextLogger(logs, slog.LevelWarn)
	if c == nil {
		return openAny(path, logger)
	}
	g, err := readGenesis(c.Genesis)
	if err != nil {
		return nil, c.fail("genesis", err)
	}
	s, err := openStore(path, g.Network(), logger)
	if other := new(storage.NetworkError); errors.As(err, &other) {
		return nil, fmt.Errorf("%s belongs to network %x and %s is of network %x", path, other.Has, c.Genesis, other.Want)
	}
	return s, err
}

// openAny opens a store of whatever network it is. It asks for one that there is not:
// a store that takes that has lost its rows.
func openAny(path string, logger *slog.Logger) (*storage.Store, error) {
	s, err := openStore(path, message.NetworkID{}, logger)
	if other := new(storage.NetworkError); errors.As(err, &other) {
		return openStore(path, other.Has, logger)
	}
	if err == nil {
		lost := fmt.Errorf("open %s: it does not say of which network it is", path)
		return nil, errors.Join(&damagedError{lost}, s.Close())
	}
	return nil, err
}

func openStore(path string, network message.NetworkID, logger *slog.Logger) (*storage.Store, error) {
	s, err := storage.Open(path, network, storage.Options{Logger: logger})
	if isDamage(err) {
		return nil, &damagedError{err}
	}
	return s, err
}

// damagedError tells that a store is there and cannot be opened for what is in its
// files or missing among them.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return "the store is damaged: " + e.err.Error() }

func (e *damagedError) Unwrap() error { return e.err }

// isDamage tells whether the error that storage.Open gave for a store that is there
// is about its files. Pebble names only some of what it finds wrong with them, so
// what is left when all other reasons are taken away is damage: somebody has the
// store open, it is another's, or the system does not let us do something.
func isDamage(err error) bool {
	var locked *storage.LockedError
	var other *storage.NetworkError
	var newer *storage.FormatError
	var system syscall.Errno
	switch {
	case err == nil, errors.As(err, &locked), errors.As(err, &other), errors.As(err, &newer):
		return false
	case errors.Is(err, fs.ErrNotExist): // a file of the store, which is there itself
		return true
	}
	return !errors.As(err, &system)
}
