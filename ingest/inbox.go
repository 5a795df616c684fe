package ingest

import (
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// inbox holds the unacknowledged readings of one connection, in the order of
// their receipt. The goroutine that reads the socket puts them in; a worker
// takes them out, distributes and acknowledges them. It outlives the
// connection until the last of them is settled.
type inbox struct {
	client *client
	slots  chan struct{} // one token for each unacknowledged reading: the window
	queue  chan delivery // never full: whoever sends holds a slot
}

// delivery is one PUBLISH as it arrived.
type delivery struct {
	flight   *flight
	packet   *packets.Packet // what to distribute; nil where another delivery of the flight does
	received time.Time
	id       uint16
	qos      byte
}

func newInbox(cl *client, window int) *inbox {
	return &inbox{client: cl, slots: make(chan struct{}, window), queue: make(chan delivery, window)}
}

// reserve waits for room in the window. It reports false when the connection
// or the broker ends first.
func (in *inbox) reserve() bool {
	select {
	case <-in.client.broker.closing: // first: a free slot must not win over it
		return false
	default:
	}
	select {
	case in.slots <- struct{}{}:
		return true
	case <-in.client.conn.closed:
		return false
	case <-in.client.broker.closing:
		return false
	}
}

// settleAll is the worker. It ends when the queue is closed.
func (in *inbox) settleAll() {
	for d := range in.queue {
		<-d.flight.done
		in.settle(d)
		<-in.slots
	}
}

// settle counts, distributes and acknowledges one finished delivery.
func (in *inbox) settle(d delivery) {
	b, cl := in.client.broker, in.client
	err := d.flight.err
	r, refused := refusalOf(err)
	switch {
	case err == nil:
		if d.packet != nil {
			b.count.accepted.Add(1)
			b.metrics.accepted.Inc()
			b.distribute(cl.id, *d.packet)
		}
	case refused:
		cl.logRefusal(d, r, err)
	default:
		b.metrics.postponed.Inc()
		cl.memory.abandon(d.id, d.flight)
		select {
		case <-cl.conn.closed:
		default:
			b.log.Warn("reading not acknowledged, client is disconnected to deliver it again", "client", cl.id, "error", err)
		}
		cl.disconnect(packets.ErrServerBusy) // nothing after this one can be acknowledged
		return
	}
	if d.qos > 0 {
		in.acknowledge(d, r)
	}
}

// acknowledge queues the PUBACK or PUBREC. An MQTT 3.1.1 client is told that a
// refused reading is done with, see the package comment.
func (in *inbox) acknowledge(d delivery, r refusal) {
	cl := in.client
	if cl.version < 5 {
		r.code = packets.CodeSuccess.Code
	}
	kind := packets.Puback
	if d.qos == 2 {
		kind = packets.Pubrec
		if r.code != packets.CodeSuccess.Code {
			cl.memory.abandon(d.id, d.flight)
		}
	}
	// Before the write: whoever sees the acknowledgement sees it counted.
	cl.broker.count.acked.Add(1)
	if !cl.reply(kind, d.id, r.code) {
		cl.broker.count.acked.Add(-1)
		return
	}
	d.flight.acked.Store(cl.broker.now())
	cl.broker.metrics.acked.Inc()
	cl.broker.metrics.ackLatency.Observe(time.Since(d.received).Seconds())
}
