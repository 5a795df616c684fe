package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// GapReason tells why a store lacks what it lacks.
type GapReason uint8

// The reasons. Where several hold for an anchor, the gap has the one that comes
// first in this order: pruned, never, topic.
const (
	GapNever  GapReason = 1 // the store began behind it: lists, commitments and bodies were never all here
	GapPruned GapReason = 2 // deleted by age: bodies, and lists and commitments up to some anchor
	GapTopic  GapReason = 3 // bodies of some topics were deleted; lists and commitments are here
)

// String is the reason in a word.
func (r GapReason) String() string {
	switch r {
	case GapNever:
		return "never"
	case GapPruned:
		return "pruned"
	case GapTopic:
		return "topic"
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// rank orders reasons by how much may be missing, the most last.
func (r GapReason) rank() int { return slices.Index([]GapReason{GapTopic, GapNever, GapPruned}, r) }

// Gap is a range of anchors, of each of which the store may lack messages, its
// list or its commitment. It may have all of some; of anchors in no gap it has
// all.
type Gap struct {
	First, Last uint64 // both are in it
	Reason      GapReason
}

// Gaps are the gaps, ascending and disjoint. The caller owns the slice. The error
// is that the store is closed.
func (s *Store) Gaps() ([]Gap, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.readers.Done()
	return slices.Clone(*s.gaps.Load()), nil
}

// CompleteFrom is the lowest anchor from which on all is here up to the last
// anchor: 1 in a store without gaps, and the one after LastAnchor where that
// itself is in a gap.
func (s *Store) CompleteFrom() uint64 {
	gaps := *s.gaps.Load()
	if len(gaps) == 0 {
		return 1
	}
	return gaps[len(gaps)-1].Last + 1
}

// ListsFrom is the lowest anchor from which on all lists and commitments are here,
// whatever bodies were deleted with their topics: 1 in a store that was neither
// seeded nor pruned.
func (s *Store) ListsFrom() uint64 {
	from := uint64(1)
	for _, g := range *s.gaps.Load() {
		if g.Reason != GapTopic {
			from = g.Last + 1
		}
	}
	return from
}

// loadGaps reads the gaps. An anchor that is not there yet cannot be in one.
func (s *Store) loadGaps() error {
	gaps := []Gap{}
	s.gaps.Store(&gaps)
	for g, err := range rows(s.db, table(tableGap, anchorKeySize), decodeGap) {
		if err != nil {
			return err
		}
		behind := len(gaps) > 0 && g.First <= gaps[len(gaps)-1].Last
		if behind || g.Last > s.anchor.Load() {
			return &CorruptionError{tableGap, anchorKey(tableGap, g.First)[1:], fmt.Errorf("a gap up to %d that overlaps another or the end", g.Last)}
		}
		gaps = append(gaps, g)
	}
	return nil
}

func decodeGap(key, value []byte) (Gap, error) {
	if err := wantSize(value, 9); err != nil {
		return Gap{}, err
	}
	g := Gap{binary.BigEndian.Uint64(key[1:]), binary.BigEndian.Uint64(value), GapReason(value[8])}
	if g.First == 0 || g.Last < g.First || g.Last == math.MaxUint64 || g.Reason.rank() < 0 {
		return Gap{}, errors.New("not a gap")
	}
	return g, nil
}

// putGaps makes the rows of the gaps in memory those of the gaps that will be.
func putGaps(b *pebble.Batch, has, want []Gap) {
	for _, g := range has {
		if !slices.Contains(want, g) {
			_ = b.Delete(anchorKey(tableGap, g.First), nil)
		}
	}
	for _, g := range want {
		if !slices.Contains(has, g) {
			value := append(binary.BigEndian.AppendUint64(nil, g.Last), byte(g.Reason))
			_ = b.Set(anchorKey(tableGap, g.First), value, nil)
		}
	}
}

// addGap adds a gap to gaps. Where it overlaps one, the greater reason holds;
// neighbours with one reason become one.
func addGap(gaps []Gap, added Gap) []Gap {
	all := append(slices.Clone(gaps), added)
	var bounds []uint64 // where something begins or has just ended
	for _, g := range all {
		bounds = append(bounds, g.First, g.Last+1)
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	out := []Gap{}
	for i, first := range bounds[:len(bounds)-1] {
		var reason GapReason
		for _, g := range all {
			if g.First <= first && first <= g.Last && (reason == 0 || g.Reason.rank() > reason.rank()) {
				reason = g.Reason
			}
		}
		last := bounds[i+1] - 1
		switch n := len(out); {
		case reason == 0:
		case n > 0 && out[n-1].Last+1 == first && out[n-1].Reason == reason:
			out[n-1].Last = last
		default:
			out = append(out, Gap{first, last, reason})
		}
	}
	return out
}

// cutGap takes an anchor out of the gap that it is in, which shrinks, splits or
// ends.
func cutGap(gaps []Gap, anchor uint64) []Gap {
	out := []Gap{}
	for _, g := range gaps {
		if anchor < g.First || anchor > g.Last {
			out = append(out, g)
			continue
		}
		if g.First < anchor {
			out = append(out, Gap{g.First, anchor - 1, g.Reason})
		}
		if anchor < g.Last {
			out = append(out, Gap{anchor + 1, g.Last, g.Reason})
		}
	}
	return out
}

// gapAt is the gap that an anchor is in; false if it is in none.
func gapAt(gaps []Gap, anchor uint64) (Gap, bool) {
	for _, g := range gaps {
		if g.First <= anchor && anchor <= g.Last {
			return g, true
		}
	}
	return Gap{}, false
}
