package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

func TestAcknowledgedWhenDurable(t *testing.T) {
	for _, version := range []byte{4, 5} {
		for qos, kind := range map[byte]byte{1: packets.Puback, 2: packets.Pubrec} {
			t.Run(fmt.Sprintf("version %d qos %d", version, qos), func(t *testing.T) {
				issuer := newHeldIssuer()
				b := start(t, Options{Issuer: issuer})
				p := connect(t, b, "dev", version, true)
				p.publish("city/temp", "21.5", qos, 7, false)
				call := issuer.next(t)
				if call.data.Topic != "city/temp" || string(call.data.Content) != "21.5" {
					t.Errorf("issued %+v", call.data)
				}
				p.ping() // nothing came before the reading is durable
				call.reply <- nil
				p.expectAck(kind, 7, 0)
				if s := b.Stats(); s.Accepted != 1 || s.Acked != 1 || s.Connections != 1 {
					t.Errorf("stats %+v", s)
				}
				if qos == 2 {
					p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel}, PacketID: 7})
					p.expectAck(packets.Pubcomp, 7, 0)
				}
			})
		}
	}
}

func TestAcknowledgedInOrderOfReceipt(t *testing.T) {
	issuer := newHeldIssuer()
	p := connect(t, start(t, Options{Issuer: issuer}), "dev", 4, true)
	for id := range uint16(3) {
		p.publish("t", fmt.Sprint(id+1), 1, id+1, false)
	}
	calls := issuer.take(t, 3)
	calls["3"].reply <- nil
	calls["2"].reply <- nil
	p.ping()
	calls["1"].reply <- nil
	for id := range uint16(3) {
		p.expectAck(packets.Puback, id+1, 0)
	}
}

func TestQoS0IsIssuedAndNotAnswered(t *testing.T) {
	issuer := newHeldIssuer()
	b := start(t, Options{Issuer: issuer})
	p := connect(t, b, "dev", 5, true)
	p.publish("t", "x", 0, 0, false)
	issuer.next(t).reply <- nil
	await(t, "the reading is accepted", func() bool { return b.Stats().Accepted == 1 })
	p.ping()
}

func TestWindowStopsReading(t *testing.T) {
	issuer := newHeldIssuer()
	p := connect(t, start(t, Options{Issuer: issuer, Window: 4}), "dev", 4, true)
	for id := range uint16(6) {
		p.publish("t", fmt.Sprint(id+1), 1, id+1, false)
	}
	p.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	calls := issuer.take(t, 4)
	issuer.none(t)
	for _, c := range calls {
		c.reply <- nil
	}
	for _, c := range issuer.take(t, 2) {
		c.reply <- nil
	}
	for answers := 0; answers < 6; {
		pk, _, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		switch pk.FixedHeader.Type {
		case packets.Puback:
			answers++
		case packets.Pingresp:
			if answers == 0 {
				t.Error("PINGREQ behind a full window was read")
			}
		}
	}
}

func TestBrokerLimitHoldsEveryClientBack(t *testing.T) {
	issuer := newHeldIssuer()
	b := start(t, Options{Issuer: issuer, MaxInFlight: 1})
	p, q := connect(t, b, "p", 4, true), connect(t, b, "q", 4, true)
	p.publish("t", "p", 1, 1, false)
	call := issuer.next(t)
	q.publish("t", "q", 1, 1, false)
	q.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	p.ping()
	issuer.none(t)
	call.reply <- nil
	p.expectAck(packets.Puback, 1, 0)
	issuer.next(t).reply <- nil
	for range 2 { // PUBACK and PINGRESP
		if _, _, err := q.read(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	deny := func(a Access) error {
		if a.Action == Publish && a.Topic == "forbidden" {
			return errors.New("not yours")
		}
		return nil
	}
	for name, test := range map[string]struct {
		topic, content, contentType string
		issue                       error
		code                        byte
		reason                      message.Reason
	}{
		"reserved":      {topic: "$SYS/broker", code: 0x90, reason: reasonReserved},
		"reserved ours": {topic: "$private", code: 0x90, reason: reasonReserved},
		"long topic":    {topic: string(bytes.Repeat([]byte("t"), 300)), code: 0x90, reason: message.ReasonTopic},
		"denied":        {topic: "forbidden", code: 0x87, reason: reasonNotAuthorized},
		"too large":     {topic: "t", content: string(make([]byte, message.MaxPayloadSize)), code: 0x97, reason: message.ReasonTooLarge},
		"content type":  {topic: "t", contentType: "täxt", code: 0x83, reason: message.ReasonContentType},
		"by the issuer": {topic: "t", issue: &message.InvalidError{Reason: message.ReasonPayload, Err: errors.New("no")}, code: 0x83, reason: message.ReasonPayload},
	} {
		for _, version := range []byte{4, 5} {
			for _, qos := range []byte{1, 2} {
				t.Run(fmt.Sprintf("%s/version %d qos %d", name, version, qos), func(t *testing.T) {
					if version == 4 && test.contentType != "" {
						test.issue = &message.InvalidError{Reason: test.reason, Err: errors.New("no")}
					}
					issuer := issuerFunc(func(context.Context, message.Data) (message.ID, error) { return message.ID{}, test.issue })
					b := start(t, Options{Issuer: issuer, Authorize: deny})
					p := connect(t, b, "dev", version, true)
					pk := publish(test.topic, test.content, qos, 9, false)
					pk.Properties.ContentType = test.contentType
					p.send(pk)
					kind, code := packets.Puback, test.code
					if qos == 2 {
						kind = packets.Pubrec
					}
					if version == 4 {
						code = 0
					}
					p.expectAck(kind, 9, code)
					p.ping() // the client goes on
					if s := b.Stats(); s.Refused != 1 || s.Accepted != 0 {
						t.Errorf("stats %+v", s)
					}
					if got := counterOf(t, b.metrics.refused.WithLabelValues(string(test.reason))); got != 1 {
						t.Errorf("%v refused for %s", got, test.reason)
					}
				})
			}
		}
	}
}

func TestTemporaryErrorIsNeverAcknowledged(t *testing.T) {
	for version, want := range map[byte]byte{4: 0, 5: packets.ErrServerBusy.Code} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			issuer := newHeldIssuer()
			b := start(t, Options{Issuer: issuer})
			p := connect(t, b, "dev", version, false)
			p.publish("t", "1", 1, 1, false)
			p.publish("t", "2", 1, 2, false)
			p.publish("t", "3", 2, 3, false)
			calls := issuer.take(t, 3)
			calls["2"].reply <- nil
			calls["3"].reply <- errors.New("disk full")
			calls["1"].reply <- errors.New("disk full")
			if code := p.expectEnd(); code != want {
				t.Errorf("DISCONNECT %#02x, want %#02x", code, want)
			}
			if acked := b.Stats().Acked; acked != 0 {
				t.Errorf("%d acknowledged", acked)
			}
			// What failed is issued again, what became durable is not.
			p = connect(t, b, "dev", version, false)
			p.publish("t", "1", 1, 1, true)
			p.publish("t", "2", 1, 2, true)
			p.publish("t", "3", 2, 3, true)
			calls = issuer.take(t, 2)
			calls["1"].reply <- nil
			calls["3"].reply <- nil
			p.expectAck(packets.Puback, 1, 0)
			p.expectAck(packets.Puback, 2, 0)
			p.expectAck(packets.Pubrec, 3, 0)
			issuer.none(t)
		})
	}
}
