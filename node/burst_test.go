package node

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// TestBurstBecomesFinal: what very many issue at one moment, after which all is
// quiet, leaves far more tips than the few that witnesses approve otherwise.
func TestBurstBecomesFinal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		n := w.open(w.first(0, vfs.NewMem()))
		const burst = 4000
		ids := make([]message.ID, burst)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() {
				id, err := n.Issue(t.Context(), reading(i))
				if err != nil {
					t.Error(err)
				}
				ids[i] = id
			})
		}
		all.Wait()
		until(t, 15*time.Second, "all of it is final", allFinal([]*Node{n}, ids...))
	})
}
