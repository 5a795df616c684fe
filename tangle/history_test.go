package tangle

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/message"
)

// newWitness makes a witness without signatures on any number of messages: the
// first of refs is a witness of seat 0, and so on.
func newWitness(t testing.TB, after time.Duration, round uint64, parents, refs []message.ID, previous message.ID) *message.Message {
	t.Helper()
	w := message.Witness{Round: round, Previous: previous}
	for seat, id := range refs {
		w.Refs = append(w.Refs, message.Ref{Seat: uint8(seat), ID: id})
	}
	parents = slices.Clone(parents)
	slices.SortFunc(parents, message.ID.Compare)
	d := &message.Draft{
		Timestamp: uint64(epoch.Add(after).UnixNano()),
		Parents:   parents,
		Kind:      message.KindWitness,
		Payload:   w.Append(nil),
	}
	m, err := d.Seal(message.Issuer{}, [64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// anchorStep is one anchor and its bounds.
type anchorStep struct {
	id          message.ID
	from, until uint64
	limit       int
	// known has the messages that were made before the anchor.
	known int
}

// history is what happens to a network: messages, parents before children, and
// anchors whose pasts are nested.
type history struct {
	messages []*message.Message
	byID     map[message.ID]*message.Message
	steps    []anchorStep
	// old are messages that are older than what any anchor takes which has them
	// in its past, so that they may be missing or come at any time.
	old []*message.Message
}

func (h *history) add(m *message.Message) {
	h.messages = append(h.messages, m)
	h.byID[m.ID()] = m
}

// edges are those of a message that there is.
func (h *history) edges(id message.ID) []message.ID {
	if m := h.byID[id]; m != nil {
		return m.Edges()
	}
	return nil
}

// newHistory makes up a history of anchors, each on up to 60 messages more: with
// clocks ahead, messages too old for their anchor, parents that are lost,
// witnesses on hundreds of messages, and limits that cut off.
func newHistory(t testing.TB, rng *rand.Rand, anchors int) *history {
	h := &history{byID: make(map[message.ID]*message.Message)}
	now := time.Second
	from := uint64(epoch.Add(500 * time.Millisecond).UnixNano())
	ids := []message.ID{testGenesis}
	previous := message.ID{}
	// older draws up to n IDs from before a time, mostly of the newest.
	older := func(n, among int, after time.Duration) (drawn []message.ID) {
		recent := ids[max(0, len(ids)-among):]
		for _, i := range rng.Perm(len(recent)) {
			if len(drawn) < n && recent[i].Time().Before(epoch.Add(after)) {
				drawn = append(drawn, recent[i])
			}
		}
		if len(drawn) == 0 {
			drawn = append(drawn, testGenesis)
		}
		return drawn
	}
	for j := range anchors {
		for i := range rng.IntN(60) {
			now += time.Duration(1 + rng.Int64N(int64(20*time.Millisecond)))
			at := now
			switch rng.IntN(12) {
			case 0: // a clock ahead
				at += time.Duration(rng.Int64N(int64(2 * time.Second)))
			case 1: // a message that was long on its way
				at -= time.Duration(rng.Int64N(int64(now)))
			}
			parents := older(1+rng.IntN(7), 5+rng.IntN(60), at)
			if rng.IntN(15) == 0 {
				parents = append(parents, h.lose(t, rng, from, at)...)
			}
			m := newMessage(t, fmt.Sprint("m", j, " ", i), at, parents, 0)
			h.add(m)
			ids = append(ids, m.ID())
		}
		now += time.Millisecond
		parents := older(1+rng.IntN(1+rng.IntN(250)), 300, now)
		refs := older(1+rng.IntN(31), 100, now)
		a := newWitness(t, now, 2, parents, refs, previous)
		h.add(a)
		ids, previous = append(ids, a.ID()), a.ID()
		h.steps = append(h.steps, newStep(rng, a.ID(), from, len(h.messages)))
		if rng.IntN(3) > 0 {
			behind := now - time.Duration(rng.Int64N(int64(2*time.Second)))
			from = max(from, uint64(epoch.Add(behind).UnixNano()))
		}
	}
	return h
}

// lose makes up a parent that is too old already: one that nobody has, or one
// that may come.
func (h *history) lose(t testing.TB, rng *rand.Rand, from uint64, before time.Duration) []message.ID {
	from = min(from, uint64(epoch.Add(before).UnixNano()))
	span := int64(from) - epoch.UnixNano() - 1
	if span <= 0 {
		return nil
	}
	at := time.Duration(1 + rng.Int64N(span))
	if rng.IntN(2) == 0 {
		return []message.ID{message.NewID(uint64(epoch.Add(at).UnixNano()), [32]byte{'?', byte(rng.Uint32())})}
	}
	m := newMessage(t, fmt.Sprint("old", len(h.old)), at, []message.ID{testGenesis}, 0)
	h.old = append(h.old, m)
	h.byID[m.ID()] = m
	return []message.ID{m.ID()}
}

func newStep(rng *rand.Rand, id message.ID, from uint64, known int) anchorStep {
	s := anchorStep{id: id, from: from, known: known, until: math.MaxUint64, limit: math.MaxInt}
	if rng.IntN(4) > 0 {
		s.until = uint64(epoch.Add(id.Time().Sub(epoch) + time.Duration(rng.Int64N(int64(time.Second))) - 800*time.Millisecond).UnixNano())
	}
	if rng.IntN(3) > 0 {
		s.limit = rng.IntN(1 + rng.IntN(80))
	}
	return s
}

// inclusion is what an anchor takes.
type inclusion struct {
	ids    []message.ID
	capped bool
}

// included is what the anchors take by definition: the whole past cone of each,
// less what is too old, too new or taken before, the first by ID up to the
// limit.
func (h *history) included() []inclusion {
	ids := slices.Collect(maps.Keys(h.byID))
	number := make(map[message.ID]int)
	for i, id := range ids {
		number[id] = i
	}
	edges := make([][]int, len(ids))
	for i, id := range ids {
		for _, to := range h.edges(id) {
			if n, ok := number[to]; ok {
				edges[i] = append(edges[i], n)
			}
		}
	}
	var all []inclusion
	taken := make([]bool, len(ids))
	for _, s := range h.steps {
		past := make([]bool, len(ids))
		queue := []int{number[s.id]}
		past[queue[0]] = true
		var set []message.ID
		for ; len(queue) > 0; queue = queue[1:] {
			i := queue[0]
			if at := ids[i].Timestamp(); s.from <= at && at <= s.until && !taken[i] {
				set = append(set, ids[i])
			}
			for _, to := range edges[i] {
				if !past[to] {
					past[to] = true
					queue = append(queue, to)
				}
			}
		}
		slices.SortFunc(set, message.ID.Compare)
		capped := len(set) > s.limit
		set = set[:min(len(set), s.limit)]
		for _, id := range set {
			taken[number[id]] = true
		}
		all = append(all, inclusion{set, capped})
	}
	return all
}

// checkIncluded holds a definition to what it promises: sets that are disjoint
// and closed but for what is too old, in an order in which parents come first.
// It also sees that the history has something to get wrong.
func checkIncluded(t *testing.T, h *history, all []inclusion) {
	t.Helper()
	taken := map[message.ID]bool{testGenesis: true}
	var total, capped, waited, many int
	for j, set := range all {
		for _, id := range set.ids {
			if taken[id] {
				t.Fatalf("anchor %d takes %v again", j+1, id)
			}
			edges := h.edges(id)
			for _, to := range edges {
				if !taken[to] && to.Timestamp() >= h.steps[j].from {
					t.Fatalf("anchor %d takes %v without %v", j+1, id, to)
				}
			}
			taken[id] = true
			total++
			if j > 0 && id.Compare(h.steps[j-1].id) < 0 {
				waited++
			}
			if len(edges) > inlineEdges {
				many++
			}
		}
		if set.capped {
			capped++
		}
	}
	if total < 300 || capped < 2 || waited < 20 || many < 5 || len(h.old) < 5 {
		t.Fatalf("a dull history: %d included, %d capped, %d older than the anchor before, %d of many edges, %d old",
			total, capped, waited, many, len(h.old))
	}
}
