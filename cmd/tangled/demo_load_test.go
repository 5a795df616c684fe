package main

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// stubBroker answers each PUBLISH as answer says; without an answer it closes the
// connection.
func stubBroker(t *testing.T, answer func(*packets.Publish) *packets.Puback) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serveStub(conn, answer)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// serveStub serves one connection.
func serveStub(conn net.Conn, answer func(*packets.Publish) *packets.Puback) {
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		var reply *packets.ControlPacket
		switch content := p.Content.(type) {
		case *packets.Connect:
			reply = packets.NewControlPacket(packets.CONNACK)
		case *packets.Publish:
			ack := answer(content)
			if ack == nil {
				return
			}
			reply = packets.NewControlPacket(packets.PUBACK)
			reply.Content = ack
		case *packets.Pingreq:
			reply = packets.NewControlPacket(packets.PINGRESP)
		default:
			return
		}
		if _, err := reply.WriteTo(conn); err != nil {
			return
		}
	}
}

// TestSensorMoves: a reading whose connection breaks goes to the next broker that
// answers, once for each sensor; one that a broker refuses goes nowhere.
func TestSensorMoves(t *testing.T) {
	var taken atomic.Int64
	takes := func(p *packets.Publish) *packets.Puback {
		taken.Add(1)
		return &packets.Puback{PacketID: p.PacketID, Properties: &packets.Properties{}}
	}
	breaks := func(*packets.Publish) *packets.Puback { return nil }
	refuses := func(p *packets.Publish) *packets.Puback {
		return &packets.Puback{PacketID: p.PacketID, ReasonCode: packets.PubackNotAuthorized, Properties: &packets.Properties{}}
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	o := demoOptions{sensors: 1, rate: 100}
	l, err := newLoad(t.Context(), o, []string{stubBroker(t, breaks), closed.Addr().String(), stubBroker(t, takes)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.run(t.Context(), l.start, 50*time.Millisecond)
	if got := l.acked.Load(); got != 5 || l.published.Load() != 5 || taken.Load() != 5 || l.moved.Load() != 1 {
		t.Errorf("%d acknowledged of %d published, %d taken, %d moved", got, l.published.Load(), taken.Load(), l.moved.Load())
	}

	refused, err := newLoad(t.Context(), o, []string{stubBroker(t, refuses), stubBroker(t, takes)})
	if err != nil {
		t.Fatal(err)
	}
	defer refused.close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = refused.deliver(ctx, refused.sources[0], []byte("{}"))
	if err == nil || err.Error() != "PUBACK with reason 0x87" || refused.moved.Load() != 0 {
		t.Errorf("refused: %v, %d moved", err, refused.moved.Load())
	}
}
