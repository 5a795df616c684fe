package ingest

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// highWater is how much may wait for a client's socket, in bytes, before
	// the broker stops reading from it and stops delivering to it.
	highWater = 64 << 10
	// lingerTimeout is how long the last packets of a connection that is being
	// closed may take.
	lingerTimeout = time.Second
)

// conn is a client's connection as the broker sees it.
//
// Write only appends to a buffer that a goroutine of the connection empties:
// mochi writes while it holds the client's lock, and a subscriber that does
// not read would hold up every publisher that needs this lock. Many small
// packets also leave in one system call that way. What keeps the buffer small
// is waitRoom, called where no lock is held.
//
// Deadlines are set here as well. mochi computes them from the keep-alive in
// 16 bits, which overflows above 43,690 s, and lifts the one for writing with
// a keep-alive of zero.
type conn struct {
	net.Conn
	writeTimeout time.Duration
	client       atomic.Pointer[client] // set once CONNECT is accepted
	closed       chan struct{}          // closed by the first Close
	done         chan struct{}          // closed when all that served the connection has ended

	mu      sync.Mutex
	changed sync.Cond // buf, closing or broken changed
	buf     []byte
	closing bool // no more writes; the writer flushes and ends
	broken  bool // the socket does not take any more
}

// newConn wraps nc and gives the client until timeout for its CONNECT.
func newConn(nc net.Conn, connectTimeout, writeTimeout time.Duration) *conn {
	c := &conn{Conn: nc, writeTimeout: writeTimeout, closed: make(chan struct{}), done: make(chan struct{})}
	c.changed.L = &c.mu
	_ = nc.SetReadDeadline(time.Now().Add(connectTimeout))
	return c
}

// Write queues p, which it copies. It never blocks.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.broken {
		return 0, net.ErrClosed
	}
	if len(c.buf) == 0 {
		c.changed.Broadcast()
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

// waitRoom blocks while much is waiting for the socket. It reports false once
// the connection takes no more.
func (c *conn) waitRoom() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.buf) >= highWater && !c.closing && !c.broken {
		c.changed.Wait()
	}
	return !c.closing && !c.broken
}

// writeLoop empties the buffer until the connection is closed, then closes the
// socket.
func (c *conn) writeLoop() {
	defer c.Conn.Close()
	var spare []byte
	for {
		c.mu.Lock()
		for len(c.buf) == 0 && !c.closing {
			c.changed.Wait()
		}
		batch, last := c.buf, c.closing
		c.buf = spare[:0]
		timeout := c.writeTimeout
		if last {
			timeout = lingerTimeout
		}
		_ = c.Conn.SetWriteDeadline(time.Now().Add(timeout))
		c.mu.Unlock()
		if len(batch) > 0 {
			_, err := c.Conn.Write(batch)
			if err != nil {
				c.breakOff()
				return
			}
		}
		if last {
			return
		}
		if spare = batch; cap(spare) > 2*highWater {
			spare = nil
		}
		c.mu.Lock()
		c.changed.Broadcast() // room again
		c.mu.Unlock()
	}
}

// breakOff ends a connection whose socket takes no more.
func (c *conn) breakOff() {
	c.mu.Lock()
	c.broken = true
	c.changed.Broadcast()
	c.mu.Unlock()
	_ = c.Close()
}

// Close ends the reading at once and lets the writer send what is queued, for
// lingerTimeout at most. It does not wait and may be called often.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	c.closing = true
	c.changed.Broadcast()
	close(c.closed)
	past := time.Unix(1, 0)
	_ = c.Conn.SetReadDeadline(past)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTimeout))
	return nil
}

// SetDeadline is called by mochi before each packet it reads. The time given
// is ignored: until CONNECT the deadline of newConn stands, afterwards one and
// a half times the keep-alive (MQTT 5.0, section 3.1.2.10).
func (c *conn) SetDeadline(time.Time) error {
	cl := c.client.Load()
	if cl == nil {
		return nil
	}
	var deadline time.Time
	if cl.keepAlive > 0 {
		deadline = time.Now().Add(cl.keepAlive + cl.keepAlive/2)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil
	}
	return c.Conn.SetReadDeadline(deadline)
}

// remote is the address of the client, invalid where the transport has none.
func remote(c net.Conn) netip.AddrPort {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}
