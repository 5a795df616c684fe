package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/internal/bubbletest"
)

func pubrel(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: id}
}

func TestRedeliveryIsIssuedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		topic, content string
		id             uint16
		dup, clean     bool
		again          bool // issued a second time
	}{
		"the same":          {"t", "x", 5, true, false, false},
		"the same, clean":   {"t", "x", 5, true, true, false},
		"without DUP":       {"t", "x", 5, false, false, true},
		"other content":     {"t", "y", 5, true, false, true},
		"other topic":       {"u", "x", 5, true, false, true},
		"other identifier":  {"t", "x", 6, true, false, true},
		"shifted by a byte": {"tx", "", 5, true, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, state := range []string{"acknowledged", "under way"} {
				issuer := newHeldIssuer()
				b := start(t, Options{Issuer: issuer})
				p := connect(t, b, "dev", 4, test.clean)
				p.publish("t", "x", 1, 5, false)
				call := issuer.next(t)
				if state == "acknowledged" {
					call.reply <- nil
					p.expectAck(packets.Puback, 5, 0)
				}
				p.nc.Close()
				p = connect(t, b, "dev", 4, test.clean)
				p.publish(test.topic, test.content, 1, test.id, test.dup)
				if test.again {
					issuer.next(t).reply <- nil
				}
				if state == "under way" {
					call.reply <- nil
				}
				p.expectAck(packets.Puback, test.id, 0)
				issuer.none(t)
				want := int64(1)
				if test.again {
					want = 2
				}
				await(t, "all is counted", func() bool { return b.Stats().Accepted == want })
			}
		})
	}
}

// A device that reports an unchanged value may use the same identifier for it.
// The second report was sent once before its connection broke, so it carries
// DUP; the first one had long arrived.
func TestEqualValueMuchLaterIsAnotherReading(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		issuer := &instantIssuer{}
		b, l := startPipe(t, Options{Issuer: issuer})
		dialPipe := func() *peer {
			p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
			p.send(connectPacket("dev", 4, false))
			p.expect(packets.Connack)
			return p
		}
		p := dialPipe()
		p.publish("t", "21.5", 1, 1, false)
		p.expectAck(packets.Puback, 1, 0)
		time.Sleep(arrivalGrace + time.Second)
		p.ping()
		p.nc.Close()
		p = dialPipe()
		p.publish("t", "21.5", 1, 1, true)
		p.expectAck(packets.Puback, 1, 0)
		if n := len(issuer.issued()); n != 2 {
			t.Errorf("%d readings issued, want 2", n)
		}
		p.nc.Close()
		closeBroker(t, b)
	})
}

func TestQoS2IsIssuedOnceUntilReleased(t *testing.T) {
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			issuer := newHeldIssuer()
			b := start(t, Options{Issuer: issuer})
			p := connect(t, b, "dev", version, false)
			p.publish("t", "x", 2, 5, false)
			issuer.next(t).reply <- nil
			p.expectAck(packets.Pubrec, 5, 0)
			p.publish("t", "x", 2, 5, true) // on the same connection
			p.expectAck(packets.Pubrec, 5, 0)
			p.nc.Close()
			p = connect(t, b, "dev", version, false)
			for _, dup := range []bool{true, false} { // and on the next, whatever the flag says
				p.publish("t", "x", 2, 5, dup)
				p.expectAck(packets.Pubrec, 5, 0)
			}
			p.send(pubrel(5))
			p.expectAck(packets.Pubcomp, 5, 0)
			issuer.none(t)
			p.send(pubrel(5))
			unknown := byte(0)
			if version == 5 {
				unknown = packets.ErrPacketIdentifierNotFound.Code
			}
			p.expectAck(packets.Pubcomp, 5, unknown)
			p.publish("t", "x", 2, 5, false) // the identifier is free again
			issuer.next(t).reply <- nil
			p.expectAck(packets.Pubrec, 5, 0)
		})
	}
}

func TestNewSessionEndsQoS2Flows(t *testing.T) {
	expired := connectPacket("dev", 5, false)
	expired.Properties.SessionExpiryInterval = 0 // the session ends with the connection
	for name, hellos := range map[string][2]packets.Packet{
		"clean start":             {connectPacket("dev", 5, false), connectPacket("dev", 5, true)},
		"session expired":         {expired, expired},
		"clean session, 3.1.1":    {connectPacket("dev", 4, false), connectPacket("dev", 4, true)},
		"no session since, 3.1.1": {connectPacket("dev", 4, true), connectPacket("dev", 4, false)},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := newHeldIssuer()
			b := start(t, Options{Issuer: issuer})
			for _, hello := range hellos {
				p := dial(t, b, hello.ProtocolVersion)
				p.send(hello)
				if p.expect(packets.Connack).SessionPresent {
					t.Error("session present")
				}
				p.publish("t", "x", 2, 5, false)
				issuer.next(t).reply <- nil
				p.expectAck(packets.Pubrec, 5, 0)
			}
		})
	}
}

func TestPubrelBeforePubrecEndsTheConnection(t *testing.T) {
	issuer := newHeldIssuer()
	p := connect(t, start(t, Options{Issuer: issuer}), "dev", 5, true)
	p.publish("t", "x", 2, 5, false)
	issuer.next(t)
	p.send(pubrel(5))
	if code := p.expectEnd(); code != packets.ErrProtocolViolation.Code {
		t.Errorf("DISCONNECT %#02x", code)
	}
}

func TestUnreleasedIdentifiersAreBounded(t *testing.T) {
	m := newMemory()
	for id := range uint16(maxUnreleased) {
		if _, _, ok := m.admit(id+1, 2, false, 0); !ok {
			t.Fatalf("identifier %d refused", id+1)
		}
	}
	if _, _, ok := m.admit(maxUnreleased+1, 2, false, 0); ok {
		t.Error("one identifier too many")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	for i := range 3 * maxRemembered {
		f, _, _ := m.admit(uint16(i+1), 1, false, uint64(i))
		f.finish(nil)
		if len(m.flights) > maxRemembered || len(m.order) > 2*maxRemembered+17 {
			t.Fatalf("%d flights, %d in order after %d readings", len(m.flights), len(m.order), i+1)
		}
	}
	for i := range 3 * maxRemembered { // a client that always takes the lowest identifier
		m.admit(1, 1, false, uint64(i))
	}
	if len(m.order) > 2*len(m.flights)+17 {
		t.Errorf("%d in order for %d flights", len(m.order), len(m.flights))
	}
}

func TestOldestIdleSessionsAreForgotten(t *testing.T) {
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer, MaxSessions: 2})
	for _, id := range []string{"a", "b", "c"} {
		p := connect(t, b, id, 4, false)
		p.subscribe(1, 1, "x/"+id)
		p.publish("t", id, 1, 1, false)
		p.expectAck(packets.Puback, 1, 0)
		p.nc.Close()
		await(t, "the session is idle", func() bool { return b.Stats().Connections == 0 })
	}
	if _, held := b.server.Clients.Get("a"); held {
		t.Error("the broker still holds the oldest session")
	}
	if subs := b.server.Topics.Subscribers("x/a"); len(subs.Subscriptions) != 0 {
		t.Error("its subscription is still in the index")
	}
	for i, id := range []string{"b", "a"} {
		p := connect(t, b, id, 4, false)
		p.publish("t", id, 1, 1, true)
		p.expectAck(packets.Puback, 1, 0)
		if n := len(issuer.issued()); n != 3+i {
			t.Errorf("%s: %d readings issued, want %d", id, n, 3+i)
		}
	}
}
