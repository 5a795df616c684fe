package tipselect

import (
	"math"
	"testing"
	"time"
)

func TestFreshness(t *testing.T) {
	const h = 100 * time.Millisecond
	const ancient = time.Duration(math.MaxInt64)
	for _, test := range []struct {
		name   string
		delays []time.Duration
		want   float64
		class  class
	}{
		{"no parents", nil, 1, fresh},
		{"first approver", []time.Duration{0, 0}, 1, fresh},
		{"negative", []time.Duration{-time.Hour, math.MinInt64}, 1, fresh},
		{"within two delays", []time.Duration{2 * h, 2 * h}, 1, fresh},
		{"half a delay late", []time.Duration{5 * h / 2, 5 * h / 2}, math.Exp(-1), semiLazy},
		{"one fresh, one half late", []time.Duration{0, 5 * h / 2}, (1 + math.Exp(-1)) / 2, fresh},
		{"one fresh, one ancient", []time.Duration{0, ancient}, 0.5, fresh},
		{"one of three", []time.Duration{ancient, 0, ancient}, 1. / 3, semiLazy},
		{"one of eight", []time.Duration{0, ancient, ancient, ancient, ancient, ancient, ancient, ancient}, 0.125, semiLazy},
		{"a delay late", []time.Duration{3 * h, 3 * h}, math.Exp(-2), semiLazy},
		{"lazy", []time.Duration{3200 * time.Millisecond, 330 * time.Millisecond}, 0.1, lazy},
		{"ancient", []time.Duration{ancient, ancient}, 0.1, lazy},
	} {
		got := freshness(test.delays, h)
		if math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s: s = %v, want %v", test.name, got, test.want)
		}
		if c := classOf(got); c != test.class {
			t.Errorf("%s: class %d, want %d", test.name, c, test.class)
		}
		if got > classOf(got).maxFreshness() {
			t.Errorf("%s: s = %v above its class's maximum", test.name, got)
		}
	}
}

func TestAge(t *testing.T) {
	const h = 100 * time.Millisecond
	for _, test := range []struct {
		wait time.Duration
		want float64
	}{
		{-time.Hour, 1}, {0, 1}, {h, 1.5}, {2 * h, 2}, {13 * h, 7.5}, {14 * h, 8}, {15 * h, 8}, {math.MaxInt64, 8},
	} {
		if got := age(test.wait, h, ageSlope); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("a = %v after %v, want %v", got, test.wait, test.want)
		}
	}
}
