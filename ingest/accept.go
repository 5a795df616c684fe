package ingest

import (
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	acceptRetryFirst = 5 * time.Millisecond
	acceptRetryMost  = time.Second
)

// accept lets connections in until the listener is closed. Errors such as a
// lack of file descriptors pass; it tries again.
func (b *Broker) accept() {
	wait := acceptRetryFirst
	for {
		nc, err := b.listener.Accept()
		if err == nil {
			wait = acceptRetryFirst
			b.admit(nc)
			continue
		}
		select {
		case <-b.closing:
			return
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			b.log.Error("listener closed by others", "error", err)
			return
		}
		b.metrics.acceptErrors.Inc()
		b.log.Warn("accepting a connection", "error", err, "retry", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-b.closing:
			timer.Stop()
			return
		}
		wait = min(2*wait, acceptRetryMost)
	}
}

// admit serves a connection if there is room for it.
func (b *Broker) admit(nc net.Conn) {
	c := newConn(nc, b.options.ConnectTimeout, b.options.WriteTimeout)
	if reason := b.door.enter(c); reason != "" {
		b.metrics.closed.WithLabelValues(reason).Inc()
		_ = nc.Close()
		return
	}
	b.metrics.connections.Inc()
	b.connections.Go(func() {
		defer b.metrics.connections.Dec()
		defer b.door.leave(c)
		var writer sync.WaitGroup
		writer.Go(c.writeLoop)
		b.serve(c)
		writer.Wait()
	})
}

// serve runs a connection to its end. mochi panics on some packets; then the
// connection ends, its session with it, and no other notices.
func (b *Broker) serve(c *conn) {
	defer close(c.done)
	panicked := true
	defer func() {
		if panicked {
			b.metrics.panics.Inc()
			b.log.Warn("panic while serving a client", "remote", c.RemoteAddr(), "panic", recover(), "stack", string(debug.Stack()))
		}
		b.finish(c, panicked)
	}()
	if err := b.server.EstablishConnection("ingest", c); err != nil {
		b.log.Debug("connection ended", "remote", c.RemoteAddr(), "error", err)
	}
	panicked = false
}

// finish cleans up behind a connection, however it ended.
func (b *Broker) finish(c *conn, panicked bool) {
	_ = c.Close()
	cl := c.client.Load()
	if cl == nil {
		return
	}
	cl.endRetained()
	cl.mqtt.Stop(nil)
	if panicked {
		b.dropSession(cl.mqtt)
	}
	close(cl.inbox.queue)
	cl.memory.endConnection(cl.lastRead - int64(arrivalGrace))
	if cl.will != nil && !politelyEnded(cl.mqtt) {
		b.wills.leave(cl.will)
	}
	b.sessions.leave(c, cl.id)
}

// politelyEnded reports whether the client sent a DISCONNECT that takes its
// Will back (MQTT 5.0, section 3.14.4).
func politelyEnded(mc *mqtt.Client) bool {
	return mc.StopCause() == error(packets.CodeDisconnect)
}

// dropSession makes mochi forget a client.
func (b *Broker) dropSession(mc *mqtt.Client) {
	b.server.UnsubscribeClient(mc)
	mc.ClearInflights()
	if held, ok := b.server.Clients.Get(mc.ID); ok && held == mc {
		b.server.Clients.Delete(mc.ID)
	}
}

// door counts the open connections.
type door struct {
	max, maxPerAddress int

	mu         sync.Mutex
	open       map[*conn]netip.Prefix
	perAddress map[netip.Prefix]int
	closed     bool
}

func newDoor(limit, perAddress int) door {
	return door{
		max: limit, maxPerAddress: perAddress,
		open: make(map[*conn]netip.Prefix), perAddress: make(map[netip.Prefix]int),
	}
}

// enter counts c in, or says why there is no room for it.
func (d *door) enter(c *conn) (reason string) {
	origin := originOf(remote(c).Addr())
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return "closing"
	case len(d.open) >= d.max:
		return "connections"
	case d.perAddress[origin] >= d.maxPerAddress:
		return "connections_per_address"
	}
	d.open[c] = origin
	d.perAddress[origin]++
	return ""
}

func (d *door) leave(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	origin := d.open[c]
	delete(d.open, c)
	if d.perAddress[origin]--; d.perAddress[origin] == 0 {
		delete(d.perAddress, origin)
	}
}

// close lets nobody in any more and returns who is.
func (d *door) close() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	conns := make([]*conn, 0, len(d.open))
	for c := range d.open {
		conns = append(conns, c)
	}
	return conns
}

func (d *door) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// originOf is whom an address belongs to: an IPv6 host usually has a /64.
func originOf(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	prefix, _ := ip.Prefix(bits) // the zero Prefix for transports without addresses
	return prefix
}
