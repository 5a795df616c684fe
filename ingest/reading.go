package ingest

import (
	"errors"
	"hash/maphash"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

// check tells why a reading can never be accepted; nil where it can.
func (b *Broker) check(a Access, d *message.Data) error {
	if reserved(d.Topic) {
		return refuse(reasonReserved, errors.New("topics beginning with '$' belong to the broker"))
	}
	if err := d.Validate(); err != nil {
		return err
	}
	if err := b.options.Authorize(a); err != nil {
		return refuse(reasonNotAuthorized, err)
	}
	return nil
}

// issueReserved issues a reading and gives the token back that the caller took
// from inFlight.
func (b *Broker) issueReserved(d message.Data) error {
	b.metrics.inFlight.Inc()
	err := b.issue(d)
	b.metrics.inFlight.Dec()
	<-b.inFlight
	return err
}

// refused counts a reading that can never be accepted.
func (b *Broker) refused(r refusal) {
	b.count.refused.Add(1)
	b.metrics.refused.WithLabelValues(string(r.reason)).Inc()
}

// hash tells readings apart, for as long as the process lives and whatever a
// client wishes: its seed is random.
func (b *Broker) hash(d *message.Data) uint64 {
	var h maphash.Hash
	h.SetSeed(b.seed)
	for _, s := range []string{d.Topic, d.ContentType} {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0) // in neither of them
	}
	_, _ = h.Write(d.Content)
	return h.Sum64()
}

// distribute gives a durable reading to the subscribers. It goes through a
// local client, because Publish loses the properties of MQTT 5; that client
// takes the publisher's identifier, for subscribers that want nothing of their
// own back. It never blocks on a subscriber.
func (b *Broker) distribute(origin string, pk packets.Packet) {
	defer func() {
		if p := recover(); p != nil {
			b.metrics.panics.Inc()
			b.log.Warn("panic while distributing a reading", "topic", pk.TopicName, "panic", p)
		}
	}()
	if pk.FixedHeader.Retain && len(pk.Payload) > 0 {
		if _, renewed := b.server.Topics.Retained.Get(pk.TopicName); !renewed && b.server.Topics.Retained.Len() >= b.options.MaxRetained {
			pk.FixedHeader.Retain = false
			b.metrics.notRetained.Inc()
		}
	}
	if pk.FixedHeader.Retain {
		b.retained.Lock()
		defer b.retained.Unlock()
	}
	p := b.publishers.Get().(*mqtt.Client)
	p.ID = origin
	if err := b.server.InjectPacket(p, pk); err != nil {
		b.log.Warn("distributing a reading", "topic", pk.TopicName, "error", err)
	}
	b.publishers.Put(p)
}
