package ledger

import (
	"bytes"
	"cmp"
	"container/heap"

	"tangled/message"
)

// AppliedTransfer is what is remembered of an applied transfer until it expires.
type AppliedTransfer struct {
	ID         message.TransferID
	ValidUntil uint64 // ns since the Unix epoch
}

// compare orders by expiry, then by ID.
func (t AppliedTransfer) compare(other AppliedTransfer) int {
	return cmp.Or(cmp.Compare(t.ValidUntil, other.ValidUntil), bytes.Compare(t.ID[:], other.ID[:]))
}

// remembered are the unexpired applied transfers: a set to look them up, and a
// heap whose root expires next. Both hold the same IDs.
type remembered struct {
	ids   map[message.TransferID]struct{}
	queue expiryQueue
}

func (r *remembered) has(id message.TransferID) bool {
	_, ok := r.ids[id]
	return ok
}

func (r *remembered) add(t AppliedTransfer) {
	r.ids[t.ID] = struct{}{}
	heap.Push(&r.queue, t)
}

// dropExpired forgets those that end before time and returns them, the first to
// expire first.
func (r *remembered) dropExpired(time uint64) []AppliedTransfer {
	var out []AppliedTransfer
	for len(r.queue) > 0 && r.queue[0].ValidUntil < time {
		t := heap.Pop(&r.queue).(AppliedTransfer)
		delete(r.ids, t.ID)
		out = append(out, t)
	}
	return out
}

// expiryQueue is a heap.Interface.
type expiryQueue []AppliedTransfer

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].compare(q[j]) < 0 }
func (q expiryQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *expiryQueue) Push(t any)        { *q = append(*q, t.(AppliedTransfer)) }

func (q *expiryQueue) Pop() any {
	last := len(*q) - 1
	t := (*q)[last]
	*q = (*q)[:last]
	return t
}
