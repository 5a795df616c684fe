package consensus

import (
	"slices"

	"tangled/message"
)

// model is section 6 of the design once more, by definition and without regard
// to cost: it sees the whole set of witnesses at once, asks every question anew
// and recursively, and shares no code with the rule it is compared with.
type model struct {
	weights []uint64
	all     map[message.ID]Witness
	byRound map[uint64][]Witness
	counted map[message.ID]bool // answers of counts
}

func newModel(weights []uint64, witnesses []Witness) *model {
	m := &model{weights: weights, all: make(map[message.ID]Witness), byRound: make(map[uint64][]Witness), counted: make(map[message.ID]bool)}
	for _, w := range witnesses {
		m.all[w.ID] = w
	}
	for _, w := range witnesses {
		m.counted[w.ID] = m.counts(w)
		m.byRound[w.Round] = append(m.byRound[w.Round], w)
	}
	return m
}

func (m *model) quorum(seats map[int]bool) bool {
	var weight, total uint64
	for seat, own := range m.weights {
		total += own
		if seats[seat] {
			weight += own
		}
	}
	return weight*3 > total*2
}

func (m *model) leader(wave uint64) int {
	current := make([]int64, len(m.weights))
	for {
		var total int64
		for seat, weight := range m.weights {
			current[seat] += int64(weight)
			total += int64(weight)
		}
		best := slices.Index(current, slices.Max(current))
		if wave == 0 {
			return best
		}
		current[best] -= total
		wave--
	}
}

func (m *model) counts(w Witness) bool {
	if w.Epoch != 0 || w.Seat >= len(m.weights) || w.Round == 0 {
		return false
	}
	if w.Round == 1 {
		return len(w.Refs) == 0
	}
	seats := make(map[int]bool)
	for _, ref := range w.Refs {
		target, ok := m.all[ref.ID]
		if !ok || target.Seat != int(ref.Seat) || target.Round+1 != w.Round || target.Epoch != 0 {
			return false
		}
		seats[target.Seat] = true
	}
	return len(seats) == len(w.Refs) && m.quorum(seats)
}

func (m *model) votes(v, leader Witness) bool {
	return m.counted[v.ID] && v.Round == leader.Round+1 &&
		slices.ContainsFunc(v.Refs, func(ref message.Ref) bool { return ref.ID == leader.ID })
}

func (m *model) certificate(c, leader Witness) bool {
	voters := make(map[int]bool)
	for _, ref := range c.Refs {
		if v := m.all[ref.ID]; m.votes(v, leader) {
			voters[v.Seat] = true
		}
	}
	return m.counted[c.ID] && c.Round == leader.Round+2 && m.quorum(voters)
}

// leaders are the leader witnesses of a wave.
func (m *model) leaders(wave uint64) []Witness {
	var leaders []Witness
	for _, w := range m.byRound[3*wave+1] {
		if m.counted[w.ID] && w.Seat == m.leader(wave) {
			leaders = append(leaders, w)
		}
	}
	return leaders
}

// direct is the leader witness of a wave that certificates of a quorum commit.
func (m *model) direct(wave uint64) (Witness, bool) {
	for _, leader := range m.leaders(wave) {
		seats := make(map[int]bool)
		for _, c := range m.byRound[3*wave+3] {
			if m.certificate(c, leader) {
				seats[c.Seat] = true
			}
		}
		if m.quorum(seats) {
			return leader, true
		}
	}
	return Witness{}, false
}

// past is what w reaches by refs over witnesses that count, into set.
func (m *model) past(w Witness, set map[message.ID]Witness) map[message.ID]Witness {
	for _, ref := range w.Refs {
		if _, done := set[ref.ID]; !done && m.counted[ref.ID] {
			set[ref.ID] = m.all[ref.ID]
			m.past(m.all[ref.ID], set)
		}
	}
	return set
}

// chain is the anchors up to leader, which is one.
func (m *model) chain(leader Witness) []Witness {
	past := m.past(leader, make(map[message.ID]Witness))
	for wave := (leader.Round - 1) / 3; wave > 0; wave-- {
		for _, earlier := range m.leaders(wave - 1) {
			for _, c := range past {
				if m.certificate(c, earlier) {
					return append(m.chain(earlier), leader)
				}
			}
		}
	}
	return []Witness{leader}
}

// anchors are those that the whole set decides, from the highest wave that
// commits directly.
func (m *model) anchors() []Anchor {
	var highest uint64
	for number := range m.byRound {
		highest = max(highest, number)
	}
	for wave := highest / 3; ; wave-- {
		if leader, ok := m.direct(wave); ok {
			var anchors []Anchor
			for i, w := range m.chain(leader) {
				anchors = append(anchors, Anchor{
					Index: uint64(i) + 1, Wave: (w.Round - 1) / 3, Round: w.Round, Seat: w.Seat, ID: w.ID, Median: m.median(w),
				})
			}
			return anchors
		}
		if wave == 0 {
			return nil
		}
	}
}

// median tries every timestamp among the refs.
func (m *model) median(w Witness) uint64 {
	var least uint64
	for _, candidate := range w.Refs {
		var reached, all uint64
		t := candidate.ID.Timestamp()
		for _, ref := range w.Refs {
			weight := m.weights[ref.Seat]
			all += weight
			if ref.ID.Timestamp() <= t {
				reached += weight
			}
		}
		if reached*2 >= all && (least == 0 || t < least) {
			least = t
		}
	}
	return least
}
