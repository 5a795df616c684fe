package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

const (
	connectTimeout = 10 * time.Second
	// ackTimeout is how long a sensor waits for a PUBACK before it counts the
	// reading as not acknowledged.
	ackTimeout = 30 * time.Second
)

// load is all sensors with their MQTT connections, and the record of what was
// acknowledged to them.
type load struct {
	sources   []*source
	interval  time.Duration
	published atomic.Uint64
	acked     atomic.Uint64
	acks      *distribution // from when a reading was due to its PUBACK
}

// source is a sensor that publishes. Only its own goroutine touches acked
// while the load runs.
type source struct {
	sensor *sensor
	client *paho.Client
	acked  map[uint64][sha256.Size]byte // by sequence number
}

// newLoad connects every sensor to one of the brokers.
func newLoad(ctx context.Context, o demoOptions, brokers []string) (*load, error) {
	l := &load{
		interval: time.Duration(float64(time.Second) / o.rate),
		acks:     newDistribution(),
	}
	for i, s := range newSensors("florence", o.sensors, len(brokers)) {
		client, err := connectSensor(ctx, brokers[i%len(brokers)], fmt.Sprintf("sensor-%04d", i))
		if err != nil {
			l.close()
			return nil, err
		}
		l.sources = append(l.sources, &source{s, client, make(map[uint64][sha256.Size]byte)})
	}
	return l, nil
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

// run lets every sensor publish at its rate, from a moment of its own within
// the first interval on, for the duration (0: without end) or until ctx ends.
// It returns when every reading under way was acknowledged or given up.
func (l *load) run(ctx context.Context, start time.Time, duration time.Duration) {
	var all sync.WaitGroup
	for i, s := range l.sources {
		first := l.interval * time.Duration(i) / time.Duration(len(l.sources))
		all.Go(func() {
			for due := first; duration == 0 || due < duration; due += l.interval {
				at := start.Add(due)
				pause(ctx, time.Until(at))
				if ctx.Err() != nil {
					return
				}
				l.publish(context.WithoutCancel(ctx), s, at)
			}
		})
	}
	all.Wait()
}

// publish sends the reading that was due at a time and waits for its
// acknowledgement. The time to it counts from when the reading was due, not from
// when it was sent: a sensor that had to wait for the reading before is late
// because of the city, and that must show.
func (l *load) publish(ctx context.Context, s *source, due time.Time) {
	seq, content := s.sensor.next(time.Now())
	l.published.Add(1)
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	response, err := s.client.Publish(ctx, &paho.Publish{
		Topic: s.sensor.topic, QoS: 1, Payload: content,
		Properties: &paho.PublishProperties{ContentType: "application/json"},
	})
	if err != nil || response.ReasonCode >= 0x80 {
		l.acks.add(ackTimeout) // counted as published and not acknowledged
		return
	}
	l.acks.add(time.Since(due))
	s.acked[seq] = sha256.Sum256(content)
	l.acked.Add(1)
}

func (l *load) counts() (published, acked uint64) { return l.published.Load(), l.acked.Load() }

func (l *load) close() {
	for _, s := range l.sources {
		_ = s.client.Disconnect(&paho.Disconnect{}) // the broker may be gone first
	}
}
