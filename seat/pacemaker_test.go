package seat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"tangled/consensus"
	"tangled/message"
)

// scenario is the state of one file in testdata/pace.
type scenario struct {
	committee *consensus.Committee
	graph     *memory
	pace      *Pacemaker
	seat      int
	now       time.Time
}

// TestPace runs the files in testdata/pace. Seats are numbered from 0; those of
// a committee of four lead waves 0, 1, 2, 3 in this order. The commands are:
//
//	new seats=4 seat=3 [last=] [start=] [next-wave=]
//	see round=2 seats=(0,1,2) [refs=(0,1)]   witnesses come in, with refs to all of the round before
//	ask [at=1s] [idle]                       what Next and Deadline say
//	write [at=1s] [idle]                     likewise; what Next offers is written
//	wrote round=7 [at=1s]                    as it is not offered
//	resend [at=1s]
//
// The time stays what the last at= made it, and counts from the start.
func TestPace(t *testing.T) {
	datadriven.Walk(t, "testdata/pace", func(t *testing.T, path string) {
		s := &scenario{now: epoch}
		datadriven.RunTest(t, path, s.run)
	})
}

func (s *scenario) run(t *testing.T, td *datadriven.TestData) string {
	if td.HasArg("at") {
		var text string
		td.ScanArgs(t, "at", &text)
		at, err := time.ParseDuration(text)
		if err != nil {
			td.Fatalf(t, "%v", err)
		}
		s.now = epoch.Add(at)
	}
	switch td.Cmd {
	case "new":
		s.start(t, td)
		return ""
	case "see":
		return s.see(t, td)
	case "ask", "write":
		return s.ask(td)
	case "wrote":
		var round uint64
		td.ScanArgs(t, "round", &round)
		return s.wrote(round)
	case "resend":
		return fmt.Sprint(s.pace.Resend(s.now))
	}
	td.Fatalf(t, "unknown command")
	return ""
}

func (s *scenario) start(t *testing.T, td *datadriven.TestData) {
	var seats int
	td.ScanArgs(t, "seats", &seats)
	td.ScanArgs(t, "seat", &s.seat)
	s.committee = newCommittee(t, equal(seats)...)
	opts := Options{Committee: s.committee, Seat: s.seat}
	td.MaybeScanArgs(t, "last", &opts.Last)
	td.MaybeScanArgs(t, "start", &opts.Start)
	s.pace = NewPacemaker(opts)
	var nextWave uint64
	td.MaybeScanArgs(t, "next-wave", &nextWave)
	s.graph = newMemory(s.committee, nextWave)
}

func (s *scenario) see(t *testing.T, td *datadriven.TestData) string {
	var round uint64
	var seats, targets []int
	td.ScanArgs(t, "round", &round)
	td.ScanArgs(t, "seats", &seats)
	refs := s.graph.Refs(round - 1)
	if td.MaybeScanArgs(t, "refs", &targets) {
		refs = slices.DeleteFunc(refs, func(r message.Ref) bool { return !slices.Contains(targets, int(r.Seat)) })
	}
	for _, seat := range seats {
		if !s.graph.see(newWitness(seat, round, refs)).Counts {
			td.Fatalf(t, "the witness of seat %d does not count", seat)
		}
	}
	return ""
}

func (s *scenario) ask(td *datadriven.TestData) string {
	round, ok := s.pace.Next(s.graph.Graph, s.now, !td.HasArg("idle"))
	if ok && td.Cmd == "write" {
		return s.wrote(round)
	}
	var out strings.Builder
	if ok {
		fmt.Fprintf(&out, "round %d", round)
	} else {
		fmt.Fprintf(&out, "nothing until %v", s.pace.Deadline(s.now).Sub(epoch))
	}
	if foreign := s.pace.Foreign(); foreign > 0 {
		fmt.Fprintf(&out, ", foreign witness of round %d", foreign)
	}
	return out.String()
}

func (s *scenario) wrote(round uint64) (out string) {
	defer func() {
		if p := recover(); p != nil {
			out = fmt.Sprint("panic: ", p)
		}
	}()
	s.pace.Wrote(round, s.now)
	s.graph.see(newWitness(s.seat, round, s.graph.Refs(round-1)))
	return fmt.Sprintf("wrote round %d", round)
}

func TestOptions(t *testing.T) {
	c := newCommittee(t, equal(4)...)
	for _, test := range []struct {
		name        string
		opts        Options
		busy        bool
		known       []int // seats with a witness of round 1
		early, soon time.Duration
	}{
		{"interval", Options{MinInterval: time.Second}, true, []int{0, 1, 2}, 999 * time.Millisecond, time.Second},
		{"idle", Options{IdleInterval: time.Second}, false, []int{0, 1, 2}, 999 * time.Millisecond, time.Second},
		{"idle below the interval", Options{MinInterval: 3 * time.Second, IdleInterval: time.Second}, false, []int{0, 1, 2}, 2999 * time.Millisecond, 3 * time.Second},
		{"timeout", Options{Timeout: 3 * time.Second}, true, []int{1, 2}, 2999 * time.Millisecond, 3 * time.Second},
		{"negative", Options{MinInterval: -1, Timeout: -1, IdleInterval: -1, Resend: -1}, true, []int{1, 2}, 499 * time.Millisecond, 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.opts.Committee, test.opts.Seat = c, 3
			p := NewPacemaker(test.opts)
			p.Wrote(1, epoch)
			m := newMemory(c, 0)
			for _, seat := range append(test.known, 3) {
				m.see(newWitness(seat, 1, nil))
			}
			p.Next(m.Graph, epoch, test.busy)
			if round, ok := p.Next(m.Graph, epoch.Add(test.early), test.busy); ok {
				t.Errorf("round %d after %v", round, test.early)
			}
			if round, ok := p.Next(m.Graph, epoch.Add(test.soon), test.busy); round != 2 || !ok {
				t.Errorf("round %d, %v after %v", round, ok, test.soon)
			}
		})
	}
	p := NewPacemaker(Options{Committee: c, Resend: 100 * time.Millisecond})
	p.Wrote(1, epoch)
	if got := p.Deadline(epoch); got != epoch.Add(100*time.Millisecond) {
		t.Errorf("a deadline of %v", got)
	}
	if p.Resend(epoch.Add(99*time.Millisecond)) || !p.Resend(epoch.Add(100*time.Millisecond)) {
		t.Error("it is not 100 ms until a witness is sent again")
	}
}
