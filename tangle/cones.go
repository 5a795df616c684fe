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
	c := &Confidence{t: t, base: t.vertices.oldest, reached: make([]uint16, t.vertices.len())}
	masks := make([]uint64, len(c.reached))
	tips = tips[:min(len(tips), MaxConfidenceTips)]
	for len(tips) > 0 {
		group := tips[:min(64, len(tips))]
		tips = tips[len(group):]
		clear(masks)
		c.tips += t.sweep(group, masks)
		for i, mask := range masks {
			c.reached[i] += uint16(bits.OnesCount64(mask))
		}
	}
	return c
}

// Tips is how many tips were looked at.
func (c *Confidence) Tips() int { return c.tips }

// Reached is how many of the tips hold id in their past cone. It is false for
// a message that was not in memory when the measure was taken.
func (c *Confidence) Reached(id message.ID) (tips int, ok bool) {
	v, seq := c.t.vertices.find(id)
	if v == nil || seq < c.base || seq-c.base >= uint64(len(c.reached)) {
		return 0, false
	}
	return int(c.reached[seq-c.base]), true
}

// Approval is one measure of which of some messages, at most 64, have each
// message in memory in their past cone.
type Approval struct {
	base  uint64
	masks []uint64
	t     *Tangle
}

// Approval measures who stands on what: bit i for the i-th of the given
// messages, as the newest witness of each seat. The cost is one step a message
// in memory.
func (t *Tangle) Approval(by []message.ID) *Approval {
	a := &Approval{t: t, base: t.vertices.oldest, masks: make([]uint64, t.vertices.len())}
	t.sweep(by, a.masks)
	return a
}

// Of has a bit for each message that stands on id. It is false for one that was
// not in memory when the measure was taken.
func (a *Approval) Of(id message.ID) (mask uint64, ok bool) {
	v, seq := a.t.vertices.find(id)
	if v == nil || seq < a.base || seq-a.base >= uint64(len(a.masks)) {
		return 0, false
	}
	return a.masks[seq-a.base], true
}

// sweep sets in masks, an entry a vertex from the oldest on, the bits of those
// of the sources (at most 64) that have it in their past cone. It returns how
// many sources are in memory.
func (t *Tangle) sweep(sources []message.ID, masks []uint64) (found int) {
	s := &t.vertices
	for bit, id := range sources {
		if v, seq := s.find(id); v != nil {
			masks[seq-s.oldest] |= 1 << bit
			found++
		}
	}
	// Parents became solid before their children, so walking the order
	// backwards sees every child before its parents.
	for seq := s.next; seq > s.oldest; {
		seq--
		mask := masks[seq-s.oldest]
		if mask == 0 {
			continue
		}
		v := s.at(seq)
		for _, to := range v.edges[:v.count] {
			if to >= s.oldest {
				masks[to-s.oldest] |= mask
			}
		}
		for _, to := range s.rest(v, seq) {
			if to >= s.oldest {
				masks[to-s.oldest] |= mask
			}
		}
	}
	return found
}
