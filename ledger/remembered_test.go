package ledger

import (
	"slices"
	"testing"

	"tangled/message"
)

// TestRememberedForgets: the set and the heap hold the same IDs, so that a ledger
// does not grow with all transfers there ever were.
func TestRememberedForgets(t *testing.T) {
	r := remembered{ids: make(map[message.TransferID]struct{})}
	all := make([]AppliedTransfer, 100)
	for i := range all {
		all[i] = AppliedTransfer{message.TransferID{byte(i)}, uint64(i*37%100) / 2}
		r.add(all[i])
	}
	slices.SortFunc(all, AppliedTransfer.compare)
	for time := range uint64(52) {
		due := min(len(all), 2)
		if time == 0 {
			due = 0
		}
		if got := r.dropExpired(time); !slices.Equal(got, all[:due]) {
			t.Fatalf("dropped %v at %d, want %v", got, time, all[:due])
		}
		for _, dropped := range all[:due] {
			if r.has(dropped.ID) {
				t.Fatalf("%v is still there at %d", dropped, time)
			}
		}
		all = all[due:]
		if len(r.ids) != len(all) || len(r.queue) != len(all) {
			t.Fatalf("%d and %d remembered at %d, want %d", len(r.ids), len(r.queue), time, len(all))
		}
	}
}
