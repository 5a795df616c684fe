package ingest

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// FuzzClientBytes sends a client's bytes, behind a good CONNECT or without
// one, to a broker with a bystander. The process must survive, the bystander
// be served, and the connection be cleaned up. What a broker covers depends on
// its goroutines, so give the minimizer a limit: -fuzzminimizetime=10x.
func FuzzClientBytes(f *testing.F) {
	subscribe := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: "#", Qos: 2}},
	}
	for _, version := range []byte{4, 5} {
		for qos := range byte(3) {
			pk := publish("a/b", "x", qos, uint16(min(qos, 1)), false)
			pk.FixedHeader.Retain = true
			f.Add(version, append(encode(f, subscribe, version), encode(f, pk, version)...))
		}
		f.Add(version, encode(f, pubrel(1), version))
		f.Add(version, encode(f, connectPacket("again", version, true), version))
		f.Add(byte(0), encode(f, willPacket("will", "/", version, 1), version))
	}
	f.Add(byte(5), []byte{0x82, 5, 0, 1, 0, 0, 0})
	f.Add(byte(5), []byte{0xe0, 2, 4, 0})
	f.Add(byte(5), []byte{0xf0, 0})
	f.Add(byte(4), []byte{0x30, 0xff, 0xff, 0xff, 0xff})

	b := start(f, Options{Issuer: issuerFunc(func(context.Context, message.Data) (message.ID, error) { return message.ID{}, nil }), MaxSessions: 4})
	bystander := connect(f, b, "bystander", 4, true)
	f.Fuzz(func(t *testing.T, version byte, data []byte) {
		nc, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if version == 4 || version == 5 {
			if _, err := nc.Write(encode(t, connectPacket("fuzz", version, true), version)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = nc.Write(data)
		_ = nc.(*net.TCPConn).CloseWrite()
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, nc); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("connection was not closed")
			}
		}
		nc.Close()
		bystander.t = t
		bystander.ping()
	})
}
