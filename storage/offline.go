package storage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Exists tells whether there is a store in dir, whoever has it open: Open would
// make one where there is none.
func Exists(dir string, fs vfs.FS) (bool, error) {
	switch _, err := fs.Stat(dir); {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return false, fmt.Errorf("look into %s: %w", dir, err)
	}
	return desc.Exists, nil
}

// Lock keeps everybody from opening the store in dir, which is there, until it is
// closed. The error is a *LockedError where somebody has it open.
func Lock(dir string, fs vfs.FS) (io.Closer, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, &LockedError{Dir: dir, Err: err}
	}
	return lock, nil
}

// ForgetWitnesses makes the store remember no own witness, durably: it is for one
// that is older than its seat, such as a backup, so that whoever opens it next does
// not take the last one it remembers for the last there was. The messages stay.
func (s *Store) ForgetWitnesses() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.readers.Done()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Err(); err != nil {
		return err
	}
	b := s.db.NewBatch()
	defer b.Close()
	_ = b.DeleteRange([]byte{tableWitness}, []byte{tableWitness + 1}, nil)
	if err := s.apply(b); err != nil {
		return fmt.Errorf("forget own witnesses: %w", err)
	}
	s.witness.Store(nil)
	return nil
}
