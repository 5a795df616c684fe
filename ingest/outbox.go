package ingest

import "sync"

// outbox keeps a client's Receive Maximum (MQTT 5.0, section 4.9): how many
// messages of QoS 1 and 2 it was sent and has not acknowledged.
//
// mochi's own quota is switched off (see hook.go, OnConnect): it loses a unit
// with each message that had to wait, until nothing is delivered any more.
type outbox struct {
	max   int // 0: no limit
	ended <-chan struct{}
	freed chan struct{} // a token: unacked may have shrunk

	mu      sync.Mutex
	unacked map[uint16]struct{}
}

func newOutbox(limit int, ended <-chan struct{}) *outbox {
	return &outbox{max: limit, ended: ended, freed: make(chan struct{}, 1), unacked: make(map[uint16]struct{})}
}

// sending notes the message id as sent, when there is room for it or, at the
// latest, when the connection has ended. A message that is sent again after a
// reconnect does not wait: nobody reads the acknowledgements yet then.
func (o *outbox) sending(id uint16, again bool) {
	if o.max == 0 {
		return
	}
	for {
		o.mu.Lock()
		if len(o.unacked) < o.max || again {
			o.unacked[id] = struct{}{}
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		select {
		case <-o.freed:
		case <-o.ended:
			return
		}
	}
}

// settled notes that the client has finished with the message id.
func (o *outbox) settled(id uint16) {
	o.mu.Lock()
	delete(o.unacked, id)
	o.mu.Unlock()
	select {
	case o.freed <- struct{}{}:
	default:
	}
}
