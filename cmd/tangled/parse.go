package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/node"
)

// The values that log.format may have.
const (
	formatText = "text"
	formatJSON = "json"
)

func wrongType(want string, got any) error {
	switch v := got.(type) {
	case string:
		return fmt.Errorf("%q is not %s", v, want)
	case []any:
		return fmt.Errorf("a list is not %s", want)
	case map[string]any:
		return fmt.Errorf("a table is not %s", want)
	}
	return fmt.Errorf("%v is not %s", got, want)
}

func unknownKey(key string) error {
	if key == "" {
		return errors.New("unknown key")
	}
	name := key[strings.LastIndexByte(key, '.')+1:]
	for _, s := range settings() {
		if !s.table && (strings.HasSuffix(s.key, "."+name) || s.key == name) {
			return fmt.Errorf("unknown key; is %s meant?", s.key)
		}
	}
	return errors.New("unknown key")
}

// quote writes s as a basic string of TOML, which knows no \x and no \a.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func elementsOf(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil, nil
		}
		return strings.Split(v, ","), nil
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("element %d: %w", i+1, wrongType("a string", e))
			}
			list[i] = s
		}
		return list, nil
	}
	return nil, wrongType("a list of strings", value)
}

func nonEmpty(s string) (string, error) {
	if s == "" || strings.ContainsRune(s, 0) {
		return "", errors.New("an empty path")
	}
	return s, nil
}

func parseRole(s string) (node.Role, error) {
	if r := node.Role(s); r == node.Middle || r == node.Permanode {
		return r, nil
	}
	return "", fmt.Errorf("role %q, want %q or %q", s, node.Middle, node.Permanode)
}

func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("duration %q: want a number and a unit, such as \"5s\" or \"2m\"", s)
	}
	if d < 100*time.Millisecond || d > time.Hour {
		return 0, fmt.Errorf("%v is not within 100ms..1h", d)
	}
	return d, nil
}

func parseLogFormat(s string) (string, error) {
	if s == formatText || s == formatJSON {
		return s, nil
	}
	return "", fmt.Errorf("%q is not %q or %q", s, formatText, formatJSON)
}

// parseLevel takes the four names only: slog's own "INFO+2" helps nobody here.
func parseLevel(s string, to *slog.Level) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s) {
		return fmt.Errorf("%q is not \"debug\", \"info\", \"warn\" or \"error\"", s)
	}
	return to.UnmarshalText([]byte(s))
}

// parseHostPort reads "host:port", where host is an address or localhost.
// Empty is kept: it switches the listener off.
func parseHostPort(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port, such as \"127.0.0.1:7702\"", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q: port %q is not a number within 0..65535", s, port)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return "", fmt.Errorf("%q: host %q is not an IP address or localhost", s, host)
	}
	return s, nil
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// parseListenAddr reads an address for peers: /ip4 or /ip6, then /tcp, since
// private networks exist over TCP only.
func parseListenAddr(s string) (multiaddr.Multiaddr, error) {
	m, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("multiaddr %q: %w", s, err)
	}
	p := m.Protocols()
	if len(p) != 2 || p[0].Code != multiaddr.P_IP4 && p[0].Code != multiaddr.P_IP6 || p[1].Code != multiaddr.P_TCP {
		return nil, fmt.Errorf("multiaddr %q, want the form /ip4/127.0.0.1/tcp/7700", s)
	}
	return m, nil
}

// parsePeerAddr reads the address of a peer, which ends in /p2p/ID. One that is
// /p2p/ID only names a peer that will dial us.
func parsePeerAddr(s string) (multiaddr.Multiaddr, error) {
	m, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return nil, fmt.Errorf("peer %q: %w", s, err)
	}
	transport, id := peer.SplitAddr(m)
	if id == "" {
		return nil, fmt.Errorf("peer %q does not end in /p2p/ID", s)
	}
	if len(transport) == 0 {
		return m, nil
	}
	if _, err := transport.ValueForProtocol(multiaddr.P_TCP); err != nil {
		return nil, fmt.Errorf("peer %q: want TCP, such as /ip4/10.0.0.1/tcp/7700/p2p/ID", s)
	}
	return m, nil
}
