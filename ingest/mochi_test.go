package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

// What follows breaks in mochi 2.7.9 without the shell of this package.

// A SUBSCRIBE without a filter makes mochi read behind the end of the packet.
func TestPanicEndsOneConnection(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	bystander := connect(t, b, "bystander", 5, true)
	p := connect(t, b, "hostile", 5, false)
	p.subscribe(1, 1, "left/behind")
	p.write([]byte{0x82, 5, 0, 1, 0, 0, 0})
	p.expectEnd()
	await(t, "the connection is gone", func() bool { return b.Stats().Connections == 1 })
	bystander.ping()
	if n := counterOf(t, b.metrics.panics); n != 1 {
		t.Errorf("%v panics counted", n)
	}
	if subs := b.server.Topics.Subscribers("left/behind"); len(subs.Subscriptions) != 0 {
		t.Error("the subscription was left behind")
	}
	if _, held := b.server.Clients.Get("hostile"); held {
		t.Error("the session was left behind")
	}
	connect(t, b, "hostile", 5, false).ping()
}

// mochi reads its index of retained messages without a lock while another
// connection's message changes it: the race detector tells.
func TestRetainedIndexIsReadAlone(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	const rounds, topics = 1000, 5
	publisher, reader := connect(t, b, "publisher", 5, true), connect(t, b, "reader", 5, true)
	var readings, subscriptions []byte
	for i := range uint16(rounds) {
		pk := publish(fmt.Sprintf("a/%d", i%topics), "x", 1, i+1, false)
		pk.FixedHeader.Retain = true
		readings = append(readings, encode(t, pk, 5)...)
		subscriptions = append(subscriptions, encode(t, packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: i + 1,
			Filters: packets.Subscriptions{{Filter: "a/+"}},
		}, 5)...)
	}
	publisher.write(readings)
	reader.write(subscriptions)
	for i := range uint16(rounds) {
		publisher.expectAck(packets.Puback, i+1, 0)
	}
	for acked := 0; acked < rounds; {
		pk, _, err := reader.read()
		if err != nil {
			t.Fatal(err)
		}
		if pk.FixedHeader.Type == packets.Suback {
			acked++
		}
	}
	if got := b.server.Topics.Retained.Len(); got != topics+ownRetained {
		t.Errorf("%d messages are retained, want %d", got-ownRetained, topics)
	}
	await(t, "nobody reads the index any more", b.retained.TryLock)
}

// mochi's own rules let a filter match the topics below it and allow what no
// rule speaks of.
func TestRightsAreExact(t *testing.T) {
	rights := func(a Access) error {
		switch {
		case a.Action == Connect && a.ClientID == "dev1":
			return nil
		case a.Action == Publish && a.Topic == "plant/dev1":
			return nil
		case a.Action == Subscribe && a.Topic == "plant/dev1":
			return nil
		}
		return errors.New("no such right")
	}
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer, Authorize: rights})
	for version, refused := range map[byte]byte{4: 5, 5: packets.ErrNotAuthorized.Code} {
		p := dial(t, b, version)
		p.send(connectPacket("stranger", version, true))
		if ack := p.expect(packets.Connack); ack.ReasonCode != refused {
			t.Errorf("CONNACK %#02x for a stranger, want %#02x", ack.ReasonCode, refused)
		}
		p.expectEnd()
	}
	p := connect(t, b, "dev1", 5, true)
	no := packets.ErrNotAuthorized.Code
	for topic, code := range map[string]byte{"plant/dev1": 0, "plant/dev1/secret/x": no, "plant": no, "other": no} {
		p.publish(topic, "x", 1, 1, false)
		p.expectAck(packets.Puback, 1, code)
	}
	got := p.subscribe(2, 0, "plant/dev1", "plant/dev1/secret/x", "#", "$share/g/plant/dev1", "$share/g/#")
	if want := []byte{0, no, no, 0, no}; string(got) != string(want) {
		t.Errorf("SUBACK % x, want % x", got, want)
	}
	if n := len(issuer.issued()); n != 1 {
		t.Errorf("%d readings issued", n)
	}
	p3 := connect(t, b, "dev1", 4, true)
	if got := p3.subscribe(2, 0, "#"); got[0] != 0x80 {
		t.Errorf("SUBACK %#02x for MQTT 3.1.1", got[0])
	}
}

// mochi checks the right before it resolves the alias, so it asks for "".
func TestAliasDoesNotHideTheTopic(t *testing.T) {
	var asked []string
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer, Authorize: func(a Access) error {
		if a.Action != Publish {
			return nil
		}
		asked = append(asked, a.Topic)
		if a.Topic != "mine" {
			return errors.New("not yours")
		}
		return nil
	}})
	p := connect(t, b, "dev", 5, true)
	send := func(topic string, alias uint16, code byte) {
		t.Helper()
		pk := publish(topic, "x", 1, 1, false)
		pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = alias, true
		p.send(pk)
		p.expectAck(packets.Puback, 1, code)
	}
	send("mine", 1, 0)
	send("theirs", 2, packets.ErrNotAuthorized.Code)
	send("", 1, 0)
	send("", 2, packets.ErrNotAuthorized.Code)
	if got := fmt.Sprint(asked); got != "[mine theirs mine theirs]" {
		t.Errorf("asked for %s", got)
	}
	for _, d := range issuer.issued() {
		if d.Topic != "mine" {
			t.Errorf("issued under %q", d.Topic)
		}
	}
	pk := publish("", "x", 1, 1, false)
	pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = 3, true
	p.send(pk)
	if code := p.expectEnd(); code != packets.ErrProtocolViolation.Code {
		t.Errorf("DISCONNECT %#02x for an unknown alias", code)
	}
}

// mochi acknowledges with reason 0x01 and the sender's own properties, and a
// QoS 2 message that comes again with 0x91.
func TestAcknowledgementsArePlain(t *testing.T) {
	p := connect(t, start(t, Options{Issuer: &instantIssuer{}}), "dev", 5, true)
	want := map[byte]string{1: "\x01\x02", 2: "\x01\x02"}
	for qos := byte(1); qos <= 2; qos++ {
		for _, dup := range []bool{false, true} {
			pk := publish("t", "x", qos, 0x102, dup)
			pk.Properties.User = []packets.UserProperty{{Key: "k", Val: "v"}}
			pk.Properties.ContentType = "text/plain"
			p.send(pk)
			_, body, err := p.read()
			if err != nil || string(body) != want[qos] {
				t.Errorf("qos %d, dup %t: answer % x, %v", qos, dup, body, err)
			}
		}
	}
}

// mochi keeps the identifiers of both directions in one map.
func TestIdentifiersOfBothDirectionsAreApart(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	p := connect(t, b, "dev", 5, false)
	p.subscribe(1, 2, "command")
	controller := connect(t, b, "controller", 5, true)
	command := func(content string, qos byte) packets.Packet {
		t.Helper()
		controller.publish("command", content, qos, 1, false)
		if qos == 2 {
			controller.expectAck(packets.Pubrec, 1, 0)
			controller.send(pubrel(1))
			controller.expectAck(packets.Pubcomp, 1, 0)
		} else {
			controller.expectAck(packets.Puback, 1, 0)
		}
		return p.expect(packets.Publish)
	}
	open, shut := command("open", 1), command("shut", 2)
	for _, id := range []uint16{open.PacketID, shut.PacketID} {
		p.publish("t", "x", 1, id, false)
		p.expectAck(packets.Puback, id, 0)
		p.publish("t", "y", 2, id, false)
		p.expectAck(packets.Pubrec, id, 0)
		p.send(pubrel(id))
		p.expectAck(packets.Pubcomp, id, 0)
		if got := p.subscribe(id, 0, "other"); got[0] != 0 {
			t.Errorf("SUBACK %#02x", got[0])
		}
	}
	// Neither command was acknowledged: both come again.
	p.nc.Close()
	p = connect(t, b, "dev", 5, false)
	got := map[string]bool{}
	for range 2 {
		pk := p.expect(packets.Publish)
		got[string(pk.Payload)] = pk.FixedHeader.Dup
	}
	if !got["open"] || !got["shut"] {
		t.Errorf("redelivered %v", got)
	}
}

// mochi loses a unit of the Receive Maximum with each message that waited.
func TestReceiveMaximumDoesNotLeak(t *testing.T) {
	for qos := byte(1); qos <= 2; qos++ {
		t.Run(fmt.Sprint("qos ", qos), func(t *testing.T) {
			b := start(t, Options{Issuer: &instantIssuer{}})
			p := dial(t, b, 5)
			hello := connectPacket("dashboard", 5, true)
			hello.Properties.ReceiveMaximum = 20
			p.send(hello)
			p.expect(packets.Connack)
			p.subscribe(1, qos, "t")
			dev := connect(t, b, "dev", 5, true)
			for range 3 {
				for i := range uint16(50) {
					dev.publish("t", fmt.Sprint(i), 1, i+1, false)
				}
				for i := range uint16(50) {
					dev.expectAck(packets.Puback, i+1, 0)
				}
				var ids []uint16
				for range 20 {
					ids = append(ids, p.expect(packets.Publish).PacketID)
				}
				p.ping() // not one more than the client may be sent
				for n := 20; len(ids) > 0; {
					id := ids[0]
					ids = ids[1:]
					if qos == 1 {
						p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: id})
					} else {
						p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id})
						p.expectAck(packets.Pubrel, id, 0)
						p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: id})
					}
					if n < 50 {
						ids = append(ids, p.expect(packets.Publish).PacketID)
						n++
					}
				}
				p.ping()
			}
		})
	}
}

// A session that is resumed under a Receive Maximum gets no more than that of
// its backlog, and whatever comes later.
func TestReceiveMaximumOfAResumedSession(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	p := connect(t, b, "dashboard", 5, false)
	p.subscribe(1, 1, "t")
	dev := connect(t, b, "dev", 5, true)
	send := func(n uint16) {
		t.Helper()
		for i := range n {
			dev.publish("t", "x", 1, i+1, false)
			dev.expectAck(packets.Puback, i+1, 0)
		}
	}
	send(5)
	for range 5 {
		p.expect(packets.Publish)
	}
	p.nc.Close()
	p = dial(t, b, 5)
	hello := connectPacket("dashboard", 5, false)
	hello.Properties.ReceiveMaximum = 3
	p.send(hello)
	p.expect(packets.Connack)
	var ids []uint16
	for range 3 {
		ids = append(ids, p.expect(packets.Publish).PacketID)
	}
	p.ping()
	send(10)
	for range 10 {
		p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: ids[0]})
		ids = append(ids[1:], p.expect(packets.Publish).PacketID)
	}
	p.ping()
}

func TestRefusedPubrecFreesReceiveMaximum(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	p := dial(t, b, 5)
	hello := connectPacket("dashboard", 5, true)
	hello.Properties.ReceiveMaximum = 1
	p.send(hello)
	p.expect(packets.Connack)
	p.subscribe(1, 2, "t")
	dev := connect(t, b, "dev", 5, true)
	for i := range uint16(3) {
		dev.publish("t", "x", 2, i+1, false)
		dev.expectAck(packets.Pubrec, i+1, 0)
	}
	for range 3 {
		id := p.expect(packets.Publish).PacketID
		p.send(packets.Packet{
			FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id,
			ReasonCode: packets.ErrQuotaExceeded.Code,
		})
	}
}

func TestPropertiesReachSubscribers(t *testing.T) {
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer})
	p := connect(t, b, "dashboard", 5, true)
	p.subscribe(1, 1, "t")
	dev := connect(t, b, "dev", 5, true)
	pk := publish("t", "x", 1, 1, false)
	pk.Properties.ContentType = "application/json"
	pk.Properties.User = []packets.UserProperty{{Key: "k", Val: "v"}}
	pk.Properties.CorrelationData = []byte("c")
	dev.send(pk)
	got := p.expect(packets.Publish)
	if got.Properties.ContentType != "application/json" || len(got.Properties.User) != 1 || string(got.Properties.CorrelationData) != "c" {
		t.Errorf("properties %+v", got.Properties)
	}
	if d := issuer.issued()[0]; d.ContentType != "application/json" {
		t.Errorf("issued with content type %q", d.ContentType)
	}
}

func TestOversizedClientIdentifierIsRefused(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	p := dial(t, b, 5)
	p.send(connectPacket(strings.Repeat("c", maxClientID+1), 5, true))
	if ack := p.expect(packets.Connack); ack.ReasonCode != packets.ErrClientIdentifierNotValid.Code {
		t.Errorf("CONNACK %#02x", ack.ReasonCode)
	}
}
