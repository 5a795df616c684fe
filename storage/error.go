package storage

import (
	"errors"
	"fmt"

	"tangled/message"
)

// ErrNotFound tells that what was asked for is not stored.
var ErrNotFound = errors.New("storage: not found")

// ErrSeeding tells that a seed is under way, or was cut short: until one is
// complete the store has no accounts and takes nothing else.
var ErrSeeding = errors.New("storage: the store is being seeded")

// ErrNoGap tells that an anchor is in none of the gaps: there is nothing to fill.
var ErrNoGap = errors.New("storage: the anchor is in no gap")

var errClosed = errors.New("storage: store is closed")

// LockedError tells that another process has the directory open.
type LockedError struct {
	Dir string
	Err error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("storage: %s is in use by another process: %v", e.Dir, e.Err)
}

// Unwrap gives the cause.
func (e *LockedError) Unwrap() error { return e.Err }

// NetworkError tells that the directory belongs to another network.
type NetworkError struct {
	Dir       string
	Has, Want [8]byte
}

func (e *NetworkError) Error() string {
	return fmt.Sprintf("storage: %s holds network %x, this is network %x", e.Dir, e.Has, e.Want)
}

// FormatError tells that the directory was written by a newer release.
type FormatError struct {
	Dir       string
	Has, Want uint32
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("storage: %s has format %d, this release reads up to %d", e.Dir, e.Has, e.Want)
}

// WitnessError tells that Commit was given a second own witness for a round.
// Nothing was changed, and the store goes on.
type WitnessError struct {
	Epoch uint32
	Round uint64
	Has   message.ID // the witness of that round that was there before
	New   message.ID // the one refused
}

func (e *WitnessError) Error() string {
	return fmt.Sprintf("storage: own witness %v for epoch %d, round %d refused: there is %v", e.New, e.Epoch, e.Round, e.Has)
}

// CorruptionError names a row that cannot be read back.
type CorruptionError struct {
	Table byte
	Key   []byte
	Err   error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("storage: corrupted row %x in table %q: %v", e.Key, e.Table, e.Err)
}

// Unwrap gives the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }
