package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"tangled/api"
	"tangled/gossip"
	"tangled/node"
	"tangled/storage"
)

// explain says in one line why a node did not start and what to do, where the
// package it comes from cannot know which setting is behind it.
func (c *config) explain(err error) error {
	if locked := new(storage.LockedError); errors.As(err, &locked) {
		if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("data_dir %s: %w: it must belong to the user who runs this", c.DataDir, locked.Err)
		}
		return fmt.Errorf("data_dir %s is in use by another process: stop it, or give this node a data_dir of its own (%w)",
			c.DataDir, locked.Err)
	}
	if other := new(storage.NetworkError); errors.As(err, &other) {
		return fmt.Errorf("data_dir %s belongs to network %x and %s is of network %x: correct data_dir or genesis",
			c.DataDir, other.Has, c.Genesis, other.Want)
	}
	if newer := new(storage.FormatError); errors.As(err, &newer) {
		return fmt.Errorf("data_dir %s was written by a newer release (format %d, this one reads %d): update tangled",
			c.DataDir, newer.Has, newer.Want)
	}
	if listen := new(gossip.ListenError); errors.As(err, &listen) {
		return explainListen("gossip.listen", listen.Addr.String(), listen.Err)
	}
	if listen := new(api.ListenError); errors.As(err, &listen) {
		return explainListen("api.listen", listen.Addr, listen.Err)
	}
	return err
}

func explainListen(key, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: %s is in use by another process: stop it, or choose another port", key, address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: %s is no address of this machine", key, address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: %s may not be listened on by this user: choose a port from 1024 on", key, address)
	}
	return fmt.Errorf("%s: %s: %w", key, address, err)
}

// fatal tells whether a node in this state of health will never take data
// again. A full disk is not: room comes back. Nor is being behind the others.
func fatal(health error) bool {
	return health != nil && !errors.Is(health, node.ErrDiskLow) && !errors.Is(health, node.ErrCatchingUp)
}

// oneLine joins the lines of an error: scripts and logs take one.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}
