package tangle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"tangled/message"
)

// epoch is the time of the genesis in every test. Times in scenarios count
// from it.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var testGenesis = message.NewID(uint64(epoch.UnixNano()), [32]byte{'G'})

// settleTime is how far the ledger time of a scenario trails the newest
// solid message.
const settleTime = 5 * time.Second

// newMessage makes a message without a signature: the Tangle takes that as
// checked. The parents may come in any order.
func newMessage(t testing.TB, name string, after time.Duration, parents []message.ID, padding int) *message.Message {
	t.Helper()
	data := message.Data{Topic: name, Content: make([]byte, padding)}
	parents = slices.Clone(parents)
	slices.SortFunc(parents, message.ID.Compare)
	d := &message.Draft{
		Timestamp: uint64(epoch.Add(after).UnixNano()),
		Parents:   parents,
		Kind:      message.KindData,
		Payload:   data.Append(nil),
	}
	m, err := d.Seal(message.Issuer{}, [64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// scenario is the state of one file in testdata: a Tangle and the names of the
// messages.
type scenario struct {
	opts     Options
	tangle   *Tangle
	now      time.Time
	messages map[string]*message.Message
	names    map[message.ID]string
	stored   map[message.ID]bool
	durable  bool // what becomes solid is stored
	final    map[message.ID]bool
	measure  *Confidence
}

// TestScenarios runs the files in testdata. The commands are:
//
//	new [window=] [max-vertices=] [max-orphans=] [max-orphan-bytes=] [max-orphan-age=] [stored-until=] [durable]
//	dag                      one message a line: name, time, parents (G is the genesis);
//	                         refs=A,B and previous=C make it a witness
//	fan of=T count=3 time=2s parents=(A,B)    makes and attaches T1, T2, T3
//	attach A B [from=peer] [at=2s] [delays]
//	store A B                what the storage has
//	restart from=2s          a new Tangle with what the storage has from then on
//	include A [from=1s] [until=5s] [limit=2]
//	expire at=2m
//	tips [n=]  missing n= [at=]  confidence of=(A,B) [tips=(T1,T2)]  reached of=(A,B)
//	approval of=(A,B) by=(W1,W2)  clock  has A B  kind A B  stats
//
// The time stays what the last at= made it.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s *scenario
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			if td.Cmd == "new" {
				s = newScenario(t, td)
				return ""
			}
			out := s.run(t, td)
			s.tangle.SetLedgerTime(s.tangle.Newest().Timestamp() - uint64(settleTime))
			checkInvariants(t, s.tangle)
			return out
		})
	})
}

func newScenario(t *testing.T, td *datadriven.TestData) *scenario {
	s := &scenario{
		now:      epoch,
		messages: make(map[string]*message.Message),
		names:    map[message.ID]string{testGenesis: "G"},
		stored:   make(map[message.ID]bool),
		durable:  td.HasArg("durable"),
		final:    make(map[message.ID]bool),
	}
	s.opts.Genesis = testGenesis
	s.opts.Final = func(id message.ID) bool { return s.final[id] }
	s.opts.Edges = func(id message.ID) []message.ID {
		if !s.stored[id] {
			return nil
		}
		return s.messages[s.names[id]].Edges()
	}
	s.opts.Stored = func(id message.ID) bool { return s.stored[id] }
	s.opts.Window = duration(t, td, "window", 0)
	s.opts.MaxOrphanAge = duration(t, td, "max-orphan-age", 0)
	if td.HasArg("stored-until") {
		s.opts.StoredUntil = uint64(epoch.Add(duration(t, td, "stored-until", 0)).UnixNano())
	}
	td.MaybeScanArgs(t, "max-vertices", &s.opts.MaxVertices)
	td.MaybeScanArgs(t, "max-orphans", &s.opts.MaxOrphans)
	td.MaybeScanArgs(t, "max-orphan-bytes", &s.opts.MaxOrphanBytes)
	s.tangle = New(s.opts)
	return s
}

func duration(t *testing.T, td *datadriven.TestData, key string, unset time.Duration) time.Duration {
	var text string
	if !td.MaybeScanArgs(t, key, &text) {
		return unset
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		td.Fatalf(t, "%v", err)
	}
	return d
}

func (s *scenario) run(t *testing.T, td *datadriven.TestData) string {
	s.now = epoch.Add(duration(t, td, "at", s.now.Sub(epoch)))
	switch td.Cmd {
	case "dag":
		for line := range strings.SplitSeq(td.Input, "\n") {
			s.declare(t, td, strings.Fields(line))
		}
		return ""
	case "fan":
		return s.fan(t, td)
	case "store":
		for _, name := range bareArgs(td) {
			s.stored[s.message(t, td, name).ID()] = true
		}
		return ""
	case "restart":
		s.restart(duration(t, td, "from", 0))
		return ""
	case "include":
		return s.include(t, td)
	case "attach":
		return s.attach(t, td)
	case "expire":
		return s.describe(s.tangle.Expire(s.now), false)
	case "tips":
		n := 1 << 30
		td.MaybeScanArgs(t, "n", &n)
		return s.list(s.tangle.Tips(n))
	case "missing":
		var n int
		td.ScanArgs(t, "n", &n)
		peer := "a"
		td.MaybeScanArgs(t, "peer", &peer)
		return s.list(s.tangle.Missing(peer, n, s.now, 200*time.Millisecond))
	case "confidence":
		s.measure = s.tangle.Confidence(s.measuredTips(t, td))
		return s.reached(t, td)
	case "reached":
		return s.reached(t, td)
	case "approval":
		return s.approval(t, td)
	case "kind":
		return s.kinds(t, td)
	case "clock":
		return fmt.Sprintf("ledger time %v, horizon %v, newest %s, newest approved %s",
			after(s.tangle.LedgerTime()), after(s.tangle.Horizon()), s.names[s.tangle.Newest()], s.names[s.tangle.NewestApproved()])
	case "has":
		return s.has(t, td)
	case "stats":
		stats := s.tangle.Stats()
		return fmt.Sprintf("%d vertices, %d tips, %d orphans, %d waiting", stats.Vertices, stats.Tips, stats.Orphans, stats.Waiting)
	}
	td.Fatalf(t, "unknown command")
	return ""
}

// after is a timestamp as a duration since the genesis.
func after(timestamp uint64) time.Duration {
	return time.Unix(0, int64(timestamp)).Sub(epoch)
}

// bareArgs are the arguments without a value.
func bareArgs(td *datadriven.TestData) []string {
	var names []string
	for _, arg := range td.CmdArgs {
		if len(arg.Vals) == 0 && arg.Key != "delays" && arg.Key != "durable" {
			names = append(names, arg.Key)
		}
	}
	return names
}

func (s *scenario) message(t *testing.T, td *datadriven.TestData, name string) *message.Message {
	m := s.messages[name]
	if m == nil {
		td.Fatalf(t, "there is no message %q", name)
	}
	return m
}

func (s *scenario) id(t *testing.T, td *datadriven.TestData, name string) message.ID {
	if name == "G" {
		return testGenesis
	}
	return s.message(t, td, name).ID()
}

// declare makes a message of a line: name, time, parents and, with +, bytes of
// padding; or a witness with refs and the witness before.
func (s *scenario) declare(t *testing.T, td *datadriven.TestData, fields []string) {
	if len(fields) < 3 {
		td.Fatalf(t, "want name, time and parents, not %q", fields)
	}
	at, err := time.ParseDuration(fields[1])
	if err != nil {
		td.Fatalf(t, "%v", err)
	}
	var padding int
	var parents, refs []message.ID
	var previous message.ID
	for _, name := range fields[2:] {
		if names, ok := strings.CutPrefix(name, "refs="); ok {
			for one := range strings.SplitSeq(names, ",") {
				refs = append(refs, s.id(t, td, one))
			}
			continue
		}
		if name, ok := strings.CutPrefix(name, "previous="); ok {
			previous = s.id(t, td, name)
			continue
		}
		if n, ok := strings.CutPrefix(name, "+"); ok {
			if _, err := fmt.Sscan(n, &padding); err != nil {
				td.Fatalf(t, "%v", err)
			}
			continue
		}
		parents = append(parents, s.id(t, td, name))
	}
	m := newMessage(t, fields[0], at, parents, padding)
	if len(refs) > 0 {
		m = newWitness(t, at, 2, parents, refs, previous)
	}
	s.messages[fields[0]] = m
	s.names[m.ID()] = fields[0]
}

func (s *scenario) fan(t *testing.T, td *datadriven.TestData) string {
	var of, at string
	var count int
	td.ScanArgs(t, "of", &of)
	td.ScanArgs(t, "time", &at)
	td.ScanArgs(t, "count", &count)
	parents, _ := td.Arg("parents")
	for i := range count {
		name := fmt.Sprint(of, i+1)
		s.declare(t, td, append([]string{name, at}, parents.Vals...))
		d, err := s.tangle.Attach(s.messages[name], "fan", s.now)
		if err != nil || len(d.Solid) != 1 {
			td.Fatalf(t, "%s: %v, %d solid", name, err, len(d.Solid))
		}
	}
	return ""
}

func (s *scenario) attach(t *testing.T, td *datadriven.TestData) string {
	sender := "peer"
	td.MaybeScanArgs(t, "from", &sender)
	var lines []string
	for _, name := range bareArgs(td) {
		d, err := s.tangle.Attach(s.message(t, td, name), sender, s.now)
		switch {
		case errors.Is(err, ErrDuplicate):
			lines = append(lines, name+": duplicate")
		case err != nil:
			td.Fatalf(t, "attach %s: %v", name, err)
		default:
			lines = append(lines, name+": "+s.describe(d, td.HasArg("delays")))
		}
	}
	return strings.Join(lines, "\n")
}

// describe is a delta in words.
func (s *scenario) describe(d Delta, delays bool) string {
	var parts []string
	var solid []string
	for _, one := range d.Solid {
		if s.durable {
			s.stored[one.Message.ID()] = true
		}
		text := s.names[one.Message.ID()]
		if delays {
			text += fmt.Sprintf(" (from %s, approves %s, delays %v)", one.Sender, s.list(one.Approves), one.Delays)
		}
		solid = append(solid, text)
	}
	if len(solid) > 0 {
		parts = append(parts, "solid "+strings.Join(solid, " "))
	}
	if len(d.Missing) > 0 {
		parts = append(parts, "missing "+s.list(d.Missing))
	}
	if len(d.Evicted) > 0 {
		parts = append(parts, "evicted "+s.list(d.Evicted))
	}
	if len(parts) == 0 {
		return "waits"
	}
	return strings.Join(parts, ", ")
}

// restart loads what is stored, as far back as from.
func (s *scenario) restart(from time.Duration) {
	s.opts.StoredUntil = uint64(epoch.Add(from).UnixNano())
	s.opts.LedgerTime = s.tangle.LedgerTime()
	s.tangle = New(s.opts)
	for _, id := range slices.SortedFunc(maps.Keys(s.stored), message.ID.Compare) {
		if id.Timestamp() >= s.opts.StoredUntil {
			s.tangle.Load(s.messages[s.names[id]], s.now, s.final[id])
		}
	}
}

func (s *scenario) include(t *testing.T, td *datadriven.TestData) string {
	from := uint64(epoch.Add(duration(t, td, "from", 0)).UnixNano())
	until := uint64(epoch.Add(duration(t, td, "until", 24*time.Hour)).UnixNano())
	limit := 1 << 30
	td.MaybeScanArgs(t, "limit", &limit)
	ids, capped := s.tangle.Include(s.id(t, td, bareArgs(td)[0]), from, until, limit)
	for _, id := range ids {
		s.final[id] = true
	}
	out := fmt.Sprintf("%s, %d waiting", s.list(ids), s.tangle.Stats().Waiting)
	if capped {
		out += ", capped"
	}
	return out
}

func (s *scenario) approval(t *testing.T, td *datadriven.TestData) string {
	var by []message.ID
	arg, _ := td.Arg("by")
	for _, name := range arg.Vals {
		by = append(by, s.id(t, td, name))
	}
	measure := s.tangle.Approval(by)
	var lines []string
	of, _ := td.Arg("of")
	for _, name := range of.Vals {
		mask, ok := measure.Of(s.id(t, td, name))
		if !ok {
			lines = append(lines, name+": not known")
			continue
		}
		var standing []message.ID
		for bit, id := range by {
			if mask&(1<<bit) != 0 {
				standing = append(standing, id)
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %s", name, s.list(standing)))
	}
	return strings.Join(lines, "\n")
}

func (s *scenario) kinds(t *testing.T, td *datadriven.TestData) string {
	var lines []string
	for _, name := range bareArgs(td) {
		kind, ok := s.tangle.Kind(s.id(t, td, name))
		if !ok {
			lines = append(lines, name+": not known")
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %v", name, kind))
	}
	return strings.Join(lines, "\n")
}

func (s *scenario) list(ids []message.ID) string {
	if len(ids) == 0 {
		return "none"
	}
	var names []string
	for _, id := range ids {
		names = append(names, s.names[id])
	}
	return strings.Join(names, " ")
}

func (s *scenario) measuredTips(t *testing.T, td *datadriven.TestData) []message.ID {
	arg, ok := td.Arg("tips")
	if !ok {
		return s.tangle.Tips(1 << 30)
	}
	var tips []message.ID
	for _, name := range arg.Vals {
		tips = append(tips, s.id(t, td, name))
	}
	return tips
}

func (s *scenario) reached(t *testing.T, td *datadriven.TestData) string {
	var lines []string
	of, _ := td.Arg("of")
	for _, name := range of.Vals {
		n, ok := s.measure.Reached(s.id(t, td, name))
		if !ok {
			lines = append(lines, name+": not known")
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %d of %d tips", name, n, s.measure.Tips()))
	}
	return strings.Join(lines, "\n")
}

func (s *scenario) has(t *testing.T, td *datadriven.TestData) string {
	var lines []string
	for _, name := range bareArgs(td) {
		id := s.id(t, td, name)
		lines = append(lines, fmt.Sprintf("%s: known %v, in memory %v, tip %v",
			name, s.tangle.Has(id), s.tangle.inMemory(id), slices.Contains(s.tangle.Tips(1<<30), id)))
	}
	return strings.Join(lines, "\n")
}
