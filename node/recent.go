package node

import (
	"sync"

	"tangled/message"
)

// recentLimit is how many IDs each of the two generations holds: together
// half a minute at 10,000 messages a second, far longer than the copies of a
// message take to arrive.
const recentLimit = 1 << 17

// recentIDs remembers durable messages, so that a copy costs neither a
// signature nor a place in the loop's queue.
type recentIDs struct {
	mu       sync.RWMutex
	limit    int
	new, old map[message.ID]struct{}
}

func newRecentIDs(limit int) recentIDs {
	return recentIDs{limit: limit, new: make(map[message.ID]struct{})}
}

func (r *recentIDs) has(id message.ID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, ok := r.new[id]; ok {
		return true
	}
	_, ok := r.old[id]
	return ok
}

func (r *recentIDs) add(id message.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.new) >= r.limit {
		r.old, r.new = r.new, make(map[message.ID]struct{}, r.limit)
	}
	r.new[id] = struct{}{}
}
