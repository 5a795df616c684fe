package pow

import "testing"

// TestKernels: those that this machine can run find what the library finds, and the
// last of them is what a Miner takes.
func TestKernels(t *testing.T) {
	hash := [32]byte{7}
	want, ok := searchReference(hash, 5, 1<<16, 9)
	if !ok {
		t.Fatal("no solution among so many")
	}
	var last string
	available := 0
	for _, k := range Kernels() {
		if k.Lanes < 1 {
			t.Errorf("%s: %d lanes", k.Name, k.Lanes)
		}
		if !k.Available {
			continue
		}
		available++
		last = k.Name
		if got, ok := k.Search(hash, 5, 1<<16, 9); !ok || got != want {
			t.Errorf("%s: nonce %d, %v, want %d", k.Name, got, ok, want)
		}
	}
	if available != len(kernels()) {
		t.Errorf("%d kernels are available, want %d", available, len(kernels()))
	}
	if chosen := New(Options{}).kernel.name; last != chosen {
		t.Errorf("the last one available is %s, a Miner takes %s", last, chosen)
	}
}
