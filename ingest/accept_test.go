package ingest

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/internal/bubbletest"
)

func TestConnectHasADeadline(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		b, l := startPipe(t, Options{Issuer: &instantIssuer{}})
		silent := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		dribbling := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		began := time.Now()
		hello := encode(t, connectPacket("dev", 4, true), 4)
		for _, c := range hello[:3] {
			dribbling.write([]byte{c})
			time.Sleep(time.Second)
		}
		silent.expectEnd()
		dribbling.expectEnd()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("closed after %v, want 5s", took)
		}
		closeBroker(t, b)
	})
}

func TestKeepAlive(t *testing.T) {
	for name, test := range map[string]struct {
		keepAlive uint16
		want      time.Duration
	}{
		"a minute": {60, 90 * time.Second},
		// mochi adds up 43,691 and its half in 16 bits, which is 0.
		"overflow": {43691, 43691*time.Second + 43691*time.Second/2},
	} {
		t.Run(name, func(t *testing.T) {
			bubbletest.Run(t, func(t *testing.T) {
				b, l := startPipe(t, Options{Issuer: &instantIssuer{}})
				p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
				hello := connectPacket("dev", 4, true)
				hello.Connect.Keepalive = test.keepAlive
				p.send(hello)
				p.expect(packets.Connack)
				began := time.Now()
				<-connOf(t, b, "dev").closed
				if took := time.Since(began); took != test.want {
					t.Errorf("closed after %v, want %v", took, test.want)
				}
				p.nc.Close()
				closeBroker(t, b)
			})
		})
	}
}

func connOf(t testing.TB, b *Broker, id string) *conn {
	t.Helper()
	b.sessions.mu.Lock()
	defer b.sessions.mu.Unlock()
	if e := b.sessions.entries[id]; e != nil && e.conn != nil {
		return e.conn
	}
	t.Fatalf("%q is not connected", id)
	return nil
}

func TestConnectionCaps(t *testing.T) {
	b, l := startPipe(t, Options{
		Issuer: &instantIssuer{}, Authorize: func(Access) error { return nil },
		MaxConnections: 3, MaxConnectionsPerAddress: 2,
	})
	t.Cleanup(func() { closeBroker(t, b) })
	let := func(ip string, in bool) *peer {
		t.Helper()
		p := newPeer(t, l.dialFrom(ip), 4)
		_, _ = p.nc.Write(encode(t, connectPacket("", 4, true), 4))
		if _, _, err := p.read(); (err == nil) != in {
			t.Errorf("%s: let in %t, want %t", ip, err == nil, in)
		}
		return p
	}
	first := let("2001:db8::1", true)
	let("2001:db8::2", true)
	let("2001:db8::3", false) // a third of one /64
	let("192.0.2.1", true)
	let("192.0.2.2", false) // a fourth in all
	first.nc.Close()
	await(t, "there is room", func() bool { return b.Stats().Connections == 2 })
	let("2001:db8::4", true)
}

func TestOriginOfAnAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := originOf(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s belongs to %s, want %s", ip, got, want)
		}
	}
}

func TestAcceptIsTriedAgain(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		b, l := startPipe(t, Options{Issuer: &instantIssuer{}})
		for range 20 {
			l.errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		}
		p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		p.send(connectPacket("dev", 4, true))
		p.expect(packets.Connack)
		if n := counterOf(t, b.metrics.acceptErrors); n != 20 {
			t.Errorf("%v errors counted", n)
		}
		p.nc.Close()
		closeBroker(t, b)
	})
}

func TestPacketSizeIsBounded(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}, MaxPacketSize: 1000})
	p := dial(t, b, 5)
	p.send(connectPacket("dev", 5, true))
	if ack := p.expect(packets.Connack); ack.Properties.MaximumPacketSize != 1000 || ack.Properties.ReceiveMaximum != 256 {
		t.Errorf("CONNACK %+v", ack.Properties)
	}
	p.write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}) // 256 MiB announced
	p.expectEnd()
	half := dial(t, b, 5)
	half.write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}) // and before CONNECT
	half.expectEnd()
}

func TestTakeOver(t *testing.T) {
	for version, want := range map[byte]byte{4: 0, 5: packets.ErrSessionTakenOver.Code} {
		b := start(t, Options{Issuer: &instantIssuer{}})
		former := connect(t, b, "dev", version, false)
		former.subscribe(1, 1, "t")
		p := connect(t, b, "dev", version, false)
		if code := former.expectEnd(); code != want {
			t.Errorf("version %d: DISCONNECT %#02x, want %#02x", version, code, want)
		}
		p.publish("t", "x", 1, 1, false) // the subscription came along
		for range 2 {
			if _, _, err := p.read(); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.Stats().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
	}
}

func TestStrangerDoesNotTakeOver(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}, Authorize: func(a Access) error {
		if a.Action == Connect && string(a.Password) != "secret" {
			return errors.New("wrong password")
		}
		return nil
	}})
	hello := connectPacket("dev", 5, false)
	hello.Connect.UsernameFlag, hello.Connect.Username = true, []byte("dev")
	hello.Connect.PasswordFlag, hello.Connect.Password = true, []byte("secret")
	p := dial(t, b, 5)
	p.send(hello)
	p.expect(packets.Connack)
	hello.Connect.Password = []byte("guess")
	stranger := dial(t, b, 5)
	stranger.send(hello)
	if ack := stranger.expect(packets.Connack); ack.ReasonCode != packets.ErrNotAuthorized.Code {
		t.Errorf("CONNACK %#02x", ack.ReasonCode)
	}
	stranger.expectEnd()
	p.ping()
}

func TestManyTakeOversAtOnce(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	var peers []*peer
	for range 30 {
		p := dial(t, b, 4)
		p.send(connectPacket("dev", 4, false))
		peers = append(peers, p)
	}
	for _, p := range peers {
		_, _, _ = p.read() // each gets its turn, then loses to the next
	}
	await(t, "one is left", func() bool { return b.Stats().Connections == 1 })
	c, ok := b.server.Clients.Get("dev")
	if !ok {
		t.Fatal("the survivor's session is lost")
	}
	for _, p := range peers {
		if p.nc.LocalAddr().String() == c.Net.Remote {
			p.ping()
			return
		}
	}
	t.Error("nobody survived")
}

func TestListenRefuses(t *testing.T) {
	issuer := &instantIssuer{}
	for name, o := range map[string]Options{
		"no issuer":        {Address: "127.0.0.1:0"},
		"every interface":  {Address: ":0", Issuer: issuer},
		"the network":      {Address: "192.0.2.1:0", Issuer: issuer},
		"a name":           {Address: "example.org:0", Issuer: issuer},
		"no port":          {Address: "127.0.0.1", Issuer: issuer},
		"negative limit":   {Address: "127.0.0.1:0", Issuer: issuer, MaxConnections: -1},
		"too large window": {Address: "127.0.0.1:0", Issuer: issuer, Window: 1 << 16},
		"negative timeout": {Address: "127.0.0.1:0", Issuer: issuer, ConnectTimeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			if b, err := Listen(t.Context(), o); err == nil {
				closeBroker(t, b)
				t.Error("accepted")
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	_, err := Listen(t.Context(), Options{Address: b.Addr().String(), Issuer: &instantIssuer{}})
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), b.Addr().String()) {
		t.Errorf("error %v", err)
	}
}

func TestAllowLoopback(t *testing.T) {
	for addr, allowed := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "192.0.2.1:1": false, "[2001:db8::1]:1": false,
	} {
		if err := AllowLoopback(Access{Remote: netip.MustParseAddrPort(addr)}); (err == nil) != allowed {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if AllowLoopback(Access{}) == nil {
		t.Error("a client without an address was let in")
	}
}
