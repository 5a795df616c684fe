package catchup

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
)

func TestParallel(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		calls := make([]atomic.Int32, n)
		if err := parallel(n, 64, func(i int) error { calls[i].Add(1); return nil }); err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			if got := calls[i].Load(); got != 1 {
				t.Fatalf("%d of %d was called %d times", i, n, got)
			}
		}
	}
}

// Of many errors it is always the lowest one's.
func TestParallelError(t *testing.T) {
	for at := range 300 {
		want := fmt.Errorf("of %d", at)
		err := parallel(1000, 7, func(i int) error {
			switch {
			case i == at:
				return want
			case i > at:
				return fmt.Errorf("of %d", i)
			}
			return nil
		})
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
}
