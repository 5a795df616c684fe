package memnet

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	ma "github.com/multiformats/go-multiaddr"
	mafmt "github.com/multiformats/go-multiaddr-fmt"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Transport is the option that gives a libp2p host this network in the place of
// TCP. The host dials from addr, and should listen on addr alone.
func (n *Network) Transport(addr netip.Addr) libp2p.Option {
	return libp2p.Transport(func(upgrader transport.Upgrader, resources network.ResourceManager) *memTransport {
		return &memTransport{network: n, addr: addr, upgrader: upgrader, resources: resources}
	})
}

// memTransport claims the multiaddrs of TCP, so that nothing above it can tell.
type memTransport struct {
	network   *Network
	addr      netip.Addr
	upgrader  transport.Upgrader
	resources network.ResourceManager
}

var _ transport.Transport = (*memTransport)(nil)

// Dial connects and upgrades, as the TCP transport of libp2p does.
func (t *memTransport) Dial(ctx context.Context, raddr ma.Multiaddr, p peer.ID) (transport.CapableConn, error) {
	scope, err := t.resources.OpenConnection(network.DirOutbound, true, raddr)
	if err != nil {
		return nil, err
	}
	c, err := t.dialWithScope(ctx, raddr, p, scope)
	if err != nil {
		scope.Done()
		return nil, err
	}
	return c, nil
}

func (t *memTransport) dialWithScope(ctx context.Context, raddr ma.Multiaddr, p peer.ID, scope network.ConnManagementScope) (transport.CapableConn, error) {
	if err := scope.SetPeer(p); err != nil {
		return nil, err
	}
	to, err := addrPort(raddr)
	if err != nil {
		return nil, err
	}
	c, err := t.network.dial(t.addr, to)
	if err != nil {
		return nil, err
	}
	mc, err := manet.WrapNetConn(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return t.upgrader.Upgrade(ctx, t, mc, network.DirOutbound, p, scope)
}

// CanDial is true for an IP address with a TCP port.
func (t *memTransport) CanDial(addr ma.Multiaddr) bool {
	return mafmt.And(mafmt.IP, mafmt.Base(ma.P_TCP)).Matches(addr)
}

// Listen takes an address of the network.
func (t *memTransport) Listen(laddr ma.Multiaddr) (transport.Listener, error) {
	at, err := addrPort(laddr)
	if err != nil {
		return nil, err
	}
	l, err := t.network.listen(at)
	if err != nil {
		return nil, err
	}
	ml, err := manet.WrapNetListener(l)
	if err != nil {
		l.Close()
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(ml)), nil
}

// Protocols is TCP.
func (t *memTransport) Protocols() []int { return []int{ma.P_TCP} }

// Proxy is false: a connection ends at the peer it names.
func (t *memTransport) Proxy() bool { return false }

func (t *memTransport) String() string { return "memnet" }

func addrPort(a ma.Multiaddr) (netip.AddrPort, error) {
	na, err := manet.ToNetAddr(a)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("memnet address %s: %w", a, err)
	}
	ap, err := netip.ParseAddrPort(na.String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("memnet address %s: %w", a, err)
	}
	return ap, nil
}
