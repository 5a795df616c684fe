package tipselect

import (
	"math/rand/v2"
	"testing"
	"time"

	"tangled/message"
)

// model is the naive pool: what is a tip, since when.
type model struct {
	selector *Selector
	now      time.Time
	arrived  map[message.ID]time.Time
}

func newModel() *model {
	return &model{
		selector: testSelector(1), now: epoch,
		arrived: make(map[message.ID]time.Time),
	}
}

// step does the operation op on both, with its argument, and compares.
func (m *model) step(t *testing.T, op, arg byte) {
	t.Helper()
	id := testID(int(arg))
	switch op % 8 {
	case 0, 1, 2:
		m.add(id, op, arg)
	case 3:
		_, want := m.arrived[id]
		if got := m.selector.Remove(id); got != want {
			t.Fatalf("Remove(%d) = %v, want %v", arg, got, want)
		}
		delete(m.arrived, id)
	case 4:
		m.checkPick(t, m.selector.Pick(m.now))
	case 5:
		m.checkPick(t, m.selector.PickN(m.now, int(arg)))
	case 6:
		m.now = m.now.Add(time.Duration(arg) * time.Second / 8)
		m.checkExpire(t, m.selector.Expire(m.now))
	case 7:
		m.selector.Observe(time.Duration(arg) * 20 * time.Millisecond)
		m.checkEligible(t, int(arg))
	}
	m.checkPool(t)
}

func (m *model) add(id message.ID, op, arg byte) {
	late := []time.Duration{0, time.Hour, time.Duration(op) * 100 * time.Millisecond}
	tip := Tip{ID: id, Arrived: m.now.Add(-time.Duration(op/8) * time.Second), Delays: late[arg%3 : 1+arg%3]}
	if _, ok := m.arrived[id]; !ok {
		m.arrived[id] = tip.Arrived
	}
	m.selector.Add(tip)
}

func (m *model) checkPick(t *testing.T, ids []message.ID) {
	t.Helper()
	if len(ids) == 0 && len(m.arrived) > 0 && ids != nil {
		t.Fatal("nothing picked, yet not nil")
	}
	m.checkSet(t, "picked", ids)
	for i, id := range ids {
		tip := m.selector.tips[id]
		if i > 0 && tip.class != lazy && m.selector.tips[ids[i-1]].class == lazy {
			t.Fatalf("picked lazy %d before %d", ids[i-1].Timestamp(), id.Timestamp())
		}
	}
}

// checkSet tells whether ids are distinct tips.
func (m *model) checkSet(t *testing.T, what string, ids []message.ID) {
	t.Helper()
	seen := make(map[message.ID]bool)
	for _, id := range ids {
		if _, ok := m.arrived[id]; !ok || seen[id] {
			t.Fatalf("%s %d: a tip %v, before %v", what, id.Timestamp(), ok, seen[id])
		}
		seen[id] = true
	}
}

func (m *model) checkExpire(t *testing.T, ids []message.ID) {
	t.Helper()
	m.checkSet(t, "expired", ids)
	for _, id := range ids {
		if age := m.now.Sub(m.arrived[id]); age <= expiry {
			t.Fatalf("expired %d of age %v", id.Timestamp(), age)
		}
		delete(m.arrived, id)
	}
	for id, at := range m.arrived {
		if age := m.now.Sub(at); age > expiry {
			t.Fatalf("kept %d of age %v", id.Timestamp(), age)
		}
	}
}

func (m *model) checkEligible(t *testing.T, n int) {
	t.Helper()
	ids, total := m.selector.Eligible(m.now, n)
	m.checkSet(t, "eligible", ids)
	want := 0
	for id, at := range m.arrived {
		if m.now.Sub(at) <= expiry && m.selector.tips[id].class == fresh {
			want++
		}
	}
	if total != want || len(ids) != min(n, want) {
		t.Fatalf("%d of %d eligible, want %d of %d", len(ids), total, min(n, want), want)
	}
}

// checkPool compares the pools and looks into the Selector's structure.
func (m *model) checkPool(t *testing.T) {
	t.Helper()
	s := m.selector
	if s.Len() != len(m.arrived) {
		t.Fatalf("%d tips, want %d", s.Len(), len(m.arrived))
	}
	for id := range m.arrived {
		if s.tips[id] == nil || s.tips[id].id != id {
			t.Fatalf("tip %d is missing", id.Timestamp())
		}
	}
	listed := 0
	for c := range s.pools {
		p := &s.pools[c]
		for i, tip := range p.tips {
			if tip.at != i || tip.class != class(c) || s.tips[tip.id] != tip.tip || tip.arrived != tip.tip.arrived || tip.s != tip.tip.s {
				t.Fatalf("class %d, place %d: %+v", c, i, tip)
			}
		}
		var last *tip
		count := 0
		for tip := p.oldest; tip != nil; last, tip = tip, tip.next {
			if tip.prev != last || last != nil && last.arrived > tip.arrived {
				t.Fatalf("class %d: list out of order at %+v", c, tip)
			}
			count++
		}
		if p.newest != last || count != len(p.tips) {
			t.Fatalf("class %d: %d listed, %d tips", c, count, len(p.tips))
		}
		listed += count
	}
	if listed != s.Len() {
		t.Fatalf("%d tips in classes, %d in all", listed, s.Len())
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := newModel()
		for range 1000 {
			m.step(t, byte(random.Uint32()), byte(random.Uint32()))
		}
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 1, 1, 2, 4, 0, 3, 1, 6, 255, 6, 255})
	f.Add([]byte{0xf8, 1, 0xf8, 2, 0, 3, 6, 240, 7, 9, 5, 9})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := newModel()
		for ; len(ops) >= 2; ops = ops[2:] {
			m.step(t, ops[0], ops[1])
		}
	})
}
