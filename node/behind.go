package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/catchup"
	"tangled/gossip"
	"tangled/message"
	"tangled/snapshot"
)

const (
	// syncTimeout bounds one request of the catch-up; a page is up to 4 MiB.
	syncTimeout = 30 * time.Second
	// adoptMessages and adoptAnchors are about how much is made durable in one turn of
	// the loop, which answers nobody meanwhile.
	adoptMessages = 4096
	adoptAnchors  = 256
	// syncHelpers is how many peers are asked beside the one that is ahead. With more,
	// their pages would not fit what a catch-up holds.
	syncHelpers = 3
)

// syncClient asks one peer.
func (n *Node) syncClient(of peer.ID) *catchup.Client {
	return catchup.NewClient(n.opts.Genesis, n.syncPeer(of))
}

func (n *Node) syncPeer(of peer.ID) catchup.Peer {
	return catchup.Peer{Ask: func(ctx context.Context, request []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, syncTimeout)
		defer cancel()
		return n.askSync(ctx, of, request)
	}}
}

// syncFrom asks peers: the first, and the others for what any may have. Each is
// charged for what it gets wrong itself.
func (n *Node) syncFrom(of ...peer.ID) *catchup.Client {
	peers := make([]catchup.Peer, len(of))
	for i, id := range of {
		peers[i] = n.syncPeer(id)
		peers[i].Charge = func(err *catchup.InvalidError) { n.gossip.Penalise(id, err.Error()) }
	}
	return catchup.NewClient(n.opts.Genesis, peers...)
}

// connectedPeers are those that can be asked now.
func (n *Node) connectedPeers() (ids []peer.ID) {
	for _, p := range n.gossip.Peers() {
		if p.Connected {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// withHelpers are a peer and others that may be asked beside it.
func (n *Node) withHelpers(of peer.ID) []peer.ID {
	others := slices.DeleteFunc(n.connectedPeers(), func(id peer.ID) bool { return id == of })
	return append([]peer.ID{of}, others[:min(len(others), syncHelpers)]...)
}

// lookAhead compares anchors with a peer and takes over what is final there, if
// this node is far behind, or fills its gaps from it; other peers help.
func (n *Node) lookAhead(ctx context.Context, of peer.ID) {
	if len(n.opts.Genesis.Committee) == 0 || n.alarm.Load() != nil || n.diskLow.Load() || !n.syncing.TryLock() {
		return
	}
	defer n.syncing.Unlock()
	if err := n.syncWith(ctx, of); err != nil && ctx.Err() == nil {
		level := slog.LevelInfo // another peer is asked, or this one again
		if errors.Is(err, ErrUntrusted) {
			level = slog.LevelError
		}
		n.opts.Logger.Log(ctx, level, "catch-up from this peer stopped", "peer", of, "error", err)
	}
}

func (n *Node) syncWith(ctx context.Context, of peer.ID) error {
	client := n.syncFrom(n.withHelpers(of)...)
	status, err := client.Status(ctx)
	if errors.Is(err, catchup.ErrNotHere) {
		return nil // nothing is final there
	}
	if err != nil {
		return err
	}
	if n.isBehind(status) {
		if err := n.catchUp(ctx, of, client, status); err != nil {
			return err
		}
	}
	return n.fillGaps(ctx, client, status)
}

// isBehind tells whether a peer's newest signed anchor is so far ahead that taking
// it over is better than judging what lies between message by message.
func (n *Node) isBehind(s catchup.Status) bool {
	return s.Commitment.Index > n.store.LastAnchor() && s.Commitment.Time > n.ledgerTime.Load()+uint64(n.opts.CatchUpFrom)
}

// catchUp takes over from a peer what is final there, until this node is no longer
// behind: anchor after anchor, from a snapshot on where the peer has them no more.
// What was taken over stays, whatever ends it; the live part goes on from there.
func (n *Node) catchUp(ctx context.Context, of peer.ID, client *catchup.Client, status catchup.Status) (err error) {
	n.opts.Logger.Info("catching up", "peer", of, "anchor", n.store.LastAnchor(), "of", status.Commitment.Index)
	var snapshotPath string
	if n.wantsSnapshot(status) {
		if snapshotPath, err = n.fetchSnapshot(ctx, of, client, status.Snapshot, nil); err != nil {
			return err
		}
	}
	if err := n.ask(ctx, (*loop).beginCatchUp); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.inLoop(ctx, func(l *loop) error { return l.endCatchUp(ctx) })) }()
	if snapshotPath != "" {
		if err := n.beginAt(ctx, client, snapshotPath); err != nil {
			return fmt.Errorf("begin at a snapshot: %w", err)
		}
	}
	for n.isBehind(status) {
		if err := n.takeOver(ctx, of, client); err != nil {
			return err
		}
		if status, err = client.Status(ctx); err != nil {
			return err
		}
	}
	n.opts.Logger.Info("caught up", "peer", of, "anchor", n.store.LastAnchor())
	return nil
}

// inLoop runs f in the loop and waits for it. An error of the store ends the loop
// as one of its own steps would.
func (n *Node) inLoop(ctx context.Context, f func(*loop) error) error {
	var failed error
	err := n.ask(context.WithoutCancel(ctx), func(l *loop) { failed = f(l) })
	return errors.Join(err, failed)
}

// takeOver takes the anchors after our last from a peer, as far as it has them
// signed.
func (n *Node) takeOver(ctx context.Context, of peer.ID, client *catchup.Client) error {
	after, previous, err := n.lastCommitment()
	if err != nil {
		return err
	}
	var page []adoption
	messages := 0
	for v, err := range client.Anchors(ctx, after, previous) {
		if err != nil {
			return errors.Join(n.adoptPage(ctx, page), err)
		}
		a := adoption{Verified: v}
		if a.wave, err = n.waveOf(ctx, of, v); err != nil {
			return errors.Join(n.adoptPage(ctx, page), err)
		}
		page, messages = append(page, a), messages+len(v.Messages)
		if len(page) >= adoptAnchors || messages >= adoptMessages {
			if err := n.adoptPage(ctx, page); err != nil {
				return err
			}
			page, messages = page[:0], 0
		}
	}
	return n.adoptPage(ctx, page)
}

func (n *Node) adoptPage(ctx context.Context, page []adoption) error {
	if len(page) == 0 {
		return nil
	}
	return n.inLoop(ctx, func(l *loop) error { return l.adopt(page) })
}

// lastCommitment is the last anchor and its commitment's hash.
func (n *Node) lastCommitment() (index uint64, hash [32]byte, err error) {
	index = n.store.LastAnchor()
	if index == 0 {
		return 0, n.opts.Genesis.Hash(), nil
	}
	c, err := n.commitment(index)
	return index, c.Hash(), err
}

// waveOf is the wave of an anchor, by its witness: among what it includes, stored,
// or, where the anchor's limit left it out, asked for.
func (n *Node) waveOf(ctx context.Context, of peer.ID, v catchup.Verified) (uint64, error) {
	id := v.Commitment.Anchor
	for i := len(v.Messages) - 1; i >= 0; i-- {
		if v.Messages[i].ID() == id {
			return waveOfWitness(v.Messages[i])
		}
	}
	if r, err := n.store.Get(id); err == nil {
		return waveOfWitness(r.Message)
	}
	reply, err := n.askFetch(ctx, of, gossip.FetchRequest{Want: []message.ID{id}, After: before(id)})
	if err != nil {
		return 0, fmt.Errorf("witness %v of anchor %d: %w", id, v.Commitment.Index, err)
	}
	for _, raw := range reply.Messages {
		if m, err := message.Decode(raw); err == nil && m.ID() == id {
			return waveOfWitness(m)
		}
	}
	return 0, fmt.Errorf("witness %v of anchor %d: %w", id, v.Commitment.Index, catchup.ErrNotHere)
}

// before is an ID less than id of the same time, for a page that begins at id.
func before(id message.ID) message.ID { return message.NewID(id.Timestamp()-1, [32]byte{}) }

func waveOfWitness(m *message.Message) (uint64, error) {
	w, err := m.Witness()
	if err != nil {
		return 0, err
	}
	if w.Round%waveRounds != 1 {
		return 0, fmt.Errorf("node: a witness of round %d leads no wave", w.Round)
	}
	return w.Round / waveRounds, nil
}

// wantsSnapshot tells whether to begin at a peer's snapshot: because the peer has
// the anchors after ours no more, or because this node has nothing and would not
// keep what lies before.
func (n *Node) wantsSnapshot(s catchup.Status) bool {
	last := n.store.LastAnchor()
	if s.Snapshot.Index <= last {
		return false
	}
	return s.CompleteFrom > last+1 || last == 0 && n.opts.Retention > 0
}

// beginAt lets this node begin at a snapshot and fetches the window before it.
func (n *Node) beginAt(ctx context.Context, client *catchup.Client, path string) error {
	var info snapshot.Info
	err := n.inLoop(ctx, func(l *loop) (err error) {
		if info, err = l.seed(ctx, path); err != nil {
			return err
		}
		f, err := newFinality(n.opts.Genesis, n.store)
		if err != nil {
			return err
		}
		l.finality = f // what is adopted next goes on from here
		return nil
	})
	if err != nil {
		return err
	}
	return n.fill(ctx, client, info.First, info.Index)
}
