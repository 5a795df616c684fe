package node

import (
	"container/heap"
	"context"
	"errors"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"

	"tangled/gossip"
	"tangled/message"
	"tangled/storage"
)

// coneLimit is how many messages are looked at to answer one fetch, and how many
// one that goes no further gets at most: what it wants, and the nearest of what that
// stands on.
const coneLimit = 2 * gossip.MaxFetchIDs

// errOverBudget tells a peer that it asked too much.
var errOverBudget = errors.New("node: this peer asked for too much: later")

// serveFetch answers a peer's request for messages and their ancestors down to
// what it has, the oldest first. Where that is too far: the history, if the peer
// names the time since when it lacks it; or else the messages and what is nearest
// to them.
func (n *Node) serveFetch(ctx context.Context, from peer.ID, req gossip.FetchRequest) (gossip.FetchReply, error) {
	if !n.fetches.mayAsk(from, n.opts.Now()) {
		n.metrics.overBudget.Inc()
		return gossip.FetchReply{}, errOverBudget
	}
	ids, reads, whole, err := n.cone(ctx, req.Want, req.Have, req.After)
	defer func() { n.fetches.pay(from, n.opts.Now(), reads) }()
	if err != nil {
		return gossip.FetchReply{}, err
	}
	if !whole && req.Since > 0 {
		reply, err := n.historySince(ctx, req)
		reads += len(reply.Messages)
		return reply, err
	}
	if !whole {
		// Without what the peer has: the newest of that would be all there is time for.
		ancestors, more, _, err := n.cone(ctx, req.Want, nil, req.After)
		reads += more
		if err != nil {
			return gossip.FetchReply{}, err
		}
		ids = nearby(req.Want, ancestors, req.After)
	}
	var p page
	for _, id := range ids {
		r, err := n.get(id)
		reads++
		if errors.Is(err, storage.ErrNotFound) {
			continue // pruned between the walk and now, or never here
		}
		if err != nil {
			return gossip.FetchReply{}, err
		}
		if !p.add(r.Message) {
			break
		}
	}
	return p.reply, nil
}

// nearby is what a peer gets of cones that are not sent whole: what it wants however
// old, for what gossip lost are messages here and there whose ancestors the peer
// mostly has; and as far as there is room the newest of the ancestors, which a
// peer that lacks all of them needs. Ascending, and after an ID.
func nearby(want, ancestors []message.ID, after message.ID) []message.ID {
	ids := slices.Concat(want, ancestors[max(0, len(ancestors)-(coneLimit-len(want))):])
	slices.SortFunc(ids, message.ID.Compare)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id message.ID) bool { return id.Compare(after) <= 0 })
}

// historySince reads one page of all that is stored from the peer's ledger
// time on: IDs sort by time, so parents come first.
func (n *Node) historySince(ctx context.Context, req gossip.FetchRequest) (gossip.FetchReply, error) {
	var p page
	for r, err := range noticing(n, n.store.Select(ctx, storage.Query{From: req.Since, After: req.After, WithReplaced: true})) {
		if err != nil {
			return gossip.FetchReply{}, err
		}
		if !p.add(r.Message) {
			break
		}
	}
	return p.reply, nil
}

// page fills one reply.
type page struct {
	reply gossip.FetchReply
	size  int
	last  message.ID
}

// add reports false, and sets the continuation, once m does not fit.
func (p *page) add(m *message.Message) bool {
	raw := m.Bytes()
	if len(p.reply.Messages) == gossip.MaxFetchMessages || p.size+len(raw) > gossip.MaxFetchSize {
		p.reply.Next = p.last
		return false
	}
	p.reply.Messages = append(p.reply.Messages, raw)
	p.size += len(raw)
	p.last = m.ID()
	return true
}

// cone returns the IDs of the stored messages in the past cones of want, want
// included, that are not in those of have and come after an ID; ascending. reads
// is how many messages it looked at, and whole is false when it gave up at
// coneLimit: then ids are the newest.
//
// Both sets are walked together from the newest down. Parents are older than
// their children, so a message is reached only after everything above it, and
// what is known of it by then is final.
func (n *Node) cone(ctx context.Context, want, have []message.ID, after message.ID) (ids []message.ID, reads int, whole bool, err error) {
	w := walk{wanted: make(map[message.ID]bool)}
	for _, id := range want {
		w.reach(id, true)
	}
	for _, id := range have {
		w.reach(id, false)
	}
	whole = true
	for ; w.open > 0; reads++ {
		if reads == coneLimit {
			whole = false
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, reads, false, err
		}
		id, wanted := w.next()
		if id.Compare(after) <= 0 {
			break // all that is left is older still
		}
		r, err := n.store.Get(id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, reads, false, err
		}
		if wanted {
			ids = append(ids, id)
		}
		for _, edge := range r.Message.Edges() {
			w.reach(edge, wanted)
		}
	}
	slices.Reverse(ids)
	return ids, reads, whole, nil
}

// walk is the frontier between what was looked at and what is older.
type walk struct {
	queue  newestFirst
	wanted map[message.ID]bool // of those in queue
	open   int                 // how many of those are wanted
}

// reach adds id; once the peer has it, it is wanted no more.
func (w *walk) reach(id message.ID, wanted bool) {
	was, queued := w.wanted[id]
	if !queued {
		heap.Push(&w.queue, id)
		was = wanted
		if wanted {
			w.open++
		}
	} else if was && !wanted {
		w.open--
	}
	w.wanted[id] = was && wanted
}

func (w *walk) next() (id message.ID, wanted bool) {
	id = heap.Pop(&w.queue).(message.ID)
	wanted = w.wanted[id]
	delete(w.wanted, id)
	if wanted {
		w.open--
	}
	return id, wanted
}

// newestFirst is a heap of IDs.
type newestFirst []message.ID

func (q newestFirst) Len() int           { return len(q) }
func (q newestFirst) Less(i, j int) bool { return q[i].Compare(q[j]) > 0 }
func (q newestFirst) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push and Pop are for package heap.
func (q *newestFirst) Push(x any) { *q = append(*q, x.(message.ID)) }

// Pop removes the last element.
func (q *newestFirst) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
