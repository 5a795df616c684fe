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

// member is a node that lives through a history: a Tangle, what the storage has,
// and what an anchor included.
type member struct {
	t           *testing.T
	rng         *rand.Rand
	h           *history
	maxVertices int
	restarts    bool
	tangle      *Tangle
	stored      map[message.ID]bool
	final       map[message.ID]bool
	ledgerTime  uint64
}

// testWindow is how far the members' ledger time is ahead of what is too old.
const testWindow = 100 * time.Millisecond

func newMember(t *testing.T, h *history, rng *rand.Rand, maxVertices int, restarts bool) *member {
	m := &member{
		t: t, rng: rng, h: h, maxVertices: maxVertices, restarts: restarts,
		stored: make(map[message.ID]bool), final: make(map[message.ID]bool),
		ledgerTime: h.steps[0].from + uint64(testWindow),
	}
	m.open(0)
	return m
}

func (m *member) open(storedUntil uint64) {
	m.tangle = New(Options{
		Genesis:     testGenesis,
		Window:      testWindow,
		LedgerTime:  m.ledgerTime,
		MaxVertices: m.maxVertices,
		StoredUntil: storedUntil,
		Stored:      func(id message.ID) bool { return m.stored[id] },
		Final:       func(id message.ID) bool { return m.final[id] },
		Edges: func(id message.ID) []message.ID {
			if !m.stored[id] {
				return nil
			}
			return m.h.edges(id)
		},
	})
}

// restart opens the store again: what is live is loaded, or only the newest of
// it, in the order of IDs; orphans are lost.
func (m *member) restart() {
	from := m.tangle.Horizon()
	var ids []message.ID
	for id := range m.stored {
		if id.Timestamp() >= from {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, message.ID.Compare)
	if m.rng.IntN(2) == 0 && len(ids) > 0 {
		ids = ids[m.rng.IntN(len(ids)):]
		from = ids[0].Timestamp()
	}
	m.open(from)
	for _, id := range ids {
		m.tangle.Load(m.h.byID[id], epoch, m.final[id])
	}
	checkInvariants(m.t, m.tangle)
}

// attach brings messages in any order.
func (m *member) attach(messages []*message.Message) {
	messages = slices.Clone(messages)
	m.rng.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
	for _, one := range messages {
		d, err := m.tangle.Attach(one, "peer", epoch)
		if err != nil && err != ErrDuplicate {
			m.t.Fatal(err)
		}
		m.settled(d)
		if m.restarts && m.rng.IntN(500) == 0 {
			m.restart()
		}
	}
}

// unstored are the messages that are not solid here yet.
func (m *member) unstored(messages []*message.Message) []*message.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(one *message.Message) bool { return m.stored[one.ID()] })
}

func (m *member) settled(d Delta) {
	for _, s := range d.Solid {
		m.stored[s.Message.ID()] = true
	}
}

// live goes through the history and returns what each anchor took. Messages come
// in any order, some before their time.
func (m *member) live() []inclusion {
	var all []inclusion
	for _, s := range m.h.steps {
		m.ledgerTime = s.from + uint64(testWindow)
		m.tangle.SetLedgerTime(m.ledgerTime)
		m.settled(m.tangle.Expire(epoch))
		ahead := min(len(m.h.messages), s.known+m.rng.IntN(40))
		m.attach(m.unstored(m.h.messages[:ahead]))
		if len(m.h.old) > 0 {
			m.attach(m.h.old[:m.rng.IntN(len(m.h.old))])
		}
		// A restart lost orphans: once more, in order.
		for _, one := range m.unstored(m.h.messages[:s.known]) {
			d, _ := m.tangle.Attach(one, "peer", epoch)
			m.settled(d)
		}
		if m.restarts && m.rng.IntN(4) == 0 {
			m.restart()
		}
		if !m.stored[s.id] {
			m.t.Fatalf("anchor %d is not solid", len(all)+1)
		}
		ids, capped := m.tangle.Include(s.id, s.from, s.until, s.limit)
		all = append(all, inclusion{ids, capped})
		for _, id := range ids {
			m.final[id] = true
		}
		if len(m.h.steps) < 100 || len(all)%20 == 0 {
			checkInvariants(m.t, m.tangle)
		}
	}
	return all
}

// TestInclude holds what anchors take against the definition, on histories made
// up at random, whatever is in memory, in whatever order it came and wherever
// the node was restarted.
func TestInclude(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHistory(t, rand.New(rand.NewPCG(seed, 11)), 25)
			want := h.included()
			checkIncluded(t, h, want)
			for _, maxVertices := range []int{1, 7, 50, 300, 1 << 18} {
				for _, restarts := range []bool{false, true} {
					rng := rand.New(rand.NewPCG(seed, uint64(maxVertices)))
					newMember(t, h, rng, maxVertices, restarts).compare(want)
				}
			}
		})
	}
}

// TestIncludeLong is a history that fills several chunks of vertices.
func TestIncludeLong(t *testing.T) {
	h := newHistory(t, rand.New(rand.NewPCG(1, 13)), 350)
	want := h.included()
	if n := len(h.messages); n < 2*chunkSize+1000 {
		t.Fatalf("only %d messages", n)
	}
	checkIncluded(t, h, want)
	for _, maxVertices := range []int{500, chunkSize + 500} {
		rng := rand.New(rand.NewPCG(2, uint64(maxVertices)))
		newMember(t, h, rng, maxVertices, maxVertices > chunkSize).compare(want)
	}
}

// compare goes through the history and holds what the anchors took against the
// definition. Nothing is left for them afterwards.
func (m *member) compare(want []inclusion) {
	m.t.Helper()
	got := m.live()
	for j := range want {
		if !slices.Equal(got[j].ids, want[j].ids) || got[j].capped != want[j].capped {
			m.t.Fatalf("%d vertices, restarts %v: anchor %d took %d, capped %v; by definition %d, %v", m.maxVertices, m.restarts,
				j+1, len(got[j].ids), got[j].capped, len(want[j].ids), want[j].capped)
		}
	}
	m.end()
}

// end takes a half of what is left, and lets the other grow too old.
func (m *member) end() {
	last := m.h.steps[len(m.h.steps)-1].id
	m.tangle.Include(last, m.ledgerTime, math.MaxUint64, m.tangle.Stats().Waiting/2)
	m.tangle.Include(last, math.MaxUint64, math.MaxUint64, 0)
	if s := m.tangle.Stats(); s.Waiting != 0 || len(m.tangle.past.far) != 0 {
		m.t.Errorf("%d wait for an anchor, %d of them far, after the last", s.Waiting, len(m.tangle.past.far))
	}
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

// BenchmarkInclude includes 10,000 messages an operation, as an anchor does that
// comes late.
func BenchmarkInclude(b *testing.B) {
	const batch = 10_000
	messages := chain(b, 20*batch, 20)
	tangle, next := New(Options{Genesis: testGenesis}), 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if next == len(messages) {
			tangle, next = New(Options{Genesis: testGenesis}), 0
		}
		for _, m := range messages[next : next+batch] {
			if _, err := tangle.Attach(m, "peer", epoch); err != nil {
				b.Fatal(err)
			}
		}
		next += batch
		b.StartTimer()
		// Some of the newest wait for the next anchor.
		if ids, _ := tangle.Include(messages[next-1].ID(), 0, math.MaxUint64, 50_000); len(ids) < batch-200 {
			b.Fatalf("%d included", len(ids))
		}
	}
}
