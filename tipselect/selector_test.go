package tipselect

import (
	"slices"
	"testing"
	"time"

	"tangled/message"
)

func TestAddDuplicate(t *testing.T) {
	s := testSelector(1)
	s.Add(Tip{ID: testID(1), Arrived: epoch, Delays: approvesOld})
	s.Add(Tip{ID: testID(1), Arrived: epoch.Add(time.Second), Delays: approvesTips})
	got := s.Stats(epoch)
	if s.Len() != 1 || got.Lazy != 1 || got.Added != 1 || got.Duplicates != 1 {
		t.Errorf("%+v, want the first as it was", got)
	}
	if got.Rate != 0 {
		t.Errorf("rate %v from a lazy tip and a duplicate", got.Rate)
	}
}

func TestRemoveUnknown(t *testing.T) {
	s := testSelector(1)
	if s.Remove(testID(1)) {
		t.Error("removed from nothing")
	}
	addAll(s, 1, 2, epoch, nil)
	if s.Remove(testID(2)) || !s.Remove(testID(1)) || s.Remove(testID(1)) {
		t.Error("want Remove true for the tip, once")
	}
	if got := s.Stats(epoch); got.Removed != 1 || s.Len() != 0 {
		t.Errorf("%+v", got)
	}
}

// IDs that agree in all but one byte, wherever it is, are different tips.
func TestSimilarIDs(t *testing.T) {
	s := testSelector(1)
	for i := range message.IDSize {
		var id message.ID
		id[i] = 1
		s.Add(Tip{ID: id, Arrived: epoch})
	}
	if s.Len() != message.IDSize {
		t.Errorf("%d tips, want %d", s.Len(), message.IDSize)
	}
}

func TestExpire(t *testing.T) {
	s := testSelector(1)
	for i, delays := range [][]time.Duration{approvesTips, approvesLate, approvesOld} {
		addAll(s, 10*i, 10*i+5, epoch, delays)
		addAll(s, 10*i+5, 10*i+10, epoch.Add(10*time.Second), delays)
	}
	addAll(s, 30, 31, epoch.Add(-10*time.Second), nil) // found at start, added last
	for _, test := range []struct {
		after time.Duration
		want  []int
	}{
		{10 * time.Second, nil},
		{50 * time.Second, nil},
		{50*time.Second + 1, []int{30}},
		{60 * time.Second, nil},
		{60*time.Second + 1, []int{0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24}},
		{time.Hour, []int{5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 25, 26, 27, 28, 29}},
		{2 * time.Hour, nil},
	} {
		var got []int
		for _, id := range s.Expire(epoch.Add(test.after)) {
			got = append(got, int(id.Timestamp()))
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("after %v: expired %v, want %v", test.after, got, test.want)
		}
	}
	if got := s.Stats(epoch); s.Len() != 0 || got.Expired != 31 {
		t.Errorf("%+v", got)
	}
}

// A clock that is set back must neither keep tips for ever nor expire new ones.
func TestExpireClockSetBack(t *testing.T) {
	s := testSelector(1)
	addAll(s, 0, 1, epoch, nil)
	back := epoch.Add(-time.Hour)
	if ids := s.Expire(back); ids != nil {
		t.Errorf("expired %v by going back", ids)
	}
	addAll(s, 1, 2, back.Add(30*time.Second), nil)
	if ids := s.Expire(back.Add(61 * time.Second)); len(ids) != 1 || ids[0] != testID(0) {
		t.Errorf("expired %v, want the first", ids)
	}
	if ids := s.Expire(back.Add(91 * time.Second)); len(ids) != 1 || ids[0] != testID(1) {
		t.Errorf("expired %v, want the second", ids)
	}
}

func TestEvict(t *testing.T) {
	s := New(Options{MaxTips: 30})
	at := func(i int) time.Time { return epoch.Add(time.Duration(i) * time.Millisecond) }
	classes := [][]time.Duration{approvesTips, approvesOld, approvesLate}
	for i := range 30 {
		s.Add(Tip{ID: testID(i), Arrived: at(i), Delays: classes[i%3]})
	}
	var gone []int
	for i := 30; i < 60; i++ {
		s.Add(Tip{ID: testID(i), Arrived: at(i), Delays: approvesTips})
		if s.Len() != 30 {
			t.Fatalf("%d tips, want 30", s.Len())
		}
		for j := range 60 {
			if _, held := s.tips[testID(j)]; !held && j <= i && !slices.Contains(gone, j) {
				gone = append(gone, j)
			}
		}
	}
	want := []int{1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27}
	if !slices.Equal(gone, want) {
		t.Errorf("evicted %v, want the oldest lazy ones first: %v", gone, want)
	}
	s.Add(Tip{ID: testID(60), Arrived: at(60), Delays: approvesOld})
	if _, held := s.tips[testID(60)]; held || s.Len() != 30 {
		t.Error("a lazy tip displaced a fresh one")
	}
	if got := s.Stats(epoch).Evicted; got != 31 {
		t.Errorf("%d evictions counted, want 31", got)
	}
}

// A million tips at once leave a bounded pool that still works.
func TestFlood(t *testing.T) {
	s := New(Options{})
	addAll(s, 0, 100, epoch, approvesTips)
	addAll(s, 100, 1_000_100, epoch, approvesOld)
	got := s.Stats(epoch)
	if s.Len() != DefaultMaxTips || got.Fresh != 100 || got.Evicted != 1_000_100-DefaultMaxTips {
		t.Errorf("%+v", got)
	}
	for _, id := range s.Pick(epoch) {
		if id.Timestamp() >= 100 {
			t.Errorf("picked %d of the flood", id.Timestamp())
		}
	}
	if expired := len(s.Expire(epoch.Add(61 * time.Second))); expired != DefaultMaxTips || s.Len() != 0 {
		t.Errorf("%d expired, %d left", expired, s.Len())
	}
}
