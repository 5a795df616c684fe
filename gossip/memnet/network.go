package memnet

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// firstEphemeral is where ports begin that the network picks itself, for dials
// and for listening on port 0.
const firstEphemeral = 49152

// Network connects the hosts built with its transports. Its methods may be
// called from any goroutine.
type Network struct {
	// delay is the latency. It is apart from mu because a pipe asks for it under
	// its own lock, which Cut takes under mu.
	delay atomic.Int64

	mu        sync.Mutex
	listeners map[netip.AddrPort]*listener
	links     map[*link]struct{}
	side      map[netip.Addr]int // which side of the partition; absent is 0
	nextPort  uint16
}

// New makes a network without latency and without partition.
func New() *Network {
	return &Network{
		listeners: make(map[netip.AddrPort]*listener),
		links:     make(map[*link]struct{}),
		side:      make(map[netip.Addr]int),
		nextPort:  firstEphemeral,
	}
}

// SetLatency makes every byte written from now on take d to arrive, on every
// link and in each direction. Bytes under way keep their time.
func (n *Network) SetLatency(d time.Duration) {
	n.delay.Store(int64(d))
}

func (n *Network) latency() time.Duration { return time.Duration(n.delay.Load()) }

// Partition splits the network: connections between addresses of different
// groups are cut and dials between them refused until Heal or the next
// Partition. Addresses in no group form a group of their own.
func (n *Network) Partition(groups ...[]netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
	for i, group := range groups {
		for _, addr := range group {
			n.side[addr] = i + 1
		}
	}
	n.resetLocked(func(l *link) bool { return n.side[l.a] != n.side[l.b] })
}

// Heal ends the partition. It connects nobody: that is the hosts' work.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.side)
}

// Cut breaks the connections that a and b have now, in the middle of whatever
// they carry, and tells how many there were. They may dial again at once.
func (n *Network) Cut(a, b netip.Addr) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.resetLocked(func(l *link) bool { return l.a == a && l.b == b || l.a == b && l.b == a })
}

func (n *Network) resetLocked(hit func(*link) bool) int {
	count := 0
	for l := range n.links {
		if hit(l) {
			l.reset()
			delete(n.links, l)
			count++
		}
	}
	return count
}

func (n *Network) portLocked() uint16 {
	port := n.nextPort
	if n.nextPort++; n.nextPort == 0 {
		n.nextPort = firstEphemeral
	}
	return port
}

// listen takes an address; port 0 is one of the network's choosing.
func (n *Network) listen(at netip.AddrPort) (*listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for at.Port() == 0 {
		if try := netip.AddrPortFrom(at.Addr(), n.portLocked()); n.listeners[try] == nil {
			at = try
		}
	}
	if n.listeners[at] != nil {
		return nil, &net.OpError{Op: "listen", Net: "mem", Addr: net.TCPAddrFromAddrPort(at), Err: syscall.EADDRINUSE}
	}
	l := &listener{network: n, at: at, incoming: make(chan *conn, backlog), done: make(chan struct{})}
	n.listeners[at] = l
	return l, nil
}

// dial connects from an address to a listener, or fails at once.
func (n *Network) dial(from netip.Addr, to netip.AddrPort) (*conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	refuse := func(errno syscall.Errno) (*conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "mem", Addr: net.TCPAddrFromAddrPort(to), Err: errno}
	}
	if n.side[from] != n.side[to.Addr()] {
		return refuse(syscall.EHOSTUNREACH)
	}
	l := n.listeners[to]
	if l == nil {
		return refuse(syscall.ECONNREFUSED)
	}
	if len(l.incoming) == cap(l.incoming) {
		return refuse(syscall.ECONNREFUSED)
	}
	near, far := n.connectLocked(netip.AddrPortFrom(from, n.portLocked()), to)
	l.incoming <- far // has room: only dial sends, and it holds the lock
	return near, nil
}

func (n *Network) connectLocked(a, b netip.AddrPort) (near, far *conn) {
	there, back := newPipe(n.latency), newPipe(n.latency)
	l := &link{a: a.Addr(), b: b.Addr(), pipes: [2]*pipe{there, back}}
	n.links[l] = struct{}{}
	forget := func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.links, l)
	}
	return &conn{in: back, out: there, local: a, remote: b, onClose: forget},
		&conn{in: there, out: back, local: b, remote: a, onClose: forget}
}

// String counts what is there, for a test's failure message.
func (n *Network) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return fmt.Sprintf("memnet: %d listeners, %d links", len(n.listeners), len(n.links))
}
