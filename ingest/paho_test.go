package ingest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// pahoClient opens a session with the client library that devices use.
func pahoClient(t testing.TB, b *Broker, id string, received func(*paho.Publish)) *paho.Client {
	t.Helper()
	nc, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	config := paho.ClientConfig{Conn: nc, PacketTimeout: patience}
	if received != nil {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(r paho.PublishReceived) (bool, error) {
			received(r.Packet)
			return true, nil
		}}
	}
	c := paho.NewClient(config)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := c.Connect(ctx, &paho.Connect{ClientID: id, KeepAlive: 30, CleanStart: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Disconnect(&paho.Disconnect{}) })
	return c
}

func TestPaho(t *testing.T) {
	issuer := &instantIssuer{}
	b := start(t, Options{Issuer: issuer})
	received := make(chan *paho.Publish, 100)
	dashboard := pahoClient(t, b, "dashboard", func(p *paho.Publish) { received <- p })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := dashboard.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "city/#", QoS: 2}}}); err != nil {
		t.Fatal(err)
	}
	var devices sync.WaitGroup
	for i := range 10 {
		devices.Go(func() {
			c := pahoClient(t, b, fmt.Sprint("dev", i), nil)
			for qos := range byte(3) {
				r, err := c.Publish(ctx, &paho.Publish{
					QoS: qos, Topic: fmt.Sprintf("city/%d", i), Payload: []byte{qos},
					Properties: &paho.PublishProperties{ContentType: "application/octet-stream"},
				})
				if err != nil || (r != nil && r.ReasonCode != 0) {
					t.Errorf("qos %d: %+v, %v", qos, r, err)
				}
			}
		})
	}
	devices.Wait()
	for range 30 {
		select {
		case <-received:
		case <-time.After(patience):
			t.Fatal("a reading was not delivered")
		}
	}
	if r, err := dashboard.Publish(ctx, &paho.Publish{QoS: 1, Topic: "$SYS/x", Payload: []byte("x")}); err == nil || r.ReasonCode != 0x90 {
		t.Errorf("reserved topic: %+v, %v", r, err)
	}
	if n := len(issuer.issued()); n != 30 {
		t.Errorf("%d readings issued", n)
	}
}
