package memnet

import (
	"net"
	"net/netip"
	"sync"
)

// backlog is how many connections wait for Accept before dials are refused.
const backlog = 128

// listener is a net.Listener on a Network.
type listener struct {
	network  *Network
	at       netip.AddrPort
	incoming chan *conn
	done     chan struct{}
	closing  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.incoming:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close frees the address and closes connections nobody accepted.
func (l *listener) Close() error {
	l.closing.Do(func() {
		l.network.mu.Lock()
		delete(l.network.listeners, l.at)
		l.network.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.incoming:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }
