package memnet

import (
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// conn is one end of a connection.
type conn struct {
	in, out       *pipe
	local, remote netip.AddrPort
	closing       sync.Once
	onClose       func()
}

// link is a connection seen from the network: what Cut and Partition break.
type link struct {
	a, b  netip.Addr
	pipes [2]*pipe
}

func (l *link) reset() {
	for _, p := range l.pipes {
		p.breakOff(syscall.ECONNRESET)
	}
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.read(b)
	return n, c.opError("read", err)
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b)
	return n, c.opError("write", err)
}

// Close ends both directions; the other end reads what is on its way and then
// io.EOF. Closing again does nothing.
func (c *conn) Close() error {
	c.closing.Do(func() {
		c.out.closeWrite()
		c.in.closeRead()
		c.onClose()
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// opError wraps as the net package does; io.EOF stays bare for io.Reader's sake.
func (c *conn) opError(op string, err error) error {
	switch errno := err.(type) {
	case syscall.Errno:
		return &net.OpError{Op: op, Net: "mem", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: errno}
	default:
		return err
	}
}
