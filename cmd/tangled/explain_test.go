package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"tangled/node"
	"tangled/storage"
)

// What a running network cannot be made to say in a script.
func TestExplain(t *testing.T) {
	c := &config{DataDir: "data", Genesis: "genesis.toml"}
	for want, err := range map[string]error{
		"data_dir data: permission denied: it must belong": &storage.LockedError{Dir: "data/db", Err: syscall.EACCES},
		"data_dir data is in use by another process":       fmt.Errorf("open: %w", &storage.LockedError{Err: syscall.EAGAIN}),
		"data_dir data was written by a newer release":     &storage.FormatError{Has: 9, Want: 1},
		"something else":                           errors.New("something else"),
		"k: a is no address of this machine":       explainListen("k", "a", syscall.EADDRNOTAVAIL),
		"k: a may not be listened on by this user": explainListen("k", "a", syscall.EACCES),
		"k: a: broken pipe":                        explainListen("k", "a", syscall.EPIPE),
	} {
		if got := c.explain(err).Error(); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A full disk is waited out; anything else ends the process, for its supervisor
// to start it again.
func TestFatal(t *testing.T) {
	for _, c := range []struct {
		health error
		want   bool
	}{{nil, false}, {fmt.Errorf("x: %w", node.ErrDiskLow), false}, {node.ErrCatchingUp, false}, {node.ErrClosed, true}, {errors.New("disk error"), true}} {
		if got := fatal(c.health); got != c.want {
			t.Errorf("%v: fatal is %v", c.health, got)
		}
	}
}

func TestOneLine(t *testing.T) {
	err := errors.Join(errors.New("first"), errors.New("second:\r\n  more"))
	if got, want := oneLine(err), "first; second:; more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
