package gossip

import (
	"cmp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// PeerInfo is what this node knows of a peer: of every neighbour, and of every
// other one that is connected, charged or banned.
type PeerInfo struct {
	ID peer.ID
	// Addrs are the neighbour's addresses as configured or added, and that of the
	// connection.
	Addrs []multiaddr.Multiaddr
	// Neighbour is true for a configured or added peer.
	Neighbour bool
	// Connected is true while there is a connection. Since and Inbound are of the
	// oldest of the session; Since is otherwise when the last session ended, zero
	// if there was none.
	Connected bool
	Since     time.Time
	Inbound   bool
	// Penalty is the peer's points now; above Options.MaxInvalid - 1 it is banned.
	Penalty float64
	// BannedUntil is when the peer is let in again; zero when it is not banned.
	BannedUntil time.Time
	// FramesIn and FramesOut count frames from and to the peer, copies included,
	// since this node knows of it.
	FramesIn, FramesOut uint64
	// LastError is why the last dial of a neighbour did not succeed; empty after
	// one that did.
	LastError string
}

// list returns what PeerInfo says, sorted by ID.
func (t *peerTable) list() []PeerInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.forgetLocked(now)
	infos := make(map[peer.ID]PeerInfo)
	for _, n := range t.neighbours.all() {
		infos[n.ID] = PeerInfo{ID: n.ID, Addrs: n.Addrs, Neighbour: true}
	}
	for id, r := range t.records {
		if _, known := infos[id]; known || r.conns > 0 || r.points > 0 || r.bannedUntil.After(now) {
			infos[id] = t.infoLocked(infos[id], id, r, now)
		}
	}
	list := make([]PeerInfo, 0, len(infos))
	for _, info := range infos {
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b PeerInfo) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (t *peerTable) infoLocked(info PeerInfo, id peer.ID, r *record, now time.Time) PeerInfo {
	info.ID, info.Connected, info.Since, info.Inbound = id, r.conns > 0, r.since, r.inbound
	info.Penalty = t.pointsLocked(r, now)
	info.FramesIn, info.FramesOut, info.LastError = r.framesIn, r.framesOut, r.lastErr
	if r.bannedUntil.After(now) {
		info.BannedUntil = r.bannedUntil
	}
	known := slices.ContainsFunc(info.Addrs, func(a multiaddr.Multiaddr) bool { return r.addr != nil && a.Equal(r.addr) })
	if r.addr != nil && !known {
		info.Addrs = append(slices.Clip(info.Addrs), r.addr)
	}
	return info
}
