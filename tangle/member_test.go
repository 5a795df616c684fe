package tangle

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/message"
)

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
	asked       int // how often the store was asked for edges
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
		Final: func(id message.ID) bool {
			m.requireLive(id)
			return m.final[id]
		},
		Edges: func(id message.ID) []message.ID {
			m.requireLive(id)
			m.asked++
			if !m.stored[id] {
				return nil
			}
			return m.h.edges(id)
		},
	})
}

// requireLive fails if the store is asked about what is too old: the walk would
// go on to the genesis.
func (m *member) requireLive(id message.ID) {
	m.t.Helper()
	if id.Timestamp() < m.tangle.Horizon() {
		m.t.Fatalf("the store was asked about %v, which is too old", id)
	}
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
