package ingest

import (
	"errors"
	"fmt"
	"net/netip"
)

// Action is what a client asks to do.
type Action uint8

// The rights there are. The zero Action is none of them.
const (
	_ Action = iota
	// Connect is to open a session under a client identifier.
	Connect
	// Publish is to publish to a topic.
	Publish
	// Subscribe is to receive what matches a topic filter.
	Subscribe
	// LeaveWill is to have a Will published to a topic later.
	LeaveWill
)

// String names the action in logs and metrics.
func (a Action) String() string {
	switch a {
	case Connect:
		return "connect"
	case Publish:
		return "publish"
	case Subscribe:
		return "subscribe"
	case LeaveWill:
		return "will"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Access is one thing a client asks to do.
type Access struct {
	Action   Action
	ClientID string
	// Username is what the client said at CONNECT; empty for an anonymous one.
	Username string
	// Password is given with Connect only. The function must not keep it.
	Password []byte
	// Remote is the address the client comes from; invalid where the transport
	// has none.
	Remote netip.AddrPort
	// Topic is the topic of Publish and LeaveWill and the filter of Subscribe,
	// for a shared subscription the filter behind the group. A topic is never
	// empty, whatever alias it was sent under.
	Topic string
}

// Authorize grants an access by returning nil. The error is logged; the client
// only learns that it is not authorized.
type Authorize func(Access) error

// AllowLoopback grants everything to a client on this machine and nothing to
// any other. It is the rule where no Authorize is given.
func AllowLoopback(a Access) error {
	if a.Remote.Addr().Unmap().IsLoopback() {
		return nil
	}
	return errors.New("anonymous clients are let in from this machine only")
}
