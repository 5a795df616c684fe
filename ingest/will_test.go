package ingest

import (
	"errors"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/internal/bubbletest"
)

func willPacket(id, topic string, version byte, delay uint32) packets.Packet {
	pk := connectPacket(id, version, version == 4)
	pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, topic, []byte("gone")
	pk.Connect.WillProperties.WillDelayInterval = delay
	pk.Connect.WillProperties.ContentType = "text/plain"
	return pk
}

func TestWillNeedsItsRight(t *testing.T) {
	var asked []Access
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer, Authorize: func(a Access) error {
		if a.Action != LeaveWill {
			return nil
		}
		asked = append(asked, a)
		return errors.New("no wills")
	}})
	for topic, codes := range map[string][2]byte{
		"theirs": {5, packets.ErrNotAuthorized.Code}, "$SYS/x": {5, packets.ErrTopicNameInvalid.Code}, "a/#": {5, packets.ErrTopicNameInvalid.Code},
	} {
		for i, version := range []byte{4, 5} {
			p := dial(t, b, version)
			p.send(willPacket("dev", topic, version, 0))
			if ack := p.expect(packets.Connack); ack.ReasonCode != codes[i] {
				t.Errorf("%s: CONNACK %#02x, want %#02x", topic, ack.ReasonCode, codes[i])
			}
			p.expectEnd()
		}
	}
	if len(asked) != 2 || asked[0].Topic != "theirs" {
		t.Errorf("asked for %v", asked)
	}
	if n := len(issuer.issued()); n != 0 {
		t.Errorf("%d readings issued", n)
	}
}

func TestWillIsIssued(t *testing.T) {
	for _, version := range []byte{4, 5} {
		issuer := newHeldIssuer()
		b := start(t, Options{Issuer: issuer})
		dashboard := connect(t, b, "dashboard", 5, true)
		dashboard.subscribe(1, 0, "status")
		p := dial(t, b, version)
		p.send(willPacket("dev", "status", version, 0))
		p.expect(packets.Connack)
		p.nc.Close()
		call := issuer.next(t)
		if call.data.Topic != "status" || string(call.data.Content) != "gone" {
			t.Errorf("issued %+v", call.data)
		}
		if version == 5 && call.data.ContentType != "text/plain" {
			t.Errorf("issued with content type %q", call.data.ContentType)
		}
		dashboard.ping() // nothing before it is durable
		call.reply <- nil
		if pk := dashboard.expect(packets.Publish); string(pk.Payload) != "gone" {
			t.Errorf("delivered %q", pk.Payload)
		}
		// Taken back by a DISCONNECT, unless it says otherwise (MQTT 5).
		p = dial(t, b, version)
		p.send(willPacket("dev", "status", version, 0))
		p.expect(packets.Connack)
		p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}})
		p.expectEnd()
		await(t, "the connection is gone", func() bool { return b.Stats().Connections == 1 })
		issuer.none(t)
	}
}

func TestWillWaitsForItsDelay(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		issuer := &instantIssuer{}
		b, l := startPipe(t, Options{Issuer: issuer})
		session := func(delay uint32, clean bool) *peer {
			p := newPeer(t, l.dialFrom("127.0.0.1"), 5)
			pk := willPacket("dev", "status", 5, delay)
			pk.Connect.Clean = clean
			p.send(pk)
			p.expect(packets.Connack)
			return p
		}
		expect := func(n int, when string) {
			t.Helper()
			bubbletest.Wait()
			if got := len(issuer.issued()); got != n {
				t.Errorf("%d wills issued %s, want %d", got, when, n)
			}
		}
		session(10, false).nc.Close()
		time.Sleep(9 * time.Second)
		expect(0, "before the delay")
		time.Sleep(2 * time.Second)
		expect(1, "after the delay")

		session(10, false).nc.Close()
		p := session(10, false) // back in time
		time.Sleep(20 * time.Second)
		expect(1, "after the client came back")
		p.nc.Close()
		p = session(10, true) // the session is ended: its Will is due
		expect(2, "after a clean start")
		p.nc.Close()
		bubbletest.Wait()
		closeBroker(t, b) // and nothing waits beyond Close
	})
}

func TestWillIsTriedAgain(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		issuer := newHeldIssuer()
		b, l := startPipe(t, Options{Issuer: issuer})
		p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		p.send(willPacket("dev", "status", 4, 0))
		p.expect(packets.Connack)
		p.nc.Close()
		issuer.next(t).reply <- errors.New("disk full")
		issuer.next(t).reply <- nil
		bubbletest.Wait()
		if n := b.Stats().Accepted; n != 1 {
			t.Errorf("%d accepted", n)
		}
		closeBroker(t, b)
	})
}
