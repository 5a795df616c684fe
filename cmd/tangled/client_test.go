package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestClientError(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.NotFound:          exitNotFound,
		codes.Unavailable:       exitUnreachable,
		codes.DeadlineExceeded:  exitUnreachable,
		codes.InvalidArgument:   exitFailed,
		codes.ResourceExhausted: exitFailed,
		codes.Aborted:           exitFailed,
		codes.Unimplemented:     exitFailed,
		codes.Internal:          exitFailed,
	} {
		err := clientError(status.Error(code, "why\x1b"), "passthrough:///127.0.0.1:1")
		if got := exitCode(err, true); got != want {
			t.Errorf("%v: exit code %d, want %d", code, got, want)
		}
		if text := err.Error(); !strings.Contains(text, `why\x1b`) || strings.Contains(text, "passthrough") {
			t.Errorf("%v: text %q", code, text)
		}
	}
	if err := clientError(nil, ""); err != nil {
		t.Error(err)
	}
	if err := clientError(status.Error(codes.Canceled, ""), ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for an interrupted call", err)
	}
}

func TestAddress(t *testing.T) {
	env := map[string]string{}
	getenv := func(name string) string { return env[name] }
	if _, err := (&clientFlags{}).address(getenv); exitCode(err, true) != exitUsage {
		t.Errorf("got %v where nothing names a node", err)
	}
	env[envAPI] = "127.0.0.1:1"
	if got, err := (&clientFlags{}).address(getenv); got != "127.0.0.1:1" {
		t.Errorf("got %s, %v from the environment", got, err)
	}
	if got, err := (&clientFlags{api: "[::1]:2"}).address(getenv); got != "[::1]:2" {
		t.Errorf("got %s, %v, want the flag's", got, err)
	}
	for _, f := range []clientFlags{{api: "localhost"}, {api: "a:1", config: "f"}, {config: "/no/such/file"}} {
		if _, err := f.address(getenv); exitCode(err, true) != exitUsage {
			t.Errorf("%+v: got %v, want wrong use", f, err)
		}
	}
}
