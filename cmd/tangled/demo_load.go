package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/paho"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// ackTimeout is how long a sensor waits for a PUBACK before it counts the reading
// as not acknowledged.
const ackTimeout = 30 * time.Second

// moveDelay is how long a sensor waits before it tries one more broker, after the
// first.
const moveDelay = 100 * time.Millisecond

// load is all sensors with their MQTT connections, and the record of what was
// acknowledged to them and became final.
type load struct {
	brokers   []string
	sources   []*source
	byTopic   map[string]*source
	start     time.Time
	interval  time.Duration
	published atomic.Uint64
	acked     atomic.Uint64
	finals    atomic.Uint64 // of those acknowledged
	moved     atomic.Uint64 // times that a sensor went to another broker
	acks      *distribution // from when a reading was due to its PUBACK
	delays    *distribution // from there to when it was told as final
}

// newLoad connects every sensor to one of the brokers.
func newLoad(ctx context.Context, o demoOptions, brokers []string) (*load, error) {
	l := &load{
		brokers:  brokers,
		byTopic:  make(map[string]*source, o.sensors),
		start:    time.Now(),
		interval: time.Duration(float64(time.Second) / o.rate),
		acks:     newDistribution(),
		delays:   newDistribution(),
	}
	for i, sensor := range newSensors(cityName, o.sensors, len(brokers)) {
		s := &source{id: fmt.Sprintf("sensor-%04d", i), sensor: sensor, broker: i % len(brokers)}
		var err error
		if s.client, err = connectSensor(ctx, brokers[s.broker], s.id); err != nil {
			l.close()
			return nil, err
		}
		l.sources = append(l.sources, s)
		l.byTopic[sensor.topic] = s
	}
	return l, nil
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
	s.record.sent(digest(content))
	l.published.Add(1)
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	if err := l.deliver(ctx, s, content); err != nil {
		l.acks.add(ackTimeout) // counted as published and not acknowledged
		return
	}
	l.acks.add(time.Since(due))
	l.acked.Add(1)
	l.settle(s.record.acknowledge(seq, time.Since(l.start)))
}

// deliver sends a reading until a broker acknowledges it. If the connection is
// lost before, the reading may have been taken or not: the sensor sends it again
// to the next broker, as QoS 1 wants.
func (l *load) deliver(ctx context.Context, s *source, content []byte) error {
	for attempt := 0; ; attempt++ {
		if attempt > 1 {
			pause(ctx, moveDelay) // brokers that take connections and break them
		}
		response, err := s.publish(ctx, content)
		switch {
		case response != nil && response.ReasonCode >= 0x80:
			return fmt.Errorf("PUBACK with reason %#02x", response.ReasonCode)
		case err == nil:
			return nil
		}
		select {
		case <-s.client.Done():
		case <-ctx.Done():
			return err
		}
		if err := l.move(ctx, s); err != nil {
			return err
		}
	}
}

// move connects a sensor that lost its broker to another one.
func (l *load) move(ctx context.Context, s *source) error {
	for {
		s.broker = (s.broker + 1) % len(l.brokers)
		client, err := connectSensor(ctx, l.brokers[s.broker], s.id)
		if err == nil {
			s.client = client
			l.moved.Add(1)
			return nil
		}
		if pause(ctx, moveDelay); ctx.Err() != nil {
			return err
		}
	}
}

// identify finds out whose reading a message carries, and which.
func (l *load) identify(m *tangledv1.Message) (s *source, seq, sum uint64, ok bool) {
	s, ok = l.byTopic[m.GetData().GetTopic()]
	if !ok {
		return nil, 0, 0, false
	}
	content := m.GetData().GetContent()
	var r sensorReading
	if json.Unmarshal(content, &r) != nil {
		return nil, 0, 0, false
	}
	return s, r.Seq, digest(content), true
}

// final notes that a message is told as final.
func (l *load) final(m *tangledv1.Message) {
	if s, seq, sum, ok := l.identify(m); ok {
		l.settle(s.record.finalise(seq, sum, time.Since(l.start)))
	}
}

func (l *load) settle(delay time.Duration, settled bool) {
	if settled {
		l.delays.add(delay)
		l.finals.Add(1)
	}
}

// allFinal tells whether everything acknowledged is final.
func (l *load) allFinal() bool { return l.finals.Load() == l.acked.Load() }

func (l *load) close() {
	for _, s := range l.sources {
		_ = s.client.Disconnect(&paho.Disconnect{}) // the broker may be gone first
	}
}
