package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

const connectTimeout = 10 * time.Second

// source is a sensor that publishes. All but its record belongs to its own
// goroutine while the load runs.
type source struct {
	id     string
	sensor *sensor
	client *paho.Client
	broker int // of load.brokers
	record record
}

func connectSensor(ctx context.Context, broker, id string) (*paho.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	client := paho.NewClient(paho.ClientConfig{ClientID: id, Conn: conn, PacketTimeout: ackTimeout})
	// The client keeps room for as many messages as it says it may receive, half a
	// megabyte by default; a sensor receives none.
	receiveMaximum := uint16(1)
	ack, err := client.Connect(ctx, &paho.Connect{
		ClientID: id, KeepAlive: 60, CleanStart: true,
		Properties: &paho.ConnectProperties{ReceiveMaximum: &receiveMaximum},
	})
	if err == nil && ack.ReasonCode != 0 {
		err = fmt.Errorf("CONNACK with reason %#02x", ack.ReasonCode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect %s to %s: %w", id, broker, err), conn.Close())
	}
	return client, nil
}

// publish sends a reading and waits for its PUBACK or the end of the connection:
// the client itself goes on waiting if the broker's DISCONNECT came just before.
func (s *source) publish(ctx context.Context, content []byte) (*paho.PublishResponse, error) {
	client := s.client // move replaces it
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-client.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return client.Publish(ctx, &paho.Publish{
		Topic: s.sensor.topic, QoS: 1, Payload: content,
		Properties: &paho.PublishProperties{ContentType: "application/json"},
	})
}
