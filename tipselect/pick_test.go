package tipselect

import (
	"math/rand/v2"
	"testing"
	"time"

	"tangled/message"
)

var (
	approvesTips = []time.Duration{0, 0}                        // s = 1
	approvesHalf = []time.Duration{0, time.Hour}                // s = 0.5
	approvesLate = []time.Duration{0, time.Hour, time.Hour}     // s = 1/3
	approvesOld  = []time.Duration{time.Hour, 1000 * time.Hour} // s = 0.1
)

// addAll adds the tips from..to-1, arrived at.
func addAll(s *Selector, from, to int, at time.Time, delays []time.Duration) {
	for i := from; i < to; i++ {
		s.Add(Tip{ID: testID(i), Arrived: at, Delays: delays})
	}
}

// frequency draws one tip often and returns each one's share.
func frequency(s *Selector, now time.Time, draws int) map[message.ID]float64 {
	share := make(map[message.ID]float64)
	for range draws {
		for _, id := range s.PickN(now, 1) {
			share[id] += 1 / float64(draws)
		}
	}
	return share
}

func TestPickEmpty(t *testing.T) {
	s := testSelector(1)
	if ids := s.Pick(epoch); ids != nil {
		t.Errorf("picked %v from nothing", ids)
	}
	addAll(s, 0, 1, epoch, nil)
	if ids := s.Pick(epoch); len(ids) != 1 || ids[0] != testID(0) {
		t.Errorf("picked %v, want the only tip", ids)
	}
	for _, n := range []int{0, -1} {
		if ids := s.PickN(epoch, n); ids != nil {
			t.Errorf("PickN(%d) = %v", n, ids)
		}
	}
	if ids := s.PickN(epoch, 1<<40); len(ids) != 1 || cap(ids) > 1 {
		t.Errorf("PickN of more than there are: %d, capacity %d", len(ids), cap(ids))
	}
}

// Within the class, w = s * a: here 1 * 1, 0.5 * 1, 1 * 3 and 1 * 8.
func TestPickByWeight(t *testing.T) {
	s := testSelector(2)
	h := s.Delay()
	now := epoch.Add(30 * time.Second)
	addAll(s, 3, 4, now.Add(-20*h), approvesTips)
	addAll(s, 2, 3, now.Add(-4*h), approvesTips)
	addAll(s, 0, 1, now, approvesTips)
	addAll(s, 1, 2, now, approvesHalf)
	share := frequency(s, now, 200_000)
	for i, weight := range []float64{1, 0.5, 3, 8} {
		within(t, "share", share[testID(i)], weight/12.5, 0.03)
	}
}

// Two picked at once are drawn like one after the other, without the first.
func TestPickWithoutReplacement(t *testing.T) {
	s := testSelector(3)
	h := s.Delay()
	now := epoch.Add(30 * time.Second)
	addAll(s, 0, 1, now.Add(-20*h), approvesTips) // 8
	addAll(s, 1, 2, now.Add(-2*h), approvesTips)  // 2
	addAll(s, 2, 3, now, approvesTips)            // 1
	const draws = 100_000
	left := make(map[message.ID]float64)
	for range draws {
		ids := s.PickN(now, 2)
		for i := range 3 {
			if ids[0] != testID(i) && ids[1] != testID(i) {
				left[testID(i)]++
			}
		}
	}
	// P(1 and 2) = 2/11 * 1/9 + 1/11 * 2/10, and so on.
	within(t, "8 left out", left[testID(0)]/draws, 2./11*1/9+1./11*2/10, 0.05)
	within(t, "2 left out", left[testID(1)]/draws, 8./11*1/3+1./11*8/10, 0.03)
	within(t, "1 left out", left[testID(2)]/draws, 8./11*2/3+2./11*8/9, 0.03)
}

func TestPickByClass(t *testing.T) {
	const draws = 100_000
	s := testSelector(4)
	addAll(s, 0, 10, epoch, approvesTips)
	addAll(s, 10, 1000, epoch, approvesLate)
	addAll(s, 1000, 5000, epoch, approvesOld)
	now := epoch.Add(time.Second)
	var semi float64
	for id, share := range frequency(s, now, draws) {
		switch i := id.Timestamp(); {
		case i >= 1000:
			t.Fatalf("lazy tip %d picked", i)
		case i >= 10:
			semi += share
		}
	}
	within(t, "semi-lazy share", semi, 0.05, 0.05)

	for i := range 10 {
		s.Remove(testID(i))
	}
	for id := range frequency(s, now, 1000) {
		if id.Timestamp() >= 1000 {
			t.Fatalf("lazy tip %d picked", id.Timestamp())
		}
	}
	for i := 10; i < 999; i++ {
		s.Remove(testID(i))
	}
	ids := s.PickN(now, 3) // the last semi-lazy one, and lazy ones since nothing else is left
	if len(ids) != 3 || ids[0] != testID(999) || ids[1].Timestamp() < 1000 || ids[2].Timestamp() < 1000 {
		t.Errorf("picked %v", ids)
	}
}

// An old fresh tip is picked at once among a thousand newer ones: its chance
// a pick is 1 - (1 - 8/1008)^2.
func TestPickStarvation(t *testing.T) {
	s := testSelector(5)
	s.Add(Tip{ID: testID(0), Arrived: epoch})
	now := epoch.Add(20 * s.Delay())
	addAll(s, 1, 1001, now, approvesTips)
	const rounds = 20_000
	hits := 0.0
	for range rounds {
		for _, id := range s.PickN(now, 2) {
			if id == testID(0) {
				hits++
			}
		}
	}
	within(t, "chance of the old one", hits/rounds, 2*8./1008, 0.1)
}

func TestParents(t *testing.T) {
	const perSecond, seconds = 1000, 20
	for _, test := range []struct {
		name             string
		usable, lazyTips int
		want             int
	}{
		{"empty", 0, 0, 2},
		{"small pool", 16, 0, 2},
		{"at L0", 400, 0, 2},
		{"at 1.5 L0", 590, 0, 2},
		{"over 1.5 L0", 640, 0, 4},
		{"twice L0", 790, 0, 4},
		{"over twice L0", 850, 0, 5},
		{"many", 5000, 0, 8},
		{"lazy ones out of reach", 400, 30_000, 2},
		{"lazy ones out of reach of eight", 8, 30_000, 2},
		{"lazy ones within reach", 7, 30_000, 8},
		{"few lazy ones within reach", 0, 590, 2},
	} {
		s := testSelector(6)
		arrivals := perSecond * seconds
		for i := range arrivals {
			at := epoch.Add(time.Duration(i) * time.Second / perSecond)
			s.Add(Tip{ID: testID(i), Arrived: at})
			if s.Len() > test.usable {
				s.Remove(testID(i - test.usable))
			}
		}
		now := epoch.Add(seconds * time.Second)
		addAll(s, arrivals, arrivals+test.lazyTips, now, approvesOld)
		stats := s.Stats(now)
		if got := stats.Parents; got != test.want {
			t.Errorf("%s: %d parents, want %d: %+v", test.name, got, test.want, stats)
		}
		if got := len(s.Pick(now)); got != min(s.Len(), test.want) {
			t.Errorf("%s: picked %d, want %d", test.name, got, test.want)
		}
	}
}

// When traffic has stopped, what is left over is gathered by eight at a time.
func TestParentsAfterTraffic(t *testing.T) {
	s := testSelector(7)
	addAll(s, 0, 17, epoch, approvesTips)
	if got := len(s.Pick(epoch.Add(50 * time.Second))); got != 8 {
		t.Errorf("picked %d of 17 left over, want 8", got)
	}
	s.Remove(testID(0))
	if got := len(s.Pick(epoch.Add(50 * time.Second))); got != 2 {
		t.Errorf("picked %d of 16 left over, want 2", got)
	}
	if got := testSelector(8).parents(); got != 2 {
		t.Errorf("%d parents before any traffic", got)
	}
}

func TestEligible(t *testing.T) {
	s := testSelector(9)
	addAll(s, 0, 50, epoch, approvesTips)
	addAll(s, 50, 100, epoch.Add(30*time.Second), approvesHalf)
	addAll(s, 100, 150, epoch.Add(30*time.Second), approvesLate)
	addAll(s, 150, 200, epoch.Add(30*time.Second), approvesOld)
	for _, test := range []struct {
		after       time.Duration
		n           int
		want, total int
	}{
		{30 * time.Second, 1024, 100, 100},
		{30 * time.Second, 100, 100, 100},
		{30 * time.Second, 10, 10, 100},
		{30 * time.Second, 0, 0, 100},
		{30 * time.Second, -1, 0, 100},
		{60 * time.Second, 1024, 100, 100},
		{60*time.Second + 1, 1024, 50, 50}, // over age, though not expired yet
		{60*time.Second + 1, 20, 20, 50},
		{91 * time.Second, 10, 0, 0},
	} {
		ids, total := s.Eligible(epoch.Add(test.after), test.n)
		if len(ids) != test.want || total != test.total || (ids == nil) != (test.want == 0) {
			t.Errorf("Eligible(%v, %d) = %d tips of %d, want %d of %d", test.after, test.n, len(ids), total, test.want, test.total)
		}
		seen := make(map[message.ID]bool)
		for _, id := range ids {
			if i := id.Timestamp(); seen[id] || i >= 100 || (total == 50 && i < 50) {
				t.Errorf("Eligible(%v, %d) returned %d", test.after, test.n, i)
			}
			seen[id] = true
		}
	}
}

// The sample is uniform whatever the weights.
func TestEligibleUniform(t *testing.T) {
	s := testSelector(10)
	addAll(s, 0, 5, epoch, approvesTips)
	now := epoch.Add(30 * time.Second)
	addAll(s, 5, 10, now, approvesHalf)
	const draws = 50_000
	share := make(map[message.ID]float64)
	for range draws {
		ids, _ := s.Eligible(now, 3)
		for _, id := range ids {
			share[id] += 1. / (3 * draws)
		}
	}
	for i := range 10 {
		within(t, "share", share[testID(i)], 0.1, 0.05)
	}
}

func TestPickAllocates(t *testing.T) {
	s := testSelector(11)
	addAll(s, 0, 1000, epoch, approvesTips)
	next, now := 1000, epoch
	allocated := testing.AllocsPerRun(1000, func() {
		now = now.Add(time.Millisecond)
		ids := s.Pick(now)
		s.Remove(ids[0])
		s.Observe(startDelay)
		s.Add(Tip{ID: testID(next), Arrived: now, Delays: approvesTips})
		next++
	})
	if allocated > 1 {
		t.Errorf("%v allocations for pick, add and remove, want only the slice", allocated)
	}
}

func BenchmarkPickAddRemove10k(b *testing.B) {
	for _, bench := range []struct {
		name   string
		delays []time.Duration
	}{{"fresh", approvesTips}, {"half", approvesHalf}, {"semilazy", approvesLate}, {"lazy", approvesOld}} {
		b.Run(bench.name, func(b *testing.B) {
			const tips, perSecond = 10_000, 10_000
			s := New(Options{Rand: rand.New(rand.NewChaCha8([32]byte{1}))})
			for range delayWindow {
				s.Observe(tips * time.Second / perSecond / 2) // L0 = tips
			}
			now, next := epoch, 0
			add := func() {
				now = now.Add(time.Second / perSecond)
				s.Add(Tip{ID: testID(next), Arrived: now, Delays: bench.delays})
				next++
			}
			for range tips {
				add()
			}
			b.ReportAllocs()
			for b.Loop() {
				add()
				s.Remove(s.Pick(now)[0])
			}
		})
	}
}

func BenchmarkObserve(b *testing.B) {
	s := testSelector(1)
	random := rand.New(rand.NewPCG(1, 1))
	for range delayWindow {
		s.Observe(time.Duration(random.Int64N(int64(time.Second))))
	}
	for b.Loop() {
		s.Observe(time.Duration(random.Int64N(int64(time.Second))))
	}
}
