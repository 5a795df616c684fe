package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
)

const (
	// exchangeEvery is how often a link compares tips: the longest that a
	// childless message which gossip lost stays unknown to a neighbour.
	exchangeEvery = 5 * time.Second
	// missingEvery is how often a link looks for ancestors to ask for.
	missingEvery = 250 * time.Millisecond
	// leastPatience is how long an orphan's parent is waited for at least before
	// anybody is asked, mostPatience how long at most: messages that come late
	// make the network look slow, and would make what is missing come later still.
	leastPatience = 200 * time.Millisecond
	mostPatience  = time.Second
	// fetchTimeout bounds one request; exchangeTips is how many IDs go each way.
	fetchTimeout = 10 * time.Second
	exchangeTips = gossip.MaxTips
	// tellableTips is how many tips are told in turn at most.
	tellableTips = 64 << 10
	// haveIDs is how many IDs tell a peer where to stop.
	haveIDs = 64
	// repairFor is how long orphans' parents are asked for without a look at anything
	// else.
	repairFor = time.Second
	// historyRetries is how often in a row a peer may say that it was asked too much
	// while it is read the history, historyPause how long it is left alone then.
	historyRetries = 10
	historyPause   = time.Second
)

// links runs a goroutine a connected peer.
type links struct {
	mu     sync.Mutex
	ready  chan struct{} // closed once the node can speak to peers
	cancel map[peer.ID]context.CancelFunc
	wg     sync.WaitGroup
}

// connected starts the link to a peer. Gossip may tell of one before Open has
// returned; the link waits for that.
func (n *Node) connected(id peer.ID) {
	n.links.mu.Lock()
	defer n.links.mu.Unlock()
	if n.ctx.Err() != nil || n.links.cancel[id] != nil {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	n.links.cancel[id] = cancel
	n.links.wg.Add(1)
	go func() {
		defer n.links.wg.Done()
		select {
		case <-n.links.ready:
			n.runLink(ctx, id)
		case <-ctx.Done():
		}
	}()
}

func (n *Node) disconnected(id peer.ID) {
	n.links.mu.Lock()
	defer n.links.mu.Unlock()
	if cancel := n.links.cancel[id]; cancel != nil {
		cancel()
		delete(n.links.cancel, id)
	}
}

// wait lets the links end; none starts once the node's context has ended.
func (l *links) wait() {
	l.mu.Lock()
	for _, cancel := range l.cancel {
		cancel()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// runLink asks the peer for what we miss until it is gone.
func (n *Node) runLink(ctx context.Context, id peer.ID) {
	exchange := time.NewTicker(exchangeEvery)
	defer exchange.Stop()
	missing := time.NewTicker(missingEvery)
	defer missing.Stop()
	n.standings.linked(id)
	n.lookAhead(ctx, id)
	n.exchange(ctx, id)
	for {
		select {
		case <-exchange.C:
			n.lookAhead(ctx, id)
			n.exchange(ctx, id)
		case <-missing.C:
			n.repair(ctx, id)
		case <-ctx.Done():
			return
		}
	}
}

// repair asks the peer for what orphans wait for: again as long as that is more than
// fits a request, and not for ever, since the link has tips to compare too.
func (n *Node) repair(ctx context.Context, id peer.ID) {
	for end := n.opts.Now().Add(repairFor); ; {
		want := n.missing(ctx, id)
		if len(want) == 0 || !n.fetch(ctx, id, want, 0) || len(want) < gossip.MaxFetchIDs || n.opts.Now().After(end) {
			return
		}
	}
}

// missing returns what to ask the peer for. The slower the network, or this
// node under load, the longer a parent may still come by itself.
func (n *Node) missing(ctx context.Context, id peer.ID) (want []message.ID) {
	patience := min(max(leastPatience, n.tips.delay()), mostPatience)
	_ = n.ask(ctx, func(l *loop) { // on error there is nothing to want
		want = l.tangle.Missing(id.String(), gossip.MaxFetchIDs, n.opts.Now(), patience)
	})
	return want
}

// exchange compares tips with the peer and fetches those we have never seen; where
// there is more to it, the history before those that are not solid.
func (n *Node) exchange(ctx context.Context, id peer.ID) {
	var tips []message.ID
	var at uint64
	if n.ask(ctx, func(l *loop) { tips, at = l.tangle.Tips(exchangeTips), l.tangle.LedgerTime() }) != nil {
		return
	}
	reqCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	theirs, err := n.askTips(reqCtx, id, tips)
	cancel()
	if err != nil {
		n.opts.Logger.Debug("tips not exchanged", "peer", id, "error", err)
		return
	}
	var want []message.ID
	var since uint64
	if n.ask(ctx, func(l *loop) {
		now := n.opts.Now()
		want = n.standings.compare(id, theirs, at, now, l.notSolid)
		if since = n.standings.since(id, now, l.tangle.Crowds(id.String())); since > 0 {
			since = max(since, l.tangle.Horizon()) // nothing older is taken
		} else {
			want = slices.DeleteFunc(want, func(id message.ID) bool { return l.tangle.IsOrphan(id) || l.hold.has(id) })
		}
	}) != nil {
		return
	}
	switch {
	case len(want) == 0:
		n.history.leave(id)
	case since == 0:
		n.history.leave(id)
		n.fetch(ctx, id, want, 0)
	case n.history.take(id, n.opts.Now()): // or else at a later exchange
		defer n.history.leave(id)
		if n.fetch(ctx, id, want, since) {
			// This node is not away any more, if all that was offered is here.
			_ = n.ask(ctx, func(l *loop) { n.standings.compare(id, theirs, at, n.opts.Now(), l.notSolid) })
		}
	}
}

// notSolid returns those of ids that could be attached and are not solid here.
func (l *loop) notSolid(ids []message.ID) (pending []message.ID) {
	latest := uint64(l.n.opts.Now().Add(maxAhead).UnixNano())
	for _, id := range ids {
		if id.Timestamp() <= latest && id.Timestamp() >= l.tangle.Horizon() && (!l.tangle.Has(id) || l.tangle.IsOrphan(id)) {
			pending = append(pending, id)
		}
	}
	return pending
}

// fetch asks the peer for messages and what they stand on and takes them in, page
// after page; if since is not zero with all that the peer has from that ledger time
// on. It reports whether all came.
func (n *Node) fetch(ctx context.Context, id peer.ID, want []message.ID, since uint64) bool {
	req := gossip.FetchRequest{Want: want, Since: since}
	if n.ask(ctx, func(l *loop) { req.Have = l.tangle.Locator(haveIDs) }) != nil {
		return false
	}
	for refused := 0; ; {
		reqCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
		reply, err := n.askFetch(reqCtx, id, req)
		cancel()
		if errors.Is(err, gossip.ErrNoAnswer) && !req.After.IsZero() && refused < historyRetries {
			// Who begins anew each time comes no further than the first time.
			refused++
			select {
			case <-time.After(historyPause):
				continue
			case <-ctx.Done():
			}
		}
		if err != nil {
			n.opts.Logger.Debug("messages not fetched", "peer", id, "error", err)
			return false
		}
		refused = 0
		n.metrics.fetched.Add(float64(len(reply.Messages)))
		// In groups, so that a long page does not hold up our own clients.
		for group := range slices.Chunk(reply.Messages, groupSize) {
			receipts, invalid, err := n.submitMany(ctx, group, id.String(), true)
			if hasNews(receipts) {
				n.history.goOn(id, n.opts.Now())
			}
			if invalid != nil {
				n.gossip.Penalise(id, "fetched message: "+invalid.Error())
			}
			if invalid != nil || err != nil {
				return false
			}
		}
		// A page that does not lead further would be asked for for ever.
		if reply.Next.IsZero() || reply.Next.Compare(req.After) <= 0 {
			return true
		}
		req.After = reply.Next
	}
}

// judgeFrame takes in a frame that a neighbour gossiped.
func (n *Node) judgeFrame(ctx context.Context, from peer.ID, raws [][]byte) gossip.Verdict {
	select {
	case <-n.links.ready: // gossip may bring frames before Open has returned
	case <-ctx.Done():
		return gossip.Ignore
	case <-n.done:
		return gossip.Ignore
	}
	receipts, invalid, err := n.submitMany(ctx, raws, from.String(), false)
	if invalid != nil {
		n.opts.Logger.Info("invalid message in a frame", "peer", from, "error", invalid)
		return gossip.Reject
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		n.opts.Logger.Debug("frame not taken", "peer", from, "error", err)
	}
	// A frame without news goes no further: old messages in a new frame would
	// otherwise travel the network for free. Nor does one of orphans, which are
	// nobody's until they are solid and are then announced by whoever has them.
	if hasNews(receipts) {
		return gossip.Accept
	}
	return gossip.Ignore
}

// hasNews tells whether any message became durable here by being taken in.
func hasNews(receipts []Receipt) bool {
	return slices.ContainsFunc(receipts, func(r Receipt) bool { return r.State == Durable })
}

// serveTips gives our newest tips to a peer. What it told us is news only if
// we lack it; our own link to it asks soon.
func (n *Node) serveTips(ctx context.Context, to peer.ID, _ []message.ID) (tips []message.ID) {
	_ = n.ask(ctx, func(l *loop) { tips = l.tellTips(to) }) // none when closing
	return tips
}
