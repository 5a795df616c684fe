// Package memnet is a network in memory: a libp2p transport whose links are
// buffers, so that many nodes run in one process without a socket.
//
// It exists because libp2p has no such transport, and because goroutines that
// wait in a system call keep a testing/synctest bubble from advancing its
// clock. Everything here waits on channels, so a network of whole nodes runs on
// fake time, where an hour of reconnecting takes milliseconds.
//
// A Network routes by IPv4 or IPv6 address. Each node has one address, which it
// gets by building its host with Network.Transport and listening on
// /ip4/ADDRESS/tcp/PORT. Bytes arrive in order and none is lost, as on TCP; what
// a test controls is how long they take (SetLatency) and who reaches whom:
//
//	net := memnet.New()
//	a := net.Transport(netip.MustParseAddr("10.0.0.1"))  // a libp2p.Option
//	net.Partition([]netip.Addr{addrA}, []netip.Addr{addrB, addrC})
//	net.Heal()
//	net.Cut(addrA, addrB)
//
// The protocol stack above it (swarm key, noise, yamux) is the real one.
//
// # Errors
//
// Dials and listens fail with the errors of a kernel, wrapped in *net.OpError,
// so that a caller branches the same way on both networks:
// syscall.EADDRINUSE for an address that is taken, syscall.ECONNREFUSED where
// nobody listens, syscall.EHOSTUNREACH across a partition, and
// syscall.ECONNRESET on a connection that was cut. A deadline that passed is
// os.ErrDeadlineExceeded, a connection closed by this side net.ErrClosed.
package memnet
