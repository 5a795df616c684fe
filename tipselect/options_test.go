package tipselect

import (
	"slices"
	"testing"
)

func TestOptionsMaxTips(t *testing.T) {
	for _, test := range []struct{ given, want int }{{-1, DefaultMaxTips}, {0, DefaultMaxTips}, {1, 1}} {
		if got := New(Options{MaxTips: test.given}).maxTips; got != test.want {
			t.Errorf("MaxTips %d keeps %d, want %d", test.given, got, test.want)
		}
	}
}

// Without a source of its own, no two Selectors choose alike.
func TestSeeded(t *testing.T) {
	a, b := New(Options{}), New(Options{})
	addAll(a, 0, 1000, epoch, nil)
	addAll(b, 0, 1000, epoch, nil)
	if slices.Equal(a.PickN(epoch, 100), b.PickN(epoch, 100)) {
		t.Error("two Selectors made the same choices")
	}
	c, d := testSelector(1), testSelector(1)
	addAll(c, 0, 1000, epoch, nil)
	addAll(d, 0, 1000, epoch, nil)
	if !slices.Equal(c.PickN(epoch, 100), d.PickN(epoch, 100)) {
		t.Error("the source given is not the only one")
	}
}
