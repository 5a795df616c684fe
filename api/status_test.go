package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tangled/gossip"
	"tangled/message"
	"tangled/node"
	"tangled/snapshot"
	"tangled/storage"
)

func TestErrorTable(t *testing.T) {
	invalid := &message.InvalidError{Reason: message.ReasonTooLarge, Err: errors.New("much")}
	corrupted := &storage.CorruptionError{Table: 'm', Err: invalid}
	tests := []struct {
		err    error
		code   codes.Code
		reason string
		ours   bool
	}{
		{nil, codes.OK, "", false},
		{invalid, codes.InvalidArgument, "TOO_LARGE", false},
		{argumentf("KIND", "what"), codes.InvalidArgument, "KIND", false},
		{argumentf("PEER", "who"), codes.InvalidArgument, "PEER", false},
		{node.ErrNotFound, codes.NotFound, "", false},
		{storage.ErrNotFound, codes.NotFound, "", false},
		{node.ErrDiskLow, codes.ResourceExhausted, "", false},
		{fmt.Errorf("%w: %w", node.ErrOverloaded, context.DeadlineExceeded), codes.ResourceExhausted, "", false},
		{errTooManyStreams, codes.ResourceExhausted, "", false},
		{node.ErrLagging, codes.Aborted, "", false},
		{errNotReading, codes.Aborted, "", false},
		{node.ErrNotFinal, codes.FailedPrecondition, "NOT_FINAL", false},
		{errNoCommittee, codes.FailedPrecondition, "NO_COMMITTEE", false},
		{&node.Alarm{Index: 3}, codes.FailedPrecondition, "ALARM", false},
		{node.ErrClosed, codes.Unavailable, "", false},
		{gossip.ErrClosed, codes.Unavailable, "", false},
		{errShutdown, codes.Unavailable, "", false},
		{fmt.Errorf("%w: %w", node.ErrClosed, corrupted), codes.Unavailable, "", false},
		{node.ErrCatchingUp, codes.FailedPrecondition, "CATCHING_UP", false},
		{node.ErrPassed, codes.FailedPrecondition, "PASSED", false},
		{node.ErrBusy, codes.FailedPrecondition, "BUSY", false},
		{node.ErrForever, codes.FailedPrecondition, "FOREVER", false},
		{node.ErrTooRecent, codes.FailedPrecondition, "TOO_RECENT", false},
		{node.ErrNoPeer, codes.NotFound, "", false},
		{node.ErrNoSnapshot, codes.NotFound, "", false},
		{&snapshot.InvalidError{Reason: snapshot.ReasonState, Err: io.EOF}, codes.DataLoss, "", true},
		{&peerDataError{&snapshot.InvalidError{Reason: snapshot.ReasonState, Err: io.EOF}}, codes.FailedPrecondition, "PEER_DATA", false},
		{gossip.ErrNotListed, codes.FailedPrecondition, "", false},
		{gossip.ErrNotConnected, codes.FailedPrecondition, "", false},
		{peerError(errors.New("257 neighbours, at most 256")), codes.FailedPrecondition, "", false},
		{peerError(fmt.Errorf("write: %w", syscall.ENOSPC)), codes.Internal, "", true},
		{peerError(gossip.ErrClosed), codes.Unavailable, "", false},
		{context.Canceled, codes.Canceled, "", false},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "", false},
		{corrupted, codes.DataLoss, "", true},
		{io.ErrUnexpectedEOF, codes.Internal, "", true},
		{status.Error(codes.Unimplemented, "what"), codes.Unimplemented, "", false},
		{status.Error(codes.Internal, "grpc: bad UTF-8"), codes.Internal, "", false},
	}
	for _, test := range tests {
		for _, err := range []error{test.err, wrap(test.err)} {
			st := statusOf(err)
			wantError(t, fmt.Sprint(err), st.Err(), test.code, test.reason)
			if ownFault(err) != test.ours {
				t.Errorf("%v: our own fault: %v, want %v", err, ownFault(err), test.ours)
			}
		}
	}
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("doing it: %w", err)
}

// The text reaches the client: it is what an operator goes by.
func TestStatusKeepsTheText(t *testing.T) {
	if got := statusOf(fmt.Errorf("read: %w", io.ErrUnexpectedEOF)).Message(); got != "read: unexpected EOF" {
		t.Errorf("text is %q", got)
	}
}
