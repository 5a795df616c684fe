package ingest

import (
	"errors"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"tangled/message"
)

const (
	willRetryFirst = time.Second
	willRetryMost  = time.Minute
)

// will is a Will whose right was checked at CONNECT. mochi never sees it: it
// would send it past every check and the ledger.
type will struct {
	id     string // of the client
	data   message.Data
	packet packets.Packet
	delay  time.Duration
}

// takeWill reads the Will of a CONNECT; nil where there is none.
func takeWill(pk packets.Packet, id string) *will {
	if !pk.Connect.WillFlag {
		return nil
	}
	props := pk.Connect.WillProperties
	delay := props.WillDelayInterval
	if expiry := pk.Properties.SessionExpiryInterval; delay > expiry {
		delay = expiry // MQTT 5.0, section 3.1.3.2.2: whichever happens first
	}
	w := &will{
		id:    id,
		data:  message.Data{Topic: pk.Connect.WillTopic, ContentType: props.ContentType, Content: pk.Connect.WillPayload},
		delay: time.Duration(delay) * time.Second,
	}
	w.packet = packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Publish, Qos: pk.Connect.WillQos, Retain: pk.Connect.WillRetain},
		ProtocolVersion: pk.ProtocolVersion,
		Payload:         pk.Connect.WillPayload,
		Properties:      props,
	}
	w.packet.Properties.WillDelayInterval = 0
	w.packet = *publication(w.packet, pk.Connect.WillTopic)
	return w
}

// wills holds the Wills that wait for their delay.
type wills struct {
	issue func(*will) // must not block
	max   int

	mu      sync.Mutex
	waiting map[string]*waitingWill // by client identifier
	closed  bool
}

type waitingWill struct {
	will  *will
	timer *time.Timer
}

// leave issues w after its delay. Beyond the limit, or once closed, it is
// issued at once: early is better than never.
func (ws *wills) leave(w *will) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if w.delay <= 0 || ws.closed || len(ws.waiting) >= ws.max {
		ws.issue(w)
		return
	}
	ws.waiting[w.id] = &waitingWill{w, time.AfterFunc(w.delay, func() { ws.fire(w) })}
}

// fire issues w unless it was taken away meanwhile.
func (ws *wills) fire(w *will) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if waiting := ws.waiting[w.id]; waiting != nil && waiting.will == w {
		delete(ws.waiting, w.id)
		ws.issue(w)
	}
}

// resume takes away the Will of a client that is back. A clean start ends the
// session it belonged to and so makes it due.
func (ws *wills) resume(id string, clean bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	waiting := ws.waiting[id]
	if waiting == nil {
		return
	}
	waiting.timer.Stop()
	delete(ws.waiting, id)
	if clean {
		ws.issue(waiting.will)
	}
}

// close issues what still waits: the broker has no place to keep it.
func (ws *wills) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, waiting := range ws.waiting {
		waiting.timer.Stop()
		ws.issue(waiting.will)
	}
	clear(ws.waiting)
	ws.closed = true
}

// issueWill issues w as a reading of its client, again and again while the
// error is temporary: there is no client that could deliver it again.
// Clients can come and go faster than an Issuer that is stuck, so there is a
// limit to that.
func (b *Broker) issueWill(w *will) {
	if b.willsUnderWay.Add(1) > int64(b.options.MaxInFlight) {
		b.willsUnderWay.Add(-1)
		b.loseWill(w, errTooManyWills)
		return
	}
	b.workers.Go(func() {
		defer b.willsUnderWay.Add(-1)
		for wait := willRetryFirst; ; wait = min(2*wait, willRetryMost) {
			select {
			case b.inFlight <- struct{}{}:
			case <-b.stopped:
				b.loseWill(w, errStopped)
				return
			}
			err := b.issueReserved(w.data)
			r, refused := refusalOf(err)
			switch {
			case err == nil:
				b.count.accepted.Add(1)
				b.metrics.accepted.Inc()
				b.distribute(w.id, w.packet)
				return
			case refused:
				b.refused(r)
				b.log.Warn("will refused", "client", w.id, "topic", w.data.Topic, "error", err)
				return
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-b.closing:
				timer.Stop()
				b.loseWill(w, err)
				return
			}
		}
	})
}

var errTooManyWills = errors.New("too many wills wait for the ledger")

func (b *Broker) loseWill(w *will, err error) {
	b.metrics.willsLost.Inc()
	b.log.Warn("will lost", "client", w.id, "topic", w.data.Topic, "error", err)
}
