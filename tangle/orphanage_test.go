package tangle

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"tangled/message"
)

// madeUp is a parent that nobody has.
func madeUp(n uint64) message.ID {
	return message.NewID(uint64(epoch.UnixNano())+1+n, [32]byte{'?', byte(n >> 8), byte(n)})
}

// waiting makes a message that waits for the given parents.
func waiting(t testing.TB, n, padding int, parents ...message.ID) *message.Message {
	return newMessage(t, fmt.Sprint("w", n), time.Hour+time.Duration(n), parents, padding)
}

// TestOrphanFlood throws random orphans of random senders at small bounds. The
// bounds hold after every one, what is evicted is said, and nothing is left
// once all have expired.
func TestOrphanFlood(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			opts := Options{Genesis: testGenesis, MaxOrphans: 5 + rng.IntN(60), MaxOrphanBytes: 2000 + rng.IntN(40000), MaxOrphanAge: time.Minute}
			tangle := New(opts)
			now := epoch
			held := make(map[message.ID]bool)
			forget := func(ids []message.ID) {
				for _, id := range ids {
					if !held[id] {
						t.Fatalf("evicted %v, which was not here", id)
					}
					delete(held, id)
				}
			}
			var known []message.ID
			for i := range 1500 {
				now = now.Add(time.Duration(rng.Int64N(int64(200 * time.Millisecond))))
				parents := []message.ID{madeUp(rng.Uint64N(300)), madeUp(300 + rng.Uint64N(300))}
				if len(known) > 0 && rng.IntN(3) == 0 {
					// An orphan on orphans, some of them evicted by now.
					parents = append(parents, known[rng.IntN(len(known))])
				}
				m := waiting(t, i, rng.IntN(2000), parents...)
				if i%4 == 0 {
					// A witness waits for refs and the witness before, too.
					refs := []message.ID{madeUp(600 + rng.Uint64N(300)), madeUp(rng.Uint64N(300))}
					m = newWitness(t, time.Hour+time.Duration(i), 2, parents, refs, madeUp(900+rng.Uint64N(300)))
				}
				known = append(known, m.ID())
				held[m.ID()] = true
				d, err := tangle.Attach(m, fmt.Sprint("peer", rng.IntN(1+rng.IntN(8))), now)
				if err != nil || len(d.Solid) != 0 {
					t.Fatalf("message %d: %v, %d solid", i, err, len(d.Solid))
				}
				forget(d.Evicted)
				if rng.IntN(50) == 0 {
					forget(tangle.Expire(now).Evicted)
				}
				checkOrphans(t, &tangle.orphans)
				if stats := tangle.Stats(); stats.Orphans != len(held) || stats.OrphanBytes != tangle.orphans.bytes {
					t.Fatalf("%d orphans are counted, %d were not evicted", stats.Orphans, len(held))
				}
			}
			if len(held) == 0 {
				t.Fatal("the flood left nothing to expire")
			}
			forget(tangle.Expire(now.Add(time.Minute + 1)).Evicted)
			if len(held) != 0 {
				t.Errorf("%d orphans did not expire", len(held))
			}
			checkNoOrphans(t, &tangle.orphans)
		})
	}
}

// TestRootsLeaveNothing: orphans that settle because their parents fell behind
// the horizon leave nothing either.
func TestRootsLeaveNothing(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis, Window: time.Minute})
	for i := range 100 {
		if _, err := tangle.Attach(waiting(t, i, 0, madeUp(uint64(i)), madeUp(uint64(i+1))), "peer", epoch); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tangle.Attach(newMessage(t, "newest", 2*time.Hour, []message.ID{testGenesis}, 0), "peer", epoch); err != nil {
		t.Fatal(err)
	}
	tangle.SetLedgerTime(tangle.Newest().Timestamp())
	d := tangle.Expire(epoch)
	if len(d.Solid) != 100 || len(d.Evicted) != 0 {
		t.Errorf("%d solid, %d evicted, want 100 solid", len(d.Solid), len(d.Evicted))
	}
	checkInvariants(t, tangle)
	checkNoOrphans(t, &tangle.orphans)
}

// TestFloodOfMany: one sender that floods does not push out what another
// brought, by count.
func TestFloodOfMany(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis, MaxOrphans: 100})
	slow := attachOrphans(t, tangle, "slow", 0, 40, 0)
	attachOrphans(t, tangle, "flood", 1000, 1000, 0)
	requireHeld(t, tangle, slow)
}

// TestFloodOfLarge: nor by bytes. The flooder's few large orphans fill the room
// in bytes; the many small ones of another are not what has to go.
func TestFloodOfLarge(t *testing.T) {
	tangle := New(Options{Genesis: testGenesis, MaxOrphanBytes: 300_000})
	slow := attachOrphans(t, tangle, "slow", 0, 100, 0)
	attachOrphans(t, tangle, "flood", 1000, 100, 30_000)
	requireHeld(t, tangle, slow)
}

func attachOrphans(t *testing.T, tangle *Tangle, sender string, first, count, padding int) (ids []message.ID) {
	t.Helper()
	for i := range count {
		m := waiting(t, first+i, padding, madeUp(1), madeUp(2))
		if _, err := tangle.Attach(m, sender, epoch); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID())
	}
	return ids
}

func requireHeld(t *testing.T, tangle *Tangle, ids []message.ID) {
	t.Helper()
	lost := 0
	for _, id := range ids {
		if !tangle.Has(id) {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("the flood pushed out %d of the other's %d orphans", lost, len(ids))
	}
	checkOrphans(t, &tangle.orphans)
}

// BenchmarkExpireCommonParents drops orphans that all wait for the same two
// parents: what a peer sends that wants to make us work. The time an orphan
// must not grow with their number.
func BenchmarkExpireCommonParents(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 12, 1 << 14} {
		var messages []*message.Message
		for i := range n {
			messages = append(messages, waiting(b, i, 0, madeUp(1), madeUp(2)))
		}
		b.Run(fmt.Sprintf("orphans=%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				tangle := New(Options{Genesis: testGenesis})
				for _, m := range messages {
					if _, err := tangle.Attach(m, "peer", epoch); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if d := tangle.Expire(epoch.Add(time.Hour)); len(d.Evicted) != n {
					b.Fatalf("%d evicted", len(d.Evicted))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/orphan")
		})
	}
}

// BenchmarkMissing asks among 65,536 awaited parents; the default bounds let in
// eight times as many.
func BenchmarkMissing(b *testing.B) {
	tangle := New(Options{Genesis: testGenesis})
	for i := range 1 << 13 {
		parents := make([]message.ID, 8)
		for j := range parents {
			parents[j] = message.NewID(uint64(epoch.UnixNano())+uint64(8*i+j), [32]byte{'?'})
		}
		if _, err := tangle.Attach(waiting(b, i, 0, parents...), "peer", epoch); err != nil {
			b.Fatal(err)
		}
	}
	now := epoch
	for b.Loop() {
		now = now.Add(nextRound)
		if got := len(tangle.Missing("peer", 256, now, 0)); got != 256 {
			b.Fatalf("%d missing", got)
		}
	}
}

// TestCrowds: half of either bound is taken, by whomever, and of that by no less than an
// even share.
func TestCrowds(t *testing.T) {
	size := len(waiting(t, 1, 1000, madeUp(1)).Bytes())
	type brought struct {
		sender          string
		number, padding int
		crowds          bool // in the end
	}
	for name, c := range map[string]struct {
		opts    Options
		senders []brought
	}{
		"half of the number":                {Options{MaxOrphans: 10}, []brought{{"a", 5, 0, true}, {"b", 0, 0, false}}},
		"less than half of the number":      {Options{MaxOrphans: 10}, []brought{{"a", 4, 0, false}}},
		"half of the bytes":                 {Options{MaxOrphanBytes: 8 * size}, []brought{{"a", 4, 1000, true}, {"b", 0, 0, false}}},
		"less than half of the bytes":       {Options{MaxOrphanBytes: 8*size + 2}, []brought{{"a", 4, 1000, false}}},
		"shares of the number":              {Options{MaxOrphans: 40}, []brought{{"a", 9, 0, true}, {"b", 7, 0, true}, {"c", 4, 0, false}}},
		"shares of the bytes":               {Options{MaxOrphanBytes: 40 * size}, []brought{{"a", 9, 1000, true}, {"b", 7, 1000, true}, {"c", 4, 1000, false}}},
		"large ones where bytes are short":  {Options{MaxOrphanBytes: 8 * size}, []brought{{"a", 4, 1000, true}, {"b", 6, 0, false}}},
		"small ones where places are short": {Options{MaxOrphans: 20}, []brought{{"a", 4, 1000, false}, {"b", 6, 0, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Genesis = testGenesis
			tangle, n := New(c.opts), 0
			for _, s := range c.senders {
				for range s.number {
					if _, err := tangle.Attach(waiting(t, n, s.padding, madeUp(uint64(n))), s.sender, epoch); err != nil {
						t.Fatal(err)
					}
					n++
				}
			}
			for _, s := range c.senders {
				if got := tangle.Crowds(s.sender); got != s.crowds {
					t.Errorf("%s crowds: %v, want %v", s.sender, got, s.crowds)
				}
			}
		})
	}
}

// TestOldParentsAreAskedForAtOnce: one that is older than anything on its way is not
// waited for.
func TestOldParentsAreAskedForAtOnce(t *testing.T) {
	const patience = time.Second
	tangle := New(Options{Genesis: testGenesis})
	old := message.NewID(uint64(epoch.Add(time.Minute).UnixNano()), [32]byte{1})
	fresh := message.NewID(old.Timestamp()+1, [32]byte{2})
	now := old.Time().Add(notComing)
	if _, err := tangle.Attach(waiting(t, 1, 0, old, fresh), "peer", now); err != nil {
		t.Fatal(err)
	}
	if got := tangle.Missing("peer", 10, now, patience); len(got) != 1 || got[0] != old {
		t.Errorf("asks for %v at once, want %v", got, old)
	}
	if got := tangle.Missing("peer", 10, now.Add(patience), patience); len(got) != 1 || got[0] != fresh {
		t.Errorf("asks for %v after a while, want %v", got, fresh)
	}
}
