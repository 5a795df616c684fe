package node

import "time"

// trouble plans the load and what goes wrong, for as long as the plan says.
func (s *sim) trouble() {
	for range s.plan.crashes {
		s.after(s.upTo(s.plan.busy/2), s.crash)
	}
	for _, h := range s.hosts {
		switch {
		case h.fault == scribe:
			s.scribble(h)
		case h.fault == loser:
			s.after(s.between(2*time.Second, s.plan.busy/2), h.forget)
		}
	}
	if s.plan.steps {
		s.whileBusy(2*time.Second, 6*time.Second, s.setClock)
	}
	s.part()
	s.startLoad()
}

// whileBusy does something again and again until the end begins.
func (s *sim) whileBusy(least, most time.Duration, do func()) {
	var again func()
	again = func() {
		if s.ending {
			return
		}
		do()
		s.after(s.between(least, most), again)
	}
	s.after(s.between(least, most), again)
}

// crash has the power of one node fail at one of its next writes.
func (s *sim) crash() {
	h := s.any()
	if h == nil || s.ending {
		return
	}
	// Two that befall one life would be one crash: the power of another fails.
	for range s.hosts {
		if h.crashing != h.life {
			break
		}
		h = s.any()
	}
	h.crashing = h.life
	kept := []int{0, 100}[s.rng.IntN(2)]
	patience := 3 * time.Second
	switch s.rng.IntN(4) {
	case 0:
		h.disk.plan(1+s.rng.IntN(8), 0, kept, s.rng.Uint64())
	case 1: // before or after an anchor
		h.disk.plan(0, 2, kept, s.rng.Uint64())
	case 2: // between two anchors that one witness decides
		h.disk.plan(0, 3, kept, s.rng.Uint64())
		patience *= 3
	case 3: // with the next witness of its own
		h.doomed, h.kept = h.life, kept
	}
	life := h.life
	s.after(patience, func() {
		if h.n != nil && h.life == life && !s.ending {
			h.disk.fail(kept, s.rng.Uint64()) // it wrote too little
		}
	})
}

// setClock sets the clock of a node, by as much as is allowed; one that is wrong
// is set right, and back.
func (s *sim) setClock() {
	h := s.hosts[s.rng.IntN(len(s.hosts))]
	switch h.skew {
	case h.wrong:
		h.skew = 0
	case 0:
		h.skew = h.wrong
	}
	if h.wrong == 0 {
		h.skew = s.between(-allowed, allowed)
	}
	s.counts.clocks++
	s.note("the clock of node %d is set to %v", h.index, h.skew)
}

// part divides the network into two sides, again and again: about half and half,
// or about 70 to 30.
func (s *sim) part() {
	s.after(s.between(3*time.Second, 6*time.Second), func() {
		if s.ending {
			return
		}
		share := 50 - 20*s.rng.IntN(2)
		s.divide(share)
		s.counts.partitions++
		s.note("partition %d", share)
		s.spendOnBothSides()
		s.after(s.between(time.Second, 3*time.Second), func() {
			s.heal()
			s.part()
		})
	})
}

// divide puts seats of about so many percent of the weight on one side. Twins
// are on different sides.
func (s *sim) divide(share int) {
	var total, weight uint64
	for _, w := range s.plan.weights {
		total += w
	}
	s.parted = true
	seen := make(map[int]bool)
	for _, i := range s.rng.Perm(len(s.hosts)) {
		h := s.hosts[i]
		switch {
		case h.seat < 0:
			h.side = s.rng.IntN(2)
		case seen[h.seat]: // the twin
			for _, other := range s.hosts {
				if other != h && other.seat == h.seat {
					h.side = 1 - other.side
				}
			}
		default:
			seen[h.seat] = true
			h.side = 0
			if w := s.plan.weights[h.seat]; 100*(weight+w) <= uint64(share)*total {
				weight += w
				h.side = 1
			}
		}
	}
}

// heal ends the partition. The nodes find each other again within seconds.
func (s *sim) heal() {
	s.parted = false
	s.note("healed")
	for _, h := range s.hosts {
		for _, other := range h.neighbours {
			if h.side != other.side {
				h.links[other].exchangeAt = s.now + s.upTo(5*time.Second)
			}
		}
	}
}
