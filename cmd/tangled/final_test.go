package main

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// statusWith is an error of the API with a reason.
func statusWith(t *testing.T, code codes.Code, reason string) error {
	t.Helper()
	s, err := status.New(code, "why").WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "tangled"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func TestNotFinal(t *testing.T) {
	if err := statusWith(t, codes.FailedPrecondition, "NOT_FINAL"); exitCode(clientError(err, ""), true) != exitNotFinal || !isNotFinal(err) {
		t.Errorf("%v is not told as not final yet", err)
	}
	for _, err := range []error{
		nil, errors.New("NOT_FINAL"), status.Error(codes.FailedPrecondition, "NOT_FINAL"),
		statusWith(t, codes.FailedPrecondition, "ALARM"), statusWith(t, codes.FailedPrecondition, "NO_COMMITTEE"),
	} {
		if isNotFinal(err) || err != nil && exitCode(clientError(err, ""), true) == exitNotFinal {
			t.Errorf("%v is told as not final yet", err)
		}
	}
}

func TestPoll(t *testing.T) {
	wrong := errors.New("wrong")
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	for name, c := range map[string]struct {
		ctx  context.Context
		last error // of the third time
		want error
	}{
		"done":                      {t.Context(), nil, nil},
		"wrong":                     {t.Context(), wrong, wrong},
		"expired":                   {expired, nil, errStillWaiting},
		"expired for the node":      {t.Context(), status.Error(codes.DeadlineExceeded, ""), errStillWaiting},
		"expired and so also wrong": {expired, wrong, errStillWaiting},
		"interrupted":               {interrupted, context.Canceled, context.Canceled},
	} {
		asked := 0
		err := poll(c.ctx, func() (bool, error) {
			if asked++; asked < 3 {
				return false, nil
			}
			return true, c.last
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if want := 3; c.ctx != expired && asked != want {
			t.Errorf("%s: asked %d times, want %d", name, asked, want)
		}
	}
}
