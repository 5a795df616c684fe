package tangle

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tangled/message"
)

// randomDAG makes n messages with 2 to 8 parents each, drawn from the last few,
// so that tips come and go. Parents stand before their children.
func randomDAG(t testing.TB, rng *rand.Rand, n int) []*message.Message {
	ids := []message.ID{testGenesis}
	var messages []*message.Message
	for i := range n {
		recent := ids[max(0, len(ids)-12):]
		count := min(2+rng.IntN(7), len(recent))
		var parents []message.ID
		for _, j := range rng.Perm(len(recent))[:count] {
			parents = append(parents, recent[j])
		}
		m := newMessage(t, fmt.Sprint("m", i), time.Duration(i+1)*time.Millisecond, parents, rng.IntN(50))
		messages = append(messages, m)
		ids = append(ids, m.ID())
	}
	return messages
}

// model is what the DAG of some messages is by definition, worked out without
// an order of arrival: by sets and closures.
type model struct {
	solid   map[message.ID]bool
	tips    []message.ID // the newest first
	reached map[message.ID]int
	missing map[message.ID]bool // waited for, and not here
}

// newModel takes messages with parents before children.
func newModel(messages []*message.Message) model {
	w := model{solid: map[message.ID]bool{testGenesis: true}, reached: make(map[message.ID]int), missing: make(map[message.ID]bool)}
	here := make(map[message.ID]bool)
	for _, m := range messages {
		here[m.ID()] = true
	}
	approved := make(map[message.ID]bool)
	past := make(map[message.ID]map[message.ID]bool)
	for _, m := range messages {
		id, solid := m.ID(), true
		past[id] = map[message.ID]bool{id: true}
		for _, p := range m.Parents {
			solid = solid && w.solid[p]
			maps.Copy(past[id], past[p])
			if !here[p] && p != testGenesis {
				w.missing[p] = true
			}
		}
		if solid {
			w.solid[id] = true
			for _, p := range m.Parents {
				approved[p] = true
			}
		}
	}
	for _, m := range messages {
		if id := m.ID(); w.solid[id] && !approved[id] {
			w.tips = append(w.tips, id)
		}
	}
	slices.SortFunc(w.tips, func(a, b message.ID) int { return b.Compare(a) })
	for _, tip := range w.tips {
		for id := range past[tip] {
			w.reached[id]++
		}
	}
	return w
}

// attachAll attaches messages in their order and checks each delta: nothing is
// solid twice, nor before its parents.
func attachAll(t *testing.T, tangle *Tangle, messages []*message.Message) {
	t.Helper()
	solid := map[message.ID]bool{testGenesis: true}
	for i, m := range messages {
		d, err := tangle.Attach(m, fmt.Sprint("peer", i%3), epoch)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range d.Solid {
			id := s.Message.ID()
			if solid[id] {
				t.Fatalf("%v became solid twice", id)
			}
			solid[id] = true
			for _, p := range s.Message.Parents {
				if !solid[p] {
					t.Fatalf("%v became solid before its parent %v", id, p)
				}
			}
			if len(s.Delays) != len(s.Message.Parents) {
				t.Fatalf("%d delays for %d parents", len(s.Delays), len(s.Message.Parents))
			}
		}
		for _, p := range d.Missing {
			if tangle.Has(p) {
				t.Fatalf("missing %v, which is here", p)
			}
		}
		if _, err := tangle.Attach(m, "again", epoch); err != ErrDuplicate {
			t.Fatalf("attached twice: %v", err)
		}
	}
}

// compare holds a Tangle against the model of the messages it was given.
func (w model) compare(t *testing.T, tangle *Tangle, messages []*message.Message) {
	t.Helper()
	tips := tangle.Tips(1 << 30)
	if !slices.Equal(tips, w.tips) {
		t.Fatalf("%d tips, want %d", len(tips), len(w.tips))
	}
	measure := tangle.Confidence(tips)
	if measure.Tips() != min(len(tips), MaxConfidenceTips) {
		t.Fatalf("measured %d of %d tips", measure.Tips(), len(tips))
	}
	var newestApproved message.ID
	for _, m := range messages {
		id := m.ID()
		if !tangle.Has(id) || tangle.inMemory(id) != w.solid[id] {
			t.Fatalf("%v: known %v, solid %v, want %v", id, tangle.Has(id), tangle.inMemory(id), w.solid[id])
		}
		if got, ok := measure.Reached(id); ok != w.solid[id] || got != w.reached[id] {
			t.Fatalf("%v: reached by %d tips, %v; want %d", id, got, ok, w.reached[id])
		}
		if w.solid[id] && !slices.Contains(w.tips, id) && id.Compare(newestApproved) > 0 {
			newestApproved = id
		}
	}
	if got := tangle.NewestApproved(); got != newestApproved {
		t.Fatalf("newest approved %v, want %v", got, newestApproved)
	}
	missing := tangle.Missing("peer", 1<<30, epoch.Add(time.Hour), 0)
	if len(missing) != len(w.missing) {
		t.Fatalf("%d missing, want %d", len(missing), len(w.missing))
	}
	for _, id := range missing {
		if !w.missing[id] {
			t.Fatalf("missing %v, which nobody waits for", id)
		}
	}
	checkInvariants(t, tangle)
}

// TestAnyOrder: the same messages give the same DAG, however they arrive.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			messages := randomDAG(t, rng, 300)
			want := newModel(messages)
			if len(want.solid) != 301 {
				t.Fatal("the model is wrong")
			}
			orders := map[string]func(){
				"in order":  func() {},
				"backwards": func() { slices.Reverse(messages) },
				"shuffled": func() {
					rng.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
				},
				"a bit late": func() { jitter(rng, messages) },
			}
			for _, name := range slices.Sorted(maps.Keys(orders)) {
				orders[name]()
				tangle := New(Options{Genesis: testGenesis})
				attachAll(t, tangle, messages)
				want.compare(t, tangle, messages)
				checkNoOrphans(t, &tangle.orphans)
			}
		})
	}
}

// jitter delays each message by up to 20 places, as a network does.
func jitter(rng *rand.Rand, messages []*message.Message) {
	due := make(map[message.ID]uint64)
	for _, m := range messages {
		due[m.ID()] = m.Timestamp + uint64(rng.Int64N(int64(20*time.Millisecond)))
	}
	slices.SortFunc(messages, func(a, b *message.Message) int { return cmp.Compare(due[a.ID()], due[b.ID()]) })
}

// TestAnyOrderWithGaps loses some messages for a while. What stands on them
// waits, and nothing else does; once they come, all is as if they had come in
// time.
func TestAnyOrderWithGaps(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			messages := randomDAG(t, rng, 200)
			all := newModel(messages)
			var here, lost []*message.Message
			for _, m := range messages {
				if rng.IntN(60) == 0 {
					lost = append(lost, m)
				} else {
					here = append(here, m)
				}
			}
			want := newModel(here)
			rng.Shuffle(len(here), func(i, j int) { here[i], here[j] = here[j], here[i] })
			tangle := New(Options{Genesis: testGenesis})
			attachAll(t, tangle, here)
			want.compare(t, tangle, here)

			rng.Shuffle(len(lost), func(i, j int) { lost[i], lost[j] = lost[j], lost[i] })
			for _, m := range lost {
				if _, err := tangle.Attach(m, "late", epoch); err != nil {
					t.Fatal(err)
				}
			}
			all.compare(t, tangle, messages)
			checkNoOrphans(t, &tangle.orphans)
		})
	}
}

// TestForgetting runs far past MaxVertices: memory stays bounded, the storage
// answers for the rest, and only for what left memory.
func TestForgetting(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	messages := randomDAG(t, rng, 2000)
	stored := make(map[message.ID]bool)
	var tangle *Tangle
	asked := 0
	tangle = New(Options{Genesis: testGenesis, MaxVertices: 64, Stored: func(id message.ID) bool {
		asked++
		if id.Timestamp() > tangle.forgotten {
			t.Fatalf("the storage was asked about %v, which can not be there alone", id)
		}
		return stored[id]
	}})
	for i, m := range messages {
		d, err := tangle.Attach(m, "peer", epoch)
		if err != nil || len(d.Solid) != 1 {
			t.Fatalf("message %d: %v, %d solid", i, err, len(d.Solid))
		}
		stored[m.ID()] = true
		if i%100 == 0 {
			checkInvariants(t, tangle)
		}
	}
	if asked != 0 {
		t.Errorf("new messages cost %d look-ups", asked)
	}
	if n := tangle.Stats().Vertices; n != 64 {
		t.Errorf("%d vertices are held", n)
	}
	for _, m := range messages {
		if _, err := tangle.Attach(m, "peer", epoch); err != ErrDuplicate {
			t.Fatalf("%v is forgotten altogether", m.ID())
		}
	}
	if asked != 2000-64 {
		t.Errorf("%d look-ups for %d old messages", asked, 2000-64)
	}
}

// TestDefaults: the zero value of every field but Genesis works.
func TestDefaults(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis})
	got := tangle.opts
	if got.Window != 30*time.Minute || got.MaxVertices != 262144 || got.MaxOrphans != 65536 ||
		got.MaxOrphanBytes != 64<<20 || got.MaxOrphanAge != 10*time.Minute {
		t.Errorf("defaults are %+v", got)
	}
	if !tangle.Has(testGenesis) || !tangle.inMemory(testGenesis) {
		t.Error("the genesis is not solid")
	}
	if tangle.Newest() != testGenesis || tangle.NewestApproved() != testGenesis {
		t.Error("the newest is not the genesis")
	}
}

// TestWithoutStore: a Tangle that was given no store includes what is in memory.
func TestWithoutStore(t *testing.T) {
	messages := chain(t, 20, 5)
	tangle := New(Options{Genesis: testGenesis, MaxVertices: 10})
	for _, m := range messages {
		tangle.Load(m, epoch, false)
	}
	included, capped := tangle.Include(messages[19].ID(), 0, messages[19].Timestamp, 100)
	if len(included) == 0 || capped || included[len(included)-1] != messages[19].ID() {
		t.Errorf("%d included, capped %v", len(included), capped)
	}
	checkInvariants(t, tangle)
}

// TestLedgerTime: it begins where it is told, not before the genesis, and never
// goes back.
func TestLedgerTime(t *testing.T) {
	start := testGenesis.Timestamp()
	minute := uint64(time.Minute)
	tangle := New(Options{Genesis: testGenesis, LedgerTime: start - 1, Window: time.Minute})
	if got := tangle.LedgerTime(); got != start {
		t.Errorf("ledger time %d before the genesis, %d", got, start)
	}
	tangle = New(Options{Genesis: testGenesis, LedgerTime: start + 2*minute, Window: time.Minute})
	for _, step := range []struct{ set, want uint64 }{
		{start, start + 2*minute},
		{start + 3*minute, start + 3*minute},
		{start + 3*minute - 1, start + 3*minute},
	} {
		tangle.SetLedgerTime(step.set)
		if got := tangle.LedgerTime(); got != step.want || tangle.Horizon() != step.want-minute {
			t.Errorf("ledger time %d, horizon %d, want %d and a minute less", got, tangle.Horizon(), step.want)
		}
	}
	if got := New(Options{Genesis: message.NewID(5, [32]byte{}), Window: time.Minute}).Horizon(); got != 0 {
		t.Errorf("horizon %d of a ledger time less than the window", got)
	}
}

// TestLocator: the newest tips, and then places twice as far back each time.
func TestLocator(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis, MaxVertices: 64})
	messages := chain(t, 100, 1)
	var want []message.ID
	for _, m := range messages {
		tangle.Load(m, epoch, false)
	}
	for back := 1; back <= 64; back *= 2 {
		want = append(want, messages[100-back].ID())
	}
	if got := tangle.Locator(100); !slices.Equal(got, want) {
		t.Errorf("locator %v, want %v", got, want)
	}
	if got := tangle.Locator(4); !slices.Equal(got, want[:4]) {
		t.Errorf("locator %v, want %v", got, want[:4])
	}
}

// chain makes n messages of two parents each, drawn from the last width.
func chain(t testing.TB, n, width int) []*message.Message {
	rng := rand.New(rand.NewPCG(1, 1))
	ids := []message.ID{testGenesis}
	var messages []*message.Message
	for i := range n {
		recent := ids[max(0, len(ids)-width):]
		parents := []message.ID{recent[0]}
		if len(recent) > 1 {
			parents = append(parents, recent[1+rng.IntN(len(recent)-1)])
		}
		m := newMessage(t, "bench", time.Duration(i+1)*time.Microsecond, parents, 0)
		messages = append(messages, m)
		ids = append(ids, m.ID())
	}
	return messages
}

// BenchmarkAttach attaches messages of two parents in order.
func BenchmarkAttach(b *testing.B) {
	messages := chain(b, 1<<16, 20)
	b.ReportAllocs()
	tangle, next := New(Options{Genesis: testGenesis}), 0
	for b.Loop() {
		if next == len(messages) {
			b.StopTimer()
			tangle, next = New(Options{Genesis: testGenesis}), 0
			b.StartTimer()
		}
		if _, err := tangle.Attach(messages[next], "peer", epoch); err != nil {
			b.Fatal(err)
		}
		next++
	}
}
