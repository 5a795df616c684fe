package tipselect

import (
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"tangled/message"
)

// epoch is when simulated time starts.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// testID is a distinct ID for every n.
func testID(n int) message.ID { return message.NewID(uint64(n), [32]byte{1}) }

// testSelector is a Selector whose choices depend on seed alone.
func testSelector(seed uint64) *Selector {
	return New(Options{Rand: rand.New(rand.NewPCG(seed, 0))})
}

// behaviour is how an issuer chooses parents.
type behaviour int

const (
	honest  behaviour = iota
	oldPair           // always the same two messages, approved long ago
	mimic             // two messages approved just now: no tip, yet fresh
)

// simulation is a discrete-event model of one network under simulated time:
// issuers with one common view of the pool, messages issued by a Poisson
// process, each of them arriving at everyone after its delay.
type simulation struct {
	seed     uint64
	rate     float64                        // messages a second
	delay    func(*rand.Rand) time.Duration // of the network
	slope    float64                        // of age; 0 = equal weights
	parents  int                            // 0 = what Pick decides
	attack   behaviour                      // of attackers
	share    float64                        // of attackers among messages
	warmup   time.Duration                  // not measured
	duration time.Duration                  // in all
}

// figures is what a simulation measures after its warm-up.
type figures struct {
	pool, usable float64       // mean over time, in all and without lazy tips
	largest      int           // pool
	arrivals     float64       // a second
	first        time.Duration // mean from arrival to removal, honest messages
	oldest       time.Duration // honest tip, approved or not
	parents      float64       // mean, of honest messages
	expired      int           // honest messages
	rewarded     int           // attackers' messages approved
	last         Stats
}

// constant is a network whose every message takes h.
func constant(h time.Duration) func(*rand.Rand) time.Duration {
	return func(*rand.Rand) time.Duration { return h }
}

// sent is a message. Messages are numbered from 0, the genesis.
type sent struct {
	id              int
	parents         []int
	issued, arrived time.Duration
	stopped         time.Duration // being a tip; -1 = not yet
	by              behaviour
}

// network is a simulation under way.
type network struct {
	sim      simulation
	out      figures
	selector *Selector
	rand     *rand.Rand
	now      time.Duration
	messages []*sent
	flight   []*sent // by arrival
	recent   [2]int  // approved last

	arrivals, firsts, issued, chosen int
	waited                           time.Duration
}

func (sim simulation) run() figures {
	n := &network{sim: sim, selector: testSelector(sim.seed), rand: rand.New(rand.NewPCG(sim.seed, 1))}
	n.selector.ageSlope = sim.slope
	n.launch(&sent{stopped: -1})
	issue, second := n.pause(), time.Second
	for n.now < sim.duration {
		switch {
		case len(n.flight) > 0 && n.flight[0].arrived <= min(issue, second):
			n.pass(n.flight[0].arrived)
			n.land()
		case issue <= second:
			n.pass(issue)
			n.issue()
			issue += n.pause()
		default:
			n.pass(second)
			n.expire()
			second += time.Second
		}
	}
	return n.finish()
}

func (n *network) pause() time.Duration {
	return time.Duration(n.rand.ExpFloat64() / n.sim.rate * float64(time.Second))
}

func (n *network) time() time.Time { return epoch.Add(n.now) }

func (n *network) measuring() bool { return n.now >= n.sim.warmup }

// pass lets time pass until t; the pool is the same all that while.
func (n *network) pass(t time.Duration) {
	if n.measuring() {
		span, held := (t - n.now).Seconds(), n.selector.Len()
		n.out.pool += span * float64(held)
		n.out.usable += span * float64(held-len(n.selector.pools[lazy].tips))
		n.out.largest = max(n.out.largest, held)
	}
	n.now = t
}

func (n *network) issue() {
	m := &sent{id: len(n.messages), issued: n.now, arrived: n.now + n.sim.delay(n.rand), stopped: -1}
	if n.rand.Float64() < n.sim.share {
		m.by = n.sim.attack
	}
	m.parents = n.choose(m.by)
	n.launch(m)
}

func (n *network) launch(m *sent) {
	n.messages = append(n.messages, m)
	i := sort.Search(len(n.flight), func(i int) bool { return n.flight[i].arrived > m.arrived })
	n.flight = slices.Insert(n.flight, i, m)
}

func (n *network) choose(by behaviour) []int {
	switch by {
	case oldPair:
		return []int{0, 0}
	case mimic:
		return n.recent[:]
	}
	var ids []message.ID
	if n.sim.parents == 0 {
		ids = n.selector.Pick(n.time())
	} else {
		ids = n.selector.PickN(n.time(), n.sim.parents)
	}
	parents := make([]int, len(ids))
	for i, id := range ids {
		parents[i] = int(id.Timestamp())
	}
	if n.measuring() {
		n.issued++
		n.chosen += len(parents)
	}
	return parents
}

// land is the next arrival: its parents are approved, it becomes a tip.
func (n *network) land() {
	m := n.flight[0]
	n.flight = n.flight[1:]
	n.selector.Observe(m.arrived - m.issued)
	delays := make([]time.Duration, len(m.parents))
	for i, p := range m.parents {
		if n.selector.Remove(testID(p)) {
			n.approved(n.messages[p])
		}
		delays[i] = n.now - n.messages[p].stopped
	}
	n.selector.Add(Tip{ID: testID(m.id), Arrived: n.time(), Delays: delays})
	if n.measuring() {
		n.arrivals++
	}
}

func (n *network) approved(p *sent) {
	p.stopped = n.now
	n.recent = [2]int{n.recent[1], p.id}
	switch {
	case !n.measuring():
	case p.by == honest:
		n.firsts++
		n.waited += n.now - p.arrived
	default:
		n.out.rewarded++
	}
}

func (n *network) expire() {
	for _, id := range n.selector.Expire(n.time()) {
		m := n.messages[id.Timestamp()]
		m.stopped = n.now
		if m.by == honest {
			n.out.expired++
		}
	}
}

// finish turns sums into means.
func (n *network) finish() figures {
	span := (n.now - n.sim.warmup).Seconds()
	n.out.pool /= span
	n.out.usable /= span
	n.out.arrivals = float64(n.arrivals) / span
	n.out.first = n.waited / time.Duration(max(1, n.firsts))
	n.out.parents = float64(n.chosen) / float64(max(1, n.issued))
	n.out.last = n.selector.Stats(n.time())
	for _, m := range n.messages {
		stopped := m.stopped
		if stopped < 0 {
			stopped = n.now
		}
		if m.by == honest {
			n.out.oldest = max(n.out.oldest, stopped-m.arrived)
		}
	}
	return n.out
}
