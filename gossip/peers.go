package gossip

import (
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// maxStrangers is how many peers that are not neighbours are remembered while
// they are not connected, for their points and bans.
const maxStrangers = 1024

// peerTable holds all that is known of peers. The gater, the tracer and the
// loops ask it from their own goroutines; it never calls out under its lock.
type peerTable struct {
	open       bool
	maxInvalid float64
	ban        time.Duration
	metrics    *metrics
	log        *slog.Logger

	mu         sync.Mutex
	neighbours *neighbours
	records    map[peer.ID]*record
}

// record is one peer's. Sessions count from 1; a session lasts from a peer's
// first connection to the loss of its last.
type record struct {
	conns   int
	session uint64
	told    uint64 // the session Options.Connected was told of, zero after Disconnected
	since   time.Time
	inbound bool
	addr    multiaddr.Multiaddr

	points      float64
	pointsAt    time.Time
	bannedUntil time.Time

	framesIn, framesOut uint64
	lastErr             string

	// mute is since when a connected peer has no GossipSub stream from us; zero
	// while it has one.
	mute time.Time
}

func newPeerTable(o *Options, n *neighbours, m *metrics) *peerTable {
	return &peerTable{
		open: o.Open, maxInvalid: float64(o.MaxInvalid), ban: o.Ban, metrics: m, log: o.Logger,
		neighbours: n, records: make(map[peer.ID]*record),
	}
}

// recordLocked returns a peer's record, making room for a new one.
func (t *peerTable) recordLocked(id peer.ID) *record {
	if r := t.records[id]; r != nil {
		return r
	}
	r := &record{}
	t.records[id] = r
	return r
}

// forgetLocked drops a stranger's record once nothing hangs on it, and when there are
// too many, the record of the stranger whose ban ends first.
func (t *peerTable) forgetLocked(now time.Time) {
	var victim peer.ID
	strangers := 0
	for id, r := range t.records {
		if r.conns > 0 || r.told != 0 || t.neighbours.has(id) {
			continue
		}
		if !r.bannedUntil.After(now) && t.pointsLocked(r, now) == 0 {
			delete(t.records, id)
			continue
		}
		if strangers++; victim == "" || r.bannedUntil.Before(t.records[victim].bannedUntil) {
			victim = id
		}
	}
	if strangers > maxStrangers {
		delete(t.records, victim)
	}
}

// allowed tells whether a peer may be connected to now.
func (t *peerTable) allowed(id peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.records[id]; r != nil && r.bannedUntil.After(time.Now()) {
		return false
	}
	return t.neighbours.has(id) || t.open && !t.neighbours.isRemoved(id)
}

// bannedFor is how long a peer's ban lasts yet.
func (t *peerTable) bannedFor(id peer.ID) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.records[id]; r != nil {
		return max(0, time.Until(r.bannedUntil))
	}
	return 0
}

// pointsLocked forgives a point per tenth of the ban: what a peer got wrong once
// in a while never adds up, and a burst does.
func (t *peerTable) pointsLocked(r *record, now time.Time) float64 {
	if r.points == 0 {
		return 0
	}
	forgiven := float64(now.Sub(r.pointsAt)) * 10 / float64(t.ban)
	return max(0, r.points-forgiven)
}

// charge costs a peer a point and tells whether that bans it.
func (t *peerTable) charge(id peer.ID, kind, reason string) (banned bool) {
	t.metrics.invalid.WithLabelValues(kind).Inc()
	now := time.Now()
	t.mu.Lock()
	r := t.recordLocked(id)
	if r.bannedUntil.After(now) {
		t.mu.Unlock()
		return false // what was under way when it was banned
	}
	r.points, r.pointsAt = t.pointsLocked(r, now)+1, now
	// Not >=: a little was forgiven between the first and the last of a burst.
	if banned = r.points > t.maxInvalid-1; banned {
		r.points, r.bannedUntil = 0, now.Add(t.ban)
	}
	t.forgetLocked(now)
	t.mu.Unlock()
	t.log.Info("peer sent something invalid", "peer", id, "kind", kind, "reason", reason)
	if banned {
		t.metrics.bans.Inc()
		t.log.Warn("peer banned", "peer", id, "for", t.ban)
	}
	return banned
}

// connected notes a connection and tells whether a session began.
func (t *peerTable) connected(id peer.ID, c network.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.recordLocked(id)
	if r.conns++; r.conns > 1 {
		return false
	}
	r.session++
	r.since, r.mute = time.Now(), time.Now()
	r.inbound = c.Stat().Direction == network.DirInbound
	r.addr = c.RemoteMultiaddr()
	r.lastErr = ""
	t.metrics.connected.Inc()
	return true
}

// disconnected notes the loss of a connection and tells whether a session ended.
func (t *peerTable) disconnected(id peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	if r == nil || r.conns == 0 {
		return false
	}
	if r.conns--; r.conns > 0 {
		return false
	}
	r.since = time.Now()
	t.metrics.connected.Dec()
	t.forgetLocked(r.since)
	return true
}

func (t *peerTable) isConnected(id peer.ID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	return r != nil && r.conns > 0
}

// news is what the callbacks have yet to be told of a peer.
func (t *peerTable) news(id peer.ID) (down, up bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	if r == nil {
		return false, false
	}
	session := r.session
	if r.conns == 0 {
		session = 0
	}
	down = r.told != 0 && r.told != session
	up = session != 0 && r.told != session
	r.told = session
	t.forgetLocked(time.Now())
	return down, up
}

func (t *peerTable) countFrames(id peer.ID, in, out int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	if r == nil {
		return
	}
	r.framesIn += uint64(in)
	r.framesOut += uint64(out)
}

// speaking notes whether GossipSub has a stream to the peer.
func (t *peerTable) speaking(id peer.ID, yes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	switch {
	case r == nil:
	case yes:
		r.mute = time.Time{}
	case r.mute.IsZero():
		r.mute = time.Now()
	}
}

// mutes are connected peers without a GossipSub stream for longer than d.
func (t *peerTable) mutes(d time.Duration) []peer.ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	var ids []peer.ID
	for id, r := range t.records {
		if r.conns > 0 && !r.mute.IsZero() && time.Since(r.mute) > d {
			ids = append(ids, id)
		}
	}
	return ids
}

func (t *peerTable) dialFailed(id peer.ID, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recordLocked(id).lastErr = err.Error()
}

// edit changes the list on disk and then here; an error leaves both as they were.
// The disk is written outside the lock, which GossipSub's loop takes: the caller
// sees to it that one edit runs at a time.
func (t *peerTable) edit(change func(*neighbours) error) error {
	t.mu.Lock()
	next := t.neighbours.fork()
	t.mu.Unlock()
	if err := change(next); err != nil {
		return err
	}
	if err := next.store(); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.neighbours = next
	return nil
}

func (t *peerTable) neighbour(id peer.ID) (peer.AddrInfo, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.neighbours.get(id)
}

func (t *peerTable) neighbourList() []peer.AddrInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.neighbours.all()
}
