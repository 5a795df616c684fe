package node

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"tangled/consensus"
	"tangled/gossip"
	"tangled/message"
	"tangled/storage"
)

// Info describes a node and what it holds.
type Info struct {
	Network   string // name
	NetworkID message.NetworkID
	Genesis   message.ID
	PeerID    peer.ID
	Addrs     []multiaddr.Multiaddr
	Issuer    message.Issuer
	Role      Role
	Started   time.Time
	Window    time.Duration
	// Least work of each kind, in leading zero bits.
	DataBits, TransferBits, WitnessBits int

	Messages   uint64 // stored
	Vertices   int    // in the live DAG
	Tips       int    // in the DAG: solid and without a child
	Orphans    int
	Held       int
	LedgerTime uint64 // ns since the Unix epoch
	Newest     message.ID
	Peers      int   // connected
	Unhealthy  error // nil, or why the node takes no data

	Anchor     uint64   // index of the last anchor applied
	Commitment [32]byte // C_j of that
	Waiting    int      // messages that are not final and no witnesses
	Round      uint64   // highest round with witnesses of a quorum
	Seats      []SeatInfo
	Seat       int  // that this node holds; -1 for none
	Silent     bool // the seat does not write: see the log
	Alarm      *Alarm
}

// SeatInfo is a seat of the committee as this node sees it.
type SeatInfo struct {
	Key    message.Issuer
	Weight uint64
	Round  uint64 // of its newest witness among the undecided rounds
	Seen   bool   // it wrote a witness for one of the newest rounds
}

// Info describes the node now. The error is ErrClosed or ctx's.
func (n *Node) Info(ctx context.Context) (Info, error) {
	info := Info{
		Network:   n.opts.Genesis.Name,
		NetworkID: n.rules.Network,
		Genesis:   n.rules.Genesis,
		PeerID:    n.gossip.ID(),
		Addrs:     n.gossip.Addrs(),
		Issuer:    n.issuer,
		Role:      n.opts.Role,
		Started:   n.started,
		Window:    n.opts.Genesis.Window,
		DataBits:  n.rules.DataBits,

		TransferBits: n.rules.TransferBits,
		WitnessBits:  n.rules.WitnessBits,
		Messages:     n.store.Count(),
		Unhealthy:    n.Health(),
		Peers:        len(n.connectedPeers()),
		Seat:         -1,
		Alarm:        n.alarm.Load(),
	}
	err := n.ask(ctx, func(l *loop) {
		s := l.tangle.Stats()
		info.Vertices, info.Tips, info.Orphans = s.Vertices, s.Tips, s.Orphans
		info.Held = len(l.hold.held)
		info.LedgerTime, info.Newest = l.tangle.LedgerTime(), l.tangle.Newest()
		l.describeFinality(&info)
	})
	return info, err
}

// seatRounds is how many rounds a seat may be behind and still be seen.
const seatRounds = 3

func (l *loop) describeFinality(info *Info) {
	f := l.finality
	info.Anchor, info.Commitment, info.Waiting = f.index, f.last, len(l.open)
	if f.graph == nil {
		return
	}
	info.Round = f.graph.QuorumRound()
	for i := range f.committee.Size() {
		s := SeatInfo{Key: f.committee.Seat(i).Key, Weight: f.committee.Seat(i).Weight, Round: f.graph.Highest(i)}
		s.Seen = s.Round > 0 && s.Round+seatRounds > info.Round
		info.Seats = append(info.Seats, s)
	}
	if w := l.writer; w != nil {
		info.Seat, info.Silent = w.number, w.pace == nil || w.alarmed || w.twin || info.Alarm != nil
	}
}

// Metadata is what the node knows about a message beside its content.
type Metadata struct {
	ID    message.ID
	Solid bool // and durable
	// Seen is when this node took the message in, in nanoseconds since the Unix
	// epoch; zero for an orphan.
	Seen uint64
	// Measured is false for a message too old for the live DAG, and for an
	// orphan: then the next three are zero.
	Measured bool
	// Tips is how many eligible tips were looked at, Reached how many of them
	// have the message in their past cone. Exact is false when there were more
	// eligible tips than were looked at.
	Tips, Reached int
	Exact         bool
	// Weight is that of the seats with a witness in memory that stands on the
	// message, of Total; zero for what is not Measured.
	Weight, Total uint64
	// Final is where the message became final; nil while it is not, and when
	// an alarm puts that in doubt.
	Final *storage.Final
	// Stale is true for a message that no anchor includes any more.
	Stale bool
	// ReplacedBy is the message that carries the same reading since this one went
	// stale; zero for none.
	ReplacedBy message.ID
}

// Confidence is Reached/Tips: the share of eligible tips that stand on the
// message, 0 to 1. It is local and can fall again.
func (m Metadata) Confidence() float64 {
	if m.Tips == 0 {
		return 0
	}
	return float64(m.Reached) / float64(m.Tips)
}

// Metadata tells how a message stands. The error is ErrNotFound, ErrClosed or
// ctx's.
func (n *Node) Metadata(ctx context.Context, id message.ID) (Metadata, error) {
	md := Metadata{ID: id}
	r, err := n.store.Get(id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return Metadata{}, err
	}
	if err == nil {
		md.Solid, md.Seen = true, r.Seen
		if err := n.settled(&md); err != nil {
			return Metadata{}, err
		}
	}
	known := md.Solid
	err = n.ask(ctx, func(l *loop) {
		known = known || l.tangle.Has(id) || l.hold.has(id)
		if !md.Solid {
			return
		}
		md.Stale = md.Final == nil && id.Timestamp() < l.tangle.Horizon()
		l.weigh(&md)
		c, exact := l.measure(n.opts.Now())
		if reached, ok := c.Reached(id); ok {
			md.Measured, md.Reached, md.Tips, md.Exact = true, reached, c.Tips(), exact
		}
	})
	if err == nil && !known {
		err = ErrNotFound
	}
	return md, err
}

// settled adds what the store knows of a message's finality.
func (n *Node) settled(md *Metadata) error {
	final, ok, err := n.store.Final(md.ID)
	if err != nil {
		return err
	}
	if ok && n.isFinal(final) {
		md.Final = &final
	}
	md.ReplacedBy, _, err = n.store.Replaced(md.ID)
	return err
}

// weigh adds the weight of the seats that stand on a message.
func (l *loop) weigh(md *Metadata) {
	f := l.finality
	if f.graph == nil {
		return
	}
	md.Total = f.committee.Total()
	if md.Final != nil {
		return
	}
	now := l.n.opts.Now()
	if l.approval == nil || now.Sub(l.approvalAt) >= confidenceAge {
		l.approval, l.approvalAt = l.tangle.Approval(f.newest()), now
	}
	if seats, ok := l.approval.Of(md.ID); ok {
		md.Weight = f.committee.Weight(consensus.Seats(seats))
	}
}

// Get reads a stored message. The error is ErrNotFound or the store's.
func (n *Node) Get(id message.ID) (storage.Record, error) {
	r, err := n.get(id)
	if errors.Is(err, storage.ErrNotFound) {
		err = ErrNotFound
	}
	return r, err
}

// Query reads stored messages in the order of their IDs; see storage.Query.
func (n *Node) Query(ctx context.Context, q storage.Query) iter.Seq2[storage.Record, error] {
	return noticing(n, n.store.Select(ctx, q))
}

// Peers lists the neighbours and whoever else is connected.
func (n *Node) Peers() []gossip.PeerInfo { return n.gossip.Peers() }

// AddPeer makes a peer a neighbour, now and after a restart.
func (n *Node) AddPeer(addr peer.AddrInfo) error { return n.gossip.AddPeer(addr) }

// RemovePeer drops a neighbour, now and after a restart.
func (n *Node) RemovePeer(id peer.ID) error { return n.gossip.RemovePeer(id) }
