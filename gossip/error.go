package gossip

import (
	"errors"
	"fmt"

	"github.com/multiformats/go-multiaddr"
)

// ErrNotConnected is returned for a request to a peer without a connection.
// Requests do not dial: the neighbour's own loop does.
var ErrNotConnected = errors.New("gossip: not connected")

// ErrNotListed is returned for a request to a peer that may not connect: it is
// not a neighbour of a closed node, was removed, or is banned.
var ErrNotListed = errors.New("gossip: peer is not on the list")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("gossip: closed")

// InvalidError is what a peer got wrong on the wire, or a swarm key file that is
// not one.
type InvalidError struct {
	// Reason is one word or two from a fixed set, fit for a metric's label:
	// "empty", "too many", "too large", "truncated", "trailing", "zero ID",
	// "unknown kind", "unknown status", "format", "mode".
	Reason string
	// Err says what was found.
	Err error
}

func (e *InvalidError) Error() string { return "gossip: " + e.Reason + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *InvalidError) Unwrap() error { return e.Err }

// Reasons of an InvalidError.
const (
	reasonEmpty     = "empty"
	reasonTooMany   = "too many"
	reasonTooLarge  = "too large"
	reasonTruncated = "truncated"
	reasonTrailing  = "trailing"
	reasonZeroID    = "zero ID"
	reasonKind      = "unknown kind"
	reasonStatus    = "unknown status"
	reasonFormat    = "format"
	reasonMode      = "mode"
)

func invalidf(reason, format string, args ...any) *InvalidError {
	return &InvalidError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// ListenError is an address that could not be listened on, such as a port in use
// (errors.Is syscall.EADDRINUSE).
type ListenError struct {
	Addr multiaddr.Multiaddr
	Err  error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Addr, e.Err) }

// Unwrap returns Err.
func (e *ListenError) Unwrap() error { return e.Err }
