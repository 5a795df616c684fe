package consensus

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"tangled/message"
)

// scenario is the state of one file in testdata: a Graph, and the witnesses by
// name.
type scenario struct {
	committee *Committee
	graph     *Graph
	epoch     uint32
	bare      bool // without Lookup
	disk      store
	witnesses map[string]Witness
	names     map[message.ID]string
}

// TestScenarios runs the files in testdata. A witness is named by its seat and
// round: c2 is the third seat's of round 2, c2* and c2*2 are further ones for
// the same round. abd2 is short for a2 b2 d2. Witness a2 has the time 2s, b2
// 2.001s, c2 2.002s and so on, unless @ says otherwise. The commands are:
//
//	new weights=(1,1,1,1) [epoch=] [next-wave=] [last-index=] [bare]
//	observe                  a line makes witnesses and observes them, or observes known ones again:
//	                           abc2 : abc1          each of a2 b2 c2 refs a1 b1 c1
//	                           d2 : ab1 c=b1        it says that b1 is of seat c
//	                           d2 @7s epoch=1 : abc1
//	declare                  the same without observing
//	store a1 b1              what Lookup finds; what was observed is there always
//	restart [next-wave= last-index=]     a new Graph observes what is stored, in the order of IDs
//	status  wave 0  refs 2  highest  copies a1  leaders 8
//
// "bare" is a Graph without Lookup.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *scenario
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			if td.Cmd == "new" {
				s = newScenario(t, td)
				return s.describe()
			}
			out := s.run(t, td)
			checkInvariants(t, s.graph)
			return out
		})
	})
}

func newScenario(t *testing.T, td *datadriven.TestData) *scenario {
	s := &scenario{
		bare:      td.HasArg("bare"),
		disk:      make(store),
		witnesses: make(map[string]Witness),
		names:     make(map[message.ID]string),
	}
	arg, _ := td.Arg("weights")
	var weights []uint64
	for _, text := range arg.Vals {
		weights = append(weights, uint64(number(t, td, text)))
	}
	s.committee = newCommittee(t, weights...)
	td.MaybeScanArgs(t, "epoch", &s.epoch)
	s.open(t, td, 0, 0)
	return s
}

// open makes the Graph.
func (s *scenario) open(t *testing.T, td *datadriven.TestData, nextWave, lastIndex uint64) {
	td.MaybeScanArgs(t, "next-wave", &nextWave)
	td.MaybeScanArgs(t, "last-index", &lastIndex)
	opts := Options{Committee: s.committee, Epoch: s.epoch, NextWave: nextWave, LastIndex: lastIndex}
	if !s.bare {
		opts.Lookup = s.disk.lookup
	}
	s.graph = New(opts)
}

func (s *scenario) describe() string {
	c := s.committee
	quorum := c.Total()
	for 3*(quorum-1) > 2*c.Total() {
		quorum--
	}
	return fmt.Sprintf("%d seats of weight %d, a quorum is %d; %s", c.Size(), c.Total(), quorum, s.leaders(6))
}

func (s *scenario) leaders(n int) string {
	var seats []string
	for wave := range n {
		seats = append(seats, seatName(s.committee.Leader(uint64(wave))))
	}
	return "leaders " + strings.Join(seats, " ")
}

func (s *scenario) run(t *testing.T, td *datadriven.TestData) string {
	first := ""
	if len(td.CmdArgs) > 0 {
		first = td.CmdArgs[0].Key
	}
	switch td.Cmd {
	case "observe", "declare":
		var out []string
		for line := range strings.SplitSeq(td.Input, "\n") {
			names := s.line(t, td, line)
			if td.Cmd == "observe" {
				out = append(out, s.observe(names)...)
			}
		}
		return strings.Join(out, "\n")
	case "store":
		for _, arg := range td.CmdArgs {
			for _, name := range spread(t, td, arg.Key) {
				s.disk[s.witnesses[name].ID] = s.witnesses[name]
			}
		}
		return ""
	case "restart":
		return s.restart(t, td)
	case "status":
		g := s.graph
		return fmt.Sprintf("next wave %d, last index %d, quorum round %d, %d rounds held",
			g.NextWave(), g.LastIndex(), g.QuorumRound(), len(g.rounds))
	case "wave":
		return s.wave(uint64(number(t, td, first)))
	case "refs":
		var names []string
		for _, ref := range s.graph.Refs(uint64(number(t, td, first))) {
			names = append(names, s.names[ref.ID])
		}
		return strings.Join(append([]string{"refs"}, names...), " ")
	case "highest":
		var out []string
		for seat := range s.committee.Size() {
			out = append(out, fmt.Sprintf("%s %d", seatName(seat), s.graph.Highest(seat)))
		}
		return strings.Join(out, ", ")
	case "copies":
		w := s.witnesses[first]
		return strconv.Itoa(s.graph.Copies(w.Seat, w.Round))
	case "leaders":
		return s.leaders(number(t, td, first))
	}
	td.Fatalf(t, "unknown command")
	return ""
}

func (s *scenario) wave(wave uint64) string {
	known := map[bool]string{true: "known", false: "not known"}
	return fmt.Sprintf("leader %s is %s, votes of a quorum are %s",
		seatName(s.committee.Leader(wave)), known[s.graph.LeaderKnown(wave)], known[s.graph.VotesKnown(wave)])
}

func (s *scenario) restart(t *testing.T, td *datadriven.TestData) string {
	s.open(t, td, s.graph.NextWave(), s.graph.LastIndex())
	var stored []string
	for id := range s.disk {
		stored = append(stored, s.names[id])
	}
	slices.SortFunc(stored, func(a, b string) int { return s.witnesses[a].ID.Compare(s.witnesses[b].ID) })
	var out []string
	for _, name := range stored {
		out = append(out, s.events(name, s.graph.Observe(s.witnesses[name]))...)
	}
	return strings.Join(out, "\n")
}

// observe tells in words what the witnesses changed.
func (s *scenario) observe(names []string) []string {
	var yes, no, events []string
	for _, name := range names {
		w := s.witnesses[name]
		s.disk[w.ID] = w
		o := s.graph.Observe(w)
		if o.Counts {
			yes = append(yes, name)
		} else {
			no = append(no, name)
		}
		events = append(events, s.events(name, o)...)
	}
	var out []string
	if len(yes) > 0 {
		out = append(out, strings.Join(yes, " ")+verb(yes, " counts", " count"))
	}
	if len(no) > 0 {
		out = append(out, strings.Join(no, " ")+verb(no, " does not count", " do not count"))
	}
	return append(out, events...)
}

func verb(names []string, one, many string) string {
	if len(names) == 1 {
		return one
	}
	return many
}

func (s *scenario) events(name string, o Observation) []string {
	var out []string
	if e := o.Equivocation; e != nil {
		out = append(out, fmt.Sprintf("  seat %s equivocates in round %d: %s and %s",
			seatName(e.Seat), e.Round, s.names[e.First], s.names[e.Second]))
	}
	for _, anchor := range o.Anchors {
		out = append(out, fmt.Sprintf("  by %s, anchor %d is %s (wave %d, median %s)",
			name, anchor.Index, s.names[anchor.ID], anchor.Wave, time.Duration(anchor.Median)))
	}
	return out
}

// line makes the witnesses of a line that are not known yet, and returns the
// names of all.
func (s *scenario) line(t *testing.T, td *datadriven.TestData, line string) []string {
	left, right, _ := strings.Cut(line, ":")
	var names []string
	epoch, at := int(s.epoch), ""
	for _, field := range strings.Fields(left) {
		if text, ok := strings.CutPrefix(field, "epoch="); ok {
			epoch = number(t, td, text)
		} else if text, ok := strings.CutPrefix(field, "@"); ok {
			at = text
		} else {
			names = append(names, spread(t, td, field)...)
		}
	}
	var refs []message.Ref
	for _, field := range strings.Fields(right) {
		refs = append(refs, s.refs(t, td, field)...)
	}
	for _, name := range names {
		if _, ok := s.witnesses[name]; ok {
			continue
		}
		w := Witness{Epoch: uint32(epoch), Refs: refs}
		w.Seat, w.Round = parse(t, td, name)
		w.ID = newID(timeOf(t, td, name, at), name)
		s.witnesses[name] = w
		s.names[w.ID] = name
	}
	return names
}

// refs are those of a field: ab1, or c=b1.
func (s *scenario) refs(t *testing.T, td *datadriven.TestData, field string) []message.Ref {
	claimed, names, claims := strings.Cut(field, "=")
	if !claims {
		names = field
	}
	var refs []message.Ref
	for _, name := range spread(t, td, names) {
		w, ok := s.witnesses[name]
		if !ok {
			td.Fatalf(t, "there is no witness %q", name)
		}
		ref := message.Ref{Seat: uint8(w.Seat), ID: w.ID}
		if claims {
			ref.Seat = claimed[0] - 'a'
		}
		refs = append(refs, ref)
	}
	return refs
}

var namePattern = regexp.MustCompile(`^([a-z]+)(\d+)(\*\d*)?$`)

// spread makes a2 b2 of ab2.
func spread(t *testing.T, td *datadriven.TestData, field string) []string {
	parts := namePattern.FindStringSubmatch(field)
	if parts == nil {
		td.Fatalf(t, "%q is no witness", field)
	}
	var names []string
	for _, seat := range parts[1] {
		names = append(names, string(seat)+parts[2]+parts[3])
	}
	return names
}

func parse(t *testing.T, td *datadriven.TestData, name string) (seat int, round uint64) {
	parts := namePattern.FindStringSubmatch(name)
	return int(name[0] - 'a'), uint64(number(t, td, parts[2]))
}

func timeOf(t *testing.T, td *datadriven.TestData, name, at string) uint64 {
	if at != "" {
		d, err := time.ParseDuration(at)
		if err != nil {
			td.Fatalf(t, "%v", err)
		}
		return uint64(d)
	}
	seat, round := parse(t, td, name)
	return round*uint64(time.Second) + uint64(seat)*uint64(time.Millisecond)
}

func number(t *testing.T, td *datadriven.TestData, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		td.Fatalf(t, "%v", err)
	}
	return n
}

func seatName(seat int) string { return string(rune('a' + seat)) }
