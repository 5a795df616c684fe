package consensus

import (
	"cmp"
	"slices"

	"tangled/message"
)

// Anchor is a committed leader witness. Times are ns since the Unix epoch.
type Anchor struct {
	Index  uint64 // j, 1 and up without a gap
	Wave   uint64 // above that of anchor j-1; the waves between were skipped
	Round  uint64 // 3*Wave+1
	Seat   int
	ID     message.ID
	Median uint64 // weighted median of the timestamps of its refs; 0 in round 1
}

// anchor makes the next anchor of a leader witness.
func (g *Graph) anchor(v *vertex) Anchor {
	g.lastIndex++
	return Anchor{
		Index:  g.lastIndex,
		Wave:   waveOf(v.Round),
		Round:  v.Round,
		Seat:   v.Seat,
		ID:     v.ID,
		Median: g.committee.median(v.Refs),
	}
}

// median is the least timestamp t such that the refs to witnesses not younger
// than t weigh half of what all of the refs weigh. More than half of any quorum
// is honest, so seats that lie cannot move it beyond what honest clocks say.
func (c *Committee) median(refs []message.Ref) uint64 {
	refs = slices.SortedFunc(slices.Values(refs), func(a, b message.Ref) int {
		return cmp.Compare(a.ID.Timestamp(), b.ID.Timestamp())
	})
	var all, reached uint64
	for _, ref := range refs {
		all += c.seats[ref.Seat].Weight
	}
	for _, ref := range refs {
		if reached += c.seats[ref.Seat].Weight; 2*reached >= all {
			return ref.ID.Timestamp()
		}
	}
	return 0
}

// LedgerTime is T_j: the median timestamp of anchor j's refs, or T_{j-1} if that
// is later. Where the cap on the included set bit, what waits must not go stale:
// then it is no later than lastTaken, the timestamp of the last message taken,
// which is read in that case alone. All in ns since the Unix epoch.
func LedgerTime(previous, median, lastTaken uint64, capped bool) uint64 {
	if capped {
		median = min(median, lastTaken)
	}
	return max(previous, median)
}
