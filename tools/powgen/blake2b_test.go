package main

import "testing"

// TestStepsHaveNoDeadUpdate counts what a hash costs. Of the 12 rounds of 64
// updates, newBlock has done three mixings; at the end two mixings have nothing
// to do with words 0 and 8, and the tails of four others.
func TestStepsHaveNoDeadUpdate(t *testing.T) {
	list := steps()
	if len(list) != 2*rounds {
		t.Fatalf("%d steps, want %d", len(list), 2*rounds)
	}
	updates := 0
	for i, step := range list {
		written := map[int]bool{}
		for _, m := range step {
			updates += m.updates
			for _, w := range []int{m.a, m.b, m.c, m.d} {
				if written[w] {
					t.Errorf("step %d: two mixings touch word %d", i, w)
				}
				written[w] = true
			}
		}
	}
	if want := rounds*64 - 3*8 - 2*8 - (1 + 1 + 3 + 1); updates != want {
		t.Errorf("%d updates, want %d", updates, want)
	}
}
