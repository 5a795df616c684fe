// Package storage keeps solid messages on disk: one Pebble store with its
// write-ahead log always on, one fsync a batch. What Commit returned for is
// there after any crash; what it did not return for is there whole or not at
// all.
//
// The store holds solid messages only, so it is past-closed: whatever is in it
// has its parents in it, but for roots older than the window.
//
// # Layout, format version 1
//
// Keys begin with a byte that names the table. Numbers and IDs are big-endian
// and so sort by value and time; no integer is of variable length.
//
//	table  key                     value
//	'm'    ID 40                   seen u64, message     the encoding of package message
//	't'    topic u32, ID 40        -                     messages under a topic
//	'i'    issuer u32, ID 40       -                     messages of an issuer
//	'n'    's', name bytes         number u32            's': 't' topic or 'i' issuer
//	'v'    name bytes              value                 "format" u32, "network" 8, "count" u64
//
// seen is when this node took the message in, in nanoseconds since the Unix
// epoch. Numbers stand for names so that an index row costs 45 bytes whatever
// the topic's length; they are given in order of first use, from 1, and never
// used again. The children of a message are not stored: in the live part
// of the DAG they are in memory, and nobody asks for older ones.
//
// # Errors
//
// Open returns *LockedError, *NetworkError or *FormatError for a directory it
// must not touch. Get returns ErrNotFound. A row that cannot be read back is a
// *CorruptionError that names it. After a failed write every Commit returns an
// error until the store is opened again: the disk is not to be trusted then.
package storage

import (
	"errors"
	"fmt"
)

// ErrNotFound tells that no message with the ID asked for is stored.
var ErrNotFound = errors.New("storage: message not found")

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
