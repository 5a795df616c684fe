package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tangled/gossip"
	"tangled/message"
	"tangled/node"
	"tangled/snapshot"
	"tangled/storage"
)

// errorDomain is the domain of every google.rpc.ErrorInfo of ours.
const errorDomain = "tangled"

var (
	errShutdown       = errors.New("api: the node is shutting down")
	errTooManyStreams = errors.New("api: too many open streams")
	errNotReading     = fmt.Errorf("api: the client took nothing for %v", sendTimeout)
	errNoCommittee    = errors.New("api: this network has no committee: nothing becomes final")
)

// argumentError is what a client got wrong in a request, beside what
// message.InvalidError says of a message.
type argumentError struct {
	// Reason is the ErrorInfo's: ID, ISSUER, ADDRESS, TRANSFER_ID, EVENT_TIME,
	// TIME_RANGE, PAGE_TOKEN, KIND, WAIT, PEER, PRUNE or PATH.
	Reason string
	Err    error
}

func (e *argumentError) Error() string { return e.Err.Error() }

func (e *argumentError) Unwrap() error { return e.Err }

func argumentf(reason, format string, args ...any) *argumentError {
	return &argumentError{reason, fmt.Errorf(format, args...)}
}

// peerListError is a change that the list of peers does not take as it is.
type peerListError struct{ Err error }

func (e *peerListError) Error() string { return e.Err.Error() }

func (e *peerListError) Unwrap() error { return e.Err }

// peerDataError is what a peer gave that does not verify.
type peerDataError struct{ Err error }

func (e *peerDataError) Error() string { return "the peer's data: " + e.Err.Error() }

func (e *peerDataError) Unwrap() error { return e.Err }

// codeOf is the one table from errors to codes. Errors wrap one another, so the
// order counts: a closed node names why it closed, and a corrupted row names
// how its message is invalid.
func codeOf(err error) codes.Code {
	switch {
	case err == nil:
		return codes.OK
	case is(err, node.ErrClosed, gossip.ErrClosed, errShutdown):
		return codes.Unavailable
	case as[*peerDataError](err):
		return codes.FailedPrecondition
	case as[*storage.CorruptionError](err), as[*snapshot.InvalidError](err):
		return codes.DataLoss
	case as[*message.InvalidError](err), as[*argumentError](err):
		return codes.InvalidArgument
	case is(err, node.ErrNotFound, storage.ErrNotFound, node.ErrNoPeer, node.ErrNoSnapshot):
		return codes.NotFound
	case is(err, node.ErrDiskLow, node.ErrOverloaded, errTooManyStreams):
		return codes.ResourceExhausted
	case is(err, node.ErrLagging, errNotReading):
		return codes.Aborted
	case is(err, node.ErrNotFinal, errNoCommittee), as[*node.Alarm](err):
		return codes.FailedPrecondition
	case is(err, node.ErrCatchingUp, node.ErrPassed, node.ErrBusy, node.ErrForever, node.ErrTooRecent):
		return codes.FailedPrecondition
	case is(err, gossip.ErrNotListed, gossip.ErrNotConnected), as[*peerListError](err):
		return codes.FailedPrecondition
	case is(err, context.Canceled):
		return codes.Canceled
	case is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	}
	return codes.Internal
}

func is(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func as[E error](err error) bool {
	var target E
	return errors.As(err, &target)
}

// reasonOf is the reason that an ErrorInfo gives; empty for errors whose code says
// enough.
func reasonOf(err error) string {
	switch codeOf(err) {
	case codes.InvalidArgument:
		return argumentReason(err)
	case codes.FailedPrecondition:
		return conditionReason(err)
	}
	return ""
}

func argumentReason(err error) string {
	if invalid := new(message.InvalidError); errors.As(err, &invalid) {
		return strings.ToUpper(string(invalid.Reason))
	}
	if argument := new(argumentError); errors.As(err, &argument) {
		return argument.Reason
	}
	return ""
}

// conditionReason tells what may be asked again from what is for an operator.
func conditionReason(err error) string {
	switch {
	case as[*peerDataError](err):
		return "PEER_DATA"
	case errors.Is(err, node.ErrCatchingUp):
		return "CATCHING_UP"
	case errors.Is(err, node.ErrPassed):
		return "PASSED"
	case errors.Is(err, node.ErrBusy):
		return "BUSY"
	case errors.Is(err, node.ErrForever):
		return "FOREVER"
	case errors.Is(err, node.ErrTooRecent):
		return "TOO_RECENT"
	case errors.Is(err, node.ErrNotFinal):
		return "NOT_FINAL"
	case errors.Is(err, errNoCommittee):
		return "NO_COMMITTEE"
	case as[*node.Alarm](err):
		return "ALARM"
	}
	return ""
}

// statusOf is what a client is told of err. What gRPC itself said stays as it is.
func statusOf(err error) *status.Status {
	if s, ok := status.FromError(err); ok {
		return s
	}
	s := status.New(codeOf(err), err.Error())
	reason := reasonOf(err)
	if reason == "" {
		return s
	}
	detailed, detailErr := s.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: errorDomain})
	if detailErr != nil {
		return s // the code and the text still say it
	}
	return detailed
}

// ownFault tells whether err is this node's fault and so the operator's concern.
// A status that gRPC made is about the connection or the client's bytes.
func ownFault(err error) bool {
	if _, ok := status.FromError(err); ok {
		return false
	}
	code := codeOf(err)
	return code == codes.Internal || code == codes.DataLoss
}
