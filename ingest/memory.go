package ingest

import (
	"sync"
	"time"
)

const (
	// maxRemembered is how many packet identifiers of a client are remembered.
	// A client with more readings unacknowledged on its side may see the
	// oldest of them issued twice after a reconnect.
	maxRemembered = 1024
	// maxUnreleased is how many QoS 2 identifiers a client may leave without
	// PUBREL: sixteen default windows, for clients of MQTT 3.1.1 that know no
	// Receive Maximum.
	maxUnreleased = 4096
	// arrivalGrace is how long before the last sign of life an acknowledgement
	// must have been sent to be taken for received.
	arrivalGrace = 10 * time.Second
)

// memory is what the broker knows of one client identifier's packet
// identifiers, across its connections.
type memory struct {
	mu      sync.Mutex
	flights map[uint16]*flight // the newest reading under each identifier
	order   []remembered       // of insertion; entries that are no longer in flights are stale
	open    map[uint16]*flight // QoS 2: PUBLISH came, PUBREL did not
}

type remembered struct {
	id     uint16
	flight *flight
}

func newMemory() *memory {
	return &memory{flights: make(map[uint16]*flight), open: make(map[uint16]*flight)}
}

// admit finds the flight of a PUBLISH of QoS 1 or 2. fresh tells that it is a
// new one, to be finished by the caller. ok is false where a client has too
// many identifiers without PUBREL.
func (m *memory) admit(id uint16, qos byte, dup bool, hash uint64) (f *flight, fresh, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if qos == 2 {
		// Other bytes under an identifier that was not released are another
		// reading: a client that lost its state in a reboot starts counting again.
		f := m.open[id]
		if f != nil && !f.failed() && f.hash == hash {
			return f, false, true
		}
		if f == nil && len(m.open) >= maxUnreleased {
			return nil, false, false
		}
	}
	f = m.flights[id]
	if fresh = !dup || f == nil || f.hash != hash || f.failed(); fresh {
		f = newFlight(hash)
		m.rememberLocked(id, f)
	}
	if qos == 2 {
		m.open[id] = f
	}
	return f, fresh, true
}

func (m *memory) rememberLocked(id uint16, f *flight) {
	m.flights[id] = f
	m.order = append(m.order, remembered{id, f})
	if len(m.order) > 2*len(m.flights)+16 {
		m.compactLocked(func(*flight) bool { return true })
	}
	for len(m.flights) > maxRemembered {
		oldest := m.order[0]
		m.order = m.order[1:]
		if m.flights[oldest.id] == oldest.flight {
			delete(m.flights, oldest.id)
		}
	}
}

// compactLocked drops stale entries and those keep refuses.
func (m *memory) compactLocked(keep func(*flight) bool) {
	order := make([]remembered, 0, len(m.flights))
	for _, r := range m.order {
		switch {
		case m.flights[r.id] != r.flight:
		case keep(r.flight):
			order = append(order, r)
		default:
			delete(m.flights, r.id)
		}
	}
	m.order = order
}

// release ends the QoS 2 flow of id at PUBREL. known tells whether there was
// one; ok is false where PUBREC cannot have been sent yet.
func (m *memory) release(id uint16) (known, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.open[id]
	if f == nil {
		return false, true
	}
	if !f.finished() {
		return true, false
	}
	delete(m.open, id)
	return true, true
}

// abandon ends the QoS 2 flow of f after a PUBREC that refused it (MQTT 5.0,
// section 4.3.3) or where none will be sent.
func (m *memory) abandon(id uint16, f *flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open[id] == f {
		delete(m.open, id)
	}
}

// endSession forgets the QoS 2 flows, because the client is told that it has
// no session and may use their identifiers for something else. What DUP can
// match stays: a client that redelivers in spite of its new session means the
// same reading.
func (m *memory) endSession() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.open)
}

// endConnection forgets what was acknowledged before arrived, in ns of the
// broker's clock: the client has it, so a DUP that matches is another reading
// of equal value. Without this a device that reports an unchanged value under
// the same identifier could lose a report.
func (m *memory) endConnection(arrived int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.compactLocked(func(f *flight) bool {
		acked := f.acked.Load()
		return acked == 0 || acked >= arrived
	})
}
