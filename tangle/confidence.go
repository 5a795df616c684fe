package tangle

import (
	"math/bits"

	"tangled/message"
)

// MaxConfidenceTips is how many tips one measure looks at.
const MaxConfidenceTips = 1024

// Confidence is one measure of how many tips reach each message in memory. It
// is a snapshot: local, reversible, and no ground to move value on.
type Confidence struct {
	tips    int
	base    uint64 // seq of reached[0]
	reached []uint16
	t       *Tangle
}

// Confidence measures which of the given tips (at most MaxConfidenceTips, the
// rest is ignored) hold each message in their past cone: one backward pass with
// a bit a tip, OR into parents, popcount. A tip reaches itself.
//
// The cost is one step a message in memory for every 64 tips.
func (t *Tangle) Confidence(tips []message.ID) *Confidence {
	live := t.order[t.first:]
	c := &Confidence{t: t, reached: make([]uint16, len(live))}
	if len(live) == 0 {
		return c
	}
	c.base = live[0].seq
	tips = tips[:min(len(tips), MaxConfidenceTips)]
	masks := make([]uint64, len(live))
	for len(tips) > 0 {
		clear(masks)
		group := tips[:min(64, len(tips))]
		tips = tips[len(group):]
		for bit, id := range group {
			if v := t.vertices[id]; v != nil {
				masks[v.seq-c.base] |= 1 << bit
				c.tips++
			}
		}
		// Parents became solid before their children, so walking the order
		// backwards sees every child before its parents.
		for i := len(live) - 1; i >= 0; i-- {
			mask := masks[i]
			if mask == 0 {
				continue
			}
			c.reached[i] += uint16(bits.OnesCount64(mask))
			for _, p := range live[i].parents {
				if p.seq >= c.base {
					masks[p.seq-c.base] |= mask
				}
			}
		}
	}
	return c
}

// Tips is how many tips were looked at.
func (c *Confidence) Tips() int { return c.tips }

// Reached is how many of the tips hold id in their past cone. It is false for
// a message that was not in memory when the measure was taken.
func (c *Confidence) Reached(id message.ID) (tips int, ok bool) {
	v := c.t.vertices[id]
	if v == nil || v.seq < c.base || v.seq-c.base >= uint64(len(c.reached)) {
		return 0, false
	}
	return int(c.reached[v.seq-c.base]), true
}
