package localnet

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestRetention: middle nodes write snapshots and delete what is older than their
// retention, also where they are stopped and started meanwhile; the permanode keeps
// all of it.
func TestRetention(t *testing.T) {
	const retention, window = 20 * time.Second, 10 * time.Second
	opts := Options{Middle: 2, Permanodes: 1, Window: window, Retention: retention, SnapshotInterval: retention / 4}
	inBubble(t, opts, func(c *city) {
		t, r := c.t, rand.New(rand.NewPCG(1, 0))
		for round := range 6 {
			c.run(r, 12, nil)
			m := c.Members[round%2]
			if err := m.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.Restart(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		permanode := c.Members[2]
		c.order(permanode, time.Minute)
		all := c.info(permanode)
		for _, m := range c.Members[:2] {
			info := c.info(m)
			// What is older than the retention and the snapshots' intervals is gone, in a
			// run of more than seventy seconds.
			if info.Messages > all.Messages*2/3 {
				t.Errorf("%s has %d messages, the permanode %d", m.Name, info.Messages, all.Messages)
			}
			if info.Anchor+5 < all.Anchor {
				t.Errorf("%s is at anchor %d, the permanode at %d", m.Name, info.Anchor, all.Anchor)
			}
			if snapshots, err := m.Node.Snapshots(); err != nil || len(snapshots) == 0 {
				t.Errorf("%s has %d snapshots, %v", m.Name, len(snapshots), err)
			}
		}
	})
}
