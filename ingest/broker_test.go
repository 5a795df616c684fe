package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/internal/bubbletest"
	"tangled/message"
)

func TestCloseAcknowledgesWhatIsUnderWay(t *testing.T) {
	for version, want := range map[byte]byte{4: 0, 5: packets.ErrServerShuttingDown.Code} {
		issuer := newHeldIssuer()
		b := start(t, Options{Issuer: issuer})
		p := connect(t, b, "dev", version, true)
		p.publish("t", "1", 1, 1, false)
		p.publish("t", "2", 2, 2, false)
		calls := issuer.take(t, 2)
		closed := make(chan error, 1)
		go func() { closed <- b.Close(drained(t)) }()
		<-b.closing
		for id := range uint16(20) { // too late: neither issued nor acknowledged
			p.publish("t", "3", 1, 3+id, false)
		}
		calls["2"].reply <- nil
		calls["1"].reply <- nil
		p.expectAck(packets.Puback, 1, 0)
		p.expectAck(packets.Pubrec, 2, 0)
		if code := p.expectEnd(); code != want {
			t.Errorf("DISCONNECT %#02x, want %#02x", code, want)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := b.Close(drained(t)); err != nil {
			t.Errorf("second Close: %v", err)
		}
		issuer.none(t)
		if _, err := net.Dial("tcp", b.Addr().String()); err == nil {
			t.Error("still listening")
		}
	}
}

func TestCloseAbandonsWhenItsContextEnds(t *testing.T) {
	issuer := newHeldIssuer()
	b := start(t, Options{Issuer: issuer})
	p := connect(t, b, "dev", 4, true)
	p.publish("t", "1", 1, 1, false)
	issuer.next(t)
	ctx, cancel := context.WithCancel(drained(t))
	closed := make(chan error, 1)
	go func() { closed <- b.Close(ctx) }()
	<-b.closing
	cancel()
	if err := <-closed; !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	p.expectEnd()
	if n := b.Stats().Acked; n != 0 {
		t.Errorf("%d acknowledged", n)
	}
}

func TestReadingOutlivesItsConnection(t *testing.T) {
	issuer := newHeldIssuer()
	b := start(t, Options{Issuer: issuer})
	dashboard := connect(t, b, "dashboard", 4, true)
	dashboard.subscribe(1, 0, "t")
	p := connect(t, b, "dev", 4, true)
	p.publish("t", "x", 1, 1, false)
	call := issuer.next(t)
	p.nc.Close()
	await(t, "the connection is gone", func() bool { return b.Stats().Connections == 1 })
	call.reply <- nil
	if pk := dashboard.expect(packets.Publish); string(pk.Payload) != "x" {
		t.Errorf("delivered %q", pk.Payload)
	}
	if s := b.Stats(); s.Accepted != 1 || s.Acked != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A client that reads nothing is held back, costs bounded memory, delays
// nobody and is disconnected at last.
func TestClientThatNeverReads(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		var issued atomic.Int64
		b, l := startPipe(t, Options{Issuer: issuerFunc(func(context.Context, message.Data) (message.ID, error) {
			issued.Add(1)
			return message.ID{}, nil
		})})
		p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		p.send(connectPacket("deaf", 4, true))
		p.expect(packets.Connack)
		deaf := connOf(t, b, "deaf")
		reading := encode(t, publish("t", "x", 1, 1, false), 4)
		written := make(chan int)
		go func() {
			n := 0
			for ; ; n++ {
				if _, err := p.nc.Write(reading); err != nil {
					written <- n
					return
				}
			}
		}()
		other := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		other.send(connectPacket("other", 4, true))
		other.expect(packets.Connack)
		other.publish("t", "x", 1, 1, false)
		other.expectAck(packets.Puback, 1, 0)
		began := time.Now()
		<-deaf.closed
		if took := time.Since(began); took > b.options.WriteTimeout {
			t.Errorf("disconnected after %v", took)
		}
		<-written
		deaf.mu.Lock()
		if most := highWater + 5*b.options.Window; len(deaf.buf) > most {
			t.Errorf("%d bytes wait for the client, at most %d", len(deaf.buf), most)
		}
		deaf.mu.Unlock()
		if n := issued.Load(); n > highWater/4+int64(b.options.Window)*2 {
			t.Errorf("%d readings taken from a client that reads no acknowledgement", n)
		}
		p.nc.Close()
		other.nc.Close()
		closeBroker(t, b)
	})
}

// A subscriber that reads nothing misses messages; publishers do not wait.
func TestSubscriberThatNeverReads(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		b, l := startPipe(t, Options{Issuer: &instantIssuer{}, WritesPending: 8})
		p := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		p.send(connectPacket("deaf", 4, true))
		p.expect(packets.Connack)
		p.subscribe(1, 1, "#")
		dev := newPeer(t, l.dialFrom("127.0.0.1"), 4)
		dev.send(connectPacket("dev", 4, true))
		dev.expect(packets.Connack)
		began := time.Now()
		content := string(make([]byte, 16<<10))
		for i := range uint16(64) {
			dev.publish("t", content, 1, i+1, false)
			dev.expectAck(packets.Puback, i+1, 0)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the publisher waited %v", waited)
		}
		<-connOf(t, b, "deaf").closed
		p.nc.Close()
		dev.nc.Close()
		closeBroker(t, b)
	})
}

func TestSubscriptions(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}, MaxSubscriptions: 2})
	p := connect(t, b, "dashboard", 5, true)
	if got := p.subscribe(1, 1, "a/+", "b", "c"); string(got) != "\x01\x01\x97" {
		t.Errorf("SUBACK % x", got)
	}
	if got := p.subscribe(2, 1, "b"); got[0] != 1 { // held already
		t.Errorf("SUBACK %#02x", got[0])
	}
	if got := p.subscribe(2, 1, "a/#/b"); got[0] != packets.ErrTopicFilterInvalid.Code {
		t.Errorf("SUBACK %#02x for a bad filter", got[0])
	}
	dev := connect(t, b, "dev", 5, true)
	for i, topic := range []string{"a/x", "c", "b"} {
		dev.publish(topic, topic, 1, uint16(i+1), false)
		dev.expectAck(packets.Puback, uint16(i+1), 0)
	}
	for _, want := range []string{"a/x", "b"} {
		if pk := p.expect(packets.Publish); pk.TopicName != want || pk.FixedHeader.Qos != 1 {
			t.Errorf("delivered %q at %d, want %q", pk.TopicName, pk.FixedHeader.Qos, want)
		}
	}
}

func TestNoLocal(t *testing.T) {
	b := start(t, Options{Issuer: &instantIssuer{}})
	p := connect(t, b, "dev", 5, true)
	p.send(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe}, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: "t", NoLocal: true}},
	})
	p.expect(packets.Suback)
	p.publish("t", "mine", 1, 1, false)
	p.expectAck(packets.Puback, 1, 0)
	other := connect(t, b, "other", 5, true)
	other.publish("t", "theirs", 1, 1, false)
	if pk := p.expect(packets.Publish); string(pk.Payload) != "theirs" {
		t.Errorf("delivered %q", pk.Payload)
	}
}

func TestResumedSubscriptionsAreCheckedAgain(t *testing.T) {
	var revoked atomic.Bool
	b := start(t, Options{Issuer: &instantIssuer{}, Authorize: func(a Access) error {
		if a.Action == Subscribe && a.Topic == "secret" && revoked.Load() {
			return errors.New("revoked")
		}
		return nil
	}})
	p := connect(t, b, "dashboard", 5, false)
	p.subscribe(1, 0, "secret", "public")
	p.nc.Close()
	await(t, "the connection is gone", func() bool { return b.Stats().Connections == 0 })
	revoked.Store(true)
	p = connect(t, b, "dashboard", 5, false)
	dev := connect(t, b, "dev", 5, true)
	for _, topic := range []string{"secret", "public"} {
		dev.publish(topic, topic, 1, 1, false)
		dev.expectAck(packets.Puback, 1, 0)
	}
	if pk := p.expect(packets.Publish); pk.TopicName != "public" {
		t.Errorf("delivered %q", pk.TopicName)
	}
}

func TestRetainedMessagesAreBounded(t *testing.T) {
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer, MaxRetained: ownRetained + 2})
	dev := connect(t, b, "dev", 4, true)
	for i, topic := range []string{"a", "b", "c", "a"} {
		pk := publish(topic, fmt.Sprint(i), 1, uint16(i+1), false)
		pk.FixedHeader.Retain = true
		dev.send(pk)
		dev.expectAck(packets.Puback, uint16(i+1), 0)
	}
	p := connect(t, b, "dashboard", 4, true)
	p.subscribe(1, 0, "a", "b", "c")
	got := map[string]string{}
	for range 2 {
		pk := p.expect(packets.Publish)
		got[pk.TopicName] = string(pk.Payload)
	}
	p.ping()
	if got["a"] != "3" || got["b"] != "1" {
		t.Errorf("retained %v", got)
	}
	if n := len(issuer.issued()); n != 4 {
		t.Errorf("%d readings issued", n)
	}
}

// ownRetained is how many retained messages mochi keeps about itself.
const ownRetained = 20
