package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// pruning takes all of the anchors up to j, and the first message of the one after
// the next.
func pruning(j int) storage.Pruning {
	return storage.Pruning{Before: linkTime(j) + 501, Anchor: uint64(j) - 1, Round: uint64(j)}
}

func mustPrune(t testing.TB, s *storage.Store, p storage.Pruning) storage.Pruned {
	t.Helper()
	done, err := s.Prune(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// split divides the messages of a chain by a timestamp.
func (c chain) split(before uint64) (older, newer []storage.Record) {
	for _, l := range c {
		for _, r := range append(slices.Clone(l.records), l.stale...) {
			if r.Message.Timestamp < before {
				older = append(older, r)
			} else {
				newer = append(newer, r)
			}
		}
	}
	return older, newer
}

func sizeOf(records []storage.Record) (n uint64) {
	for _, r := range records {
		n += uint64(len(r.Message.Bytes()))
	}
	return n
}

// What is old goes from every table, what is young stays, and paths through the
// tree are as before; again and again, and after a restart.
func TestPrune(t *testing.T) {
	c := newChain(t, 20)
	fs := vfs.NewMem()
	s := c[:15].store(t, fs)
	gone, goneBytes, anchors := 0, uint64(0), uint64(0)
	for _, j := range []int{3, 4, 4, 9, 13} {
		p := pruning(j)
		older, newer := c[:15].split(p.Before)
		plan, err := s.PlanPrune(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		done := mustPrune(t, s, p)
		want := storage.Pruned{Messages: uint64(len(older) - gone), Bytes: sizeOf(older) - goneBytes, Anchors: p.Anchor - anchors}
		if done != want || plan.Pruned != want {
			t.Errorf("pruned %+v, planned %+v, want %+v", done, plan.Pruned, want)
		}
		gone, goneBytes, anchors = len(older), sizeOf(older), p.Anchor
		// The anchor after the next lost its oldest message.
		if got, want := gapsOf(t, s), fmt.Sprintf("1-%d pruned ", j+2); got != want || s.ListsFrom() != uint64(j)+3 {
			t.Errorf("gaps %q, want %q", got, want)
		}
		model(newer).verify(t, s)
		c.verify(t, s)
		mustClose(t, s)
		checkPrunedRows(t, fs, p)
		s = mustOpen(t, fs, dir)
		c.verify(t, s)
	}
	c.tell(t, s, 16)
	c.verify(t, s)
	if _, round, _, ok := s.OwnWitness(); round != 20 || !ok {
		t.Errorf("own witness of round %d, %v", round, ok)
	}
	mustClose(t, s)
}

// checkPrunedRows checks each table for rows that should have gone.
func checkPrunedRows(t *testing.T, fs vfs.FS, p storage.Pruning) {
	t.Helper()
	floor := message.NewID(p.Before, [32]byte{})
	witnesses := 0
	for k := range dump(t, fs) {
		id := k[max(1, len(k)-message.IDSize):]
		old := false
		switch k[0] {
		case 'm', 's', 'p', 't', 'i':
			old = id < string(floor[:])
		case 'r':
			old = k[1:41] < string(floor[:])
		case 'f', 'C', 'q':
			old = k < string(anchorRow(k[0], p.Anchor+1))
		case 'k':
			old = k[5:13] < string(anchorRow(0, p.Round)[1:])
		case 'w':
			old = k[5:13] < string(anchorRow(0, p.Round)[1:])
			witnesses++
		case 'a':
			old = k[33:41] < string(anchorRow(0, p.Anchor)[1:])
		}
		if old {
			t.Errorf("row %x of table %q is left", k[1:], k[0])
		}
	}
	if witnesses == 0 {
		t.Error("no own witness is left")
	}
}

// The newest own witness is never forgotten, however high the round.
func TestPruneKeepsTheNewestWitness(t *testing.T) {
	c := newChain(t, 6)
	fs := vfs.NewMem()
	s := c.store(t, fs)
	p := pruning(5)
	p.Round = math.MaxUint64
	p.Before = linkTime(50)
	mustPrune(t, s, p)
	for range 2 {
		if _, round, id, ok := s.OwnWitness(); round != 6 || id != c[5].records[5].Message.ID() || !ok {
			t.Errorf("own witness %v of round %d, %v", id, round, ok)
		}
		second := newRoundWitness(t, linkTime(70), 6)
		if err := s.Commit([]storage.Record{second}); !errors.As(err, new(*storage.WitnessError)) {
			t.Errorf("a second witness of round 6: %v", err)
		}
		mustClose(t, s)
		s = mustOpen(t, fs, dir)
	}
	if s.Count() != 0 || gapsOf(t, s) != "1-6 pruned " || s.CompleteFrom() != 7 || s.LastAnchor() != 6 {
		t.Errorf("%d messages, gaps %s", s.Count(), gapsOf(t, s))
	}
	mustClose(t, s)
}

// What is held back stays, with the proof it was given first, until it is let go.
func TestPruneHolds(t *testing.T) {
	c := newChain(t, 12)
	held := func(topic string) bool { return topic == "held" }
	for name, p := range map[string]storage.Pruning{
		"by_topic":    {KeepTopics: held},
		"many_topics": {KeepTopics: func(topic string) bool { return topic == "held" || strings.HasPrefix(topic, "many/") }},
		"all":         {},
	} {
		fs := vfs.NewMem()
		s := c.store(t, fs)
		if name == "many_topics" {
			var many []storage.Record
			for i := range 300 {
				many = append(many, newRecord(t, 1, linkTime(90)+uint64(i), fmt.Sprintf("many/%d", i), nil))
			}
			mustCommit(t, s, many)
		}
		asked := map[string]bool{}
		proofs := true
		p.Keep = func(r storage.Record) (bool, []byte, error) {
			data, err := r.Message.Data()
			asked[data.Topic] = true
			if err != nil || data.Topic != "held" {
				return false, nil, nil
			}
			if r.Final == nil || r.Final.Anchor == 0 {
				t.Errorf("%s: asked about %v without where it is final", name, r.Message.ID())
			}
			if !proofs {
				return true, nil, nil
			}
			return true, fmt.Appendf(nil, "proof %v", r.Message.ID()), nil
		}
		for _, j := range []int{4, 9} {
			next := pruning(j)
			p.Before, p.Anchor, p.Round = next.Before, next.Anchor, next.Round
			plan, err := s.PlanPrune(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if done := mustPrune(t, s, p); done.Kept != uint64(j) || plan.Pruned != done {
				t.Errorf("%s: kept %d, planned %+v, want %d", name, done.Kept, plan, j)
			}
			checkHeld(t, s, c, j)
			c.verify(t, s)
			proofs = false
			mustClose(t, s)
			s = mustOpen(t, fs, dir)
			checkProofs(t, s, c, 4)
		}
		if p.KeepTopics != nil && (len(asked) != 1 || !asked["held"]) {
			t.Errorf("%s: asked about %v", name, asked)
		}
		// Let go, they go.
		p.Keep = nil
		if done := mustPrune(t, s, p); done.Messages != 9 || done.Kept != 0 {
			t.Errorf("%s: let go: %+v", name, done)
		}
		if _, err := s.HeldProof(c[0].records[2].Message.ID()); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: the proof is left: %v", name, err)
		}
		c.verify(t, s)
		mustClose(t, s)
	}
}

// heldOf is the message of topic "held" of anchor j, and its index.
func heldOf(l link) (storage.Record, uint32) {
	i := slices.IndexFunc(l.records, func(r storage.Record) bool {
		data, err := r.Message.Data()
		return err == nil && data.Topic == "held"
	})
	return l.records[i], uint32(i)
}

func checkHeld(t *testing.T, s *storage.Store, c chain, upTo int) {
	t.Helper()
	topic := collect(t, s, storage.Query{Topics: mustFilter(t, "held")})
	if len(topic) != len(c) {
		t.Errorf("%d messages of the topic, want %d", len(topic), len(c))
	}
	author := issuer(3)
	if got := collect(t, s, storage.Query{Issuer: &author}); len(got) != len(c) {
		t.Errorf("%d messages of the issuer, want %d", len(got), len(c))
	}
	for _, l := range c[:upTo] {
		r, i := heldOf(l)
		final, ok, err := s.Final(r.Message.ID())
		if want := (storage.Final{Anchor: l.Anchor, Index: i, Outcome: included}); final != want || !ok || err != nil {
			t.Errorf("held message of anchor %d is final at %+v, %v, %v", l.Anchor, final, ok, err)
		}
		if got, err := s.Get(r.Message.ID()); err != nil || !bytes.Equal(got.Message.Bytes(), r.Message.Bytes()) || got.Seen != r.Seen {
			t.Errorf("held message of anchor %d: %v", l.Anchor, err)
		}
	}
}

func checkProofs(t *testing.T, s *storage.Store, c chain, upTo int) {
	t.Helper()
	for _, l := range c[:upTo] {
		r, _ := heldOf(l)
		if proof, err := s.HeldProof(r.Message.ID()); err != nil || string(proof) != fmt.Sprintf("proof %v", r.Message.ID()) {
			t.Errorf("proof of anchor %d: %q, %v", l.Anchor, proof, err)
		}
	}
}

// So much is held back that it takes several batches, each whole.
func TestPruneInStages(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	var records []storage.Record
	f := storage.Finality{Anchor: 1}
	for i := range 1_200 {
		topic := []string{"large", "other"}[i%3/2]
		r := newRecord(t, 1, uint64(1_000+i), topic, make([]byte, 25_000))
		records = append(records, r)
		f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
		if len(records)%100 == 0 {
			mustCommit(t, s, records[len(records)-100:])
		}
	}
	if err := errors.Join(s.Finalise(f), s.Finalise(storage.Finality{Anchor: 2})); err != nil {
		t.Fatal(err)
	}
	for _, topics := range []func(string) bool{nil, func(topic string) bool { return topic == "large" }} {
		p := storage.Pruning{Before: 2_150, Anchor: 1, KeepTopics: topics, Keep: func(r storage.Record) (bool, []byte, error) {
			data, err := r.Message.Data()
			return data.Topic == "large", nil, err
		}}
		done := mustPrune(t, s, p)
		var want model
		for _, r := range records {
			data, _ := r.Message.Data()
			if data.Topic == "large" || r.Message.Timestamp >= 2_150 {
				want = append(want, r)
			}
		}
		if done.Kept != 767 {
			t.Errorf("kept %d", done.Kept)
		}
		want.verify(t, s)
	}
	mustClose(t, s)
	s = openFor(t, fs, dir)
	report, err := s.Check(t.Context(), nil)
	if err != nil || report.Damaged > 0 {
		t.Errorf("check: %v, %v", err, report.Damages)
	}
}

// Others write below the line while a Prune works out what goes: it counts their
// messages too, and notes the anchors that lose them.
func TestPruneBesideWriters(t *testing.T) {
	c := newChain(t, 12)
	s := c[:10].store(t, vfs.NewMem())
	defer mustClose(t, s)
	late := newRecord(t, 1, linkTime(2)+700, "late", nil)
	once := false
	p := pruning(5)
	p.Keep = func(storage.Record) (bool, []byte, error) {
		if !once {
			once = true
			mustCommit(t, s, []storage.Record{late})
			next := c[10].Finality
			next.Included = []storage.FinalMessage{{ID: late.Message.ID(), Outcome: included}}
			next.History, next.Transfers = nil, nil
			if err := s.Finalise(next); err != nil {
				t.Error(err)
			}
		}
		return false, nil, nil
	}
	older, newer := c[:10].split(p.Before)
	if done := mustPrune(t, s, p); done.Messages != uint64(len(older))+1 {
		t.Errorf("pruned %+v", done)
	}
	if got := gapsOf(t, s); got != "1-11 pruned " {
		t.Errorf("gaps %s", got)
	}
	model(newer).verify(t, s)
}

// What does not fit, or goes wrong on the way, changes nothing.
func TestPruneRefuses(t *testing.T) {
	c := newChain(t, 6)
	fs := vfs.NewMem()
	s := c.store(t, fs)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		change func(*storage.Pruning)
	}{
		"last_anchor": {change: func(p *storage.Pruning) { p.Anchor = 6 }},
		"ended":       {ctx: ended, change: func(*storage.Pruning) {}},
		"keep": {change: func(p *storage.Pruning) {
			p.Keep = func(storage.Record) (bool, []byte, error) { return true, nil, errTampered }
		}},
	} {
		p := pruning(4)
		test.change(&p)
		if test.ctx == nil {
			test.ctx = t.Context()
		}
		if _, err := s.Prune(test.ctx, p); err == nil || s.Err() != nil {
			t.Errorf("%s: %v, the store: %v", name, err, s.Err())
		}
		if _, err := s.PlanPrune(test.ctx, p); err == nil {
			t.Errorf("%s: planned", name)
		}
		if gapsOf(t, s) != "" {
			t.Errorf("%s: gaps %s", name, gapsOf(t, s))
		}
		c.verify(t, s)
	}
	mustClose(t, s)
	before := dump(t, fs)
	s = mustOpen(t, fs, dir)
	if done := mustPrune(t, s, storage.Pruning{}); done != (storage.Pruned{}) {
		t.Errorf("nothing to prune: %+v", done)
	}
	mustClose(t, s)
	sameRows(t, "after a prune of nothing", dump(t, fs), before)
}

func sameRows(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for k, v := range got {
		if w, ok := want[k]; !ok || w != v {
			t.Errorf("%s: row %q is %q, want %q (%v)", what, k, v, w, ok)
		}
	}
	for k := range want {
		if _, ok := got[k]; !ok {
			t.Errorf("%s: row %q is missing", what, k)
		}
	}
}

// The plan names the topics.
func TestPlanTopics(t *testing.T) {
	c := newChain(t, 8)
	s := c.store(t, vfs.NewMem())
	defer mustClose(t, s)
	p := pruning(5)
	older, _ := c.split(p.Before)
	want := map[string]storage.TopicUse{}
	for _, r := range older {
		data, _ := r.Message.Data()
		use := want[data.Topic]
		want[data.Topic] = storage.TopicUse{Topic: data.Topic, Messages: use.Messages + 1, Bytes: use.Bytes + uint64(len(r.Message.Bytes()))}
	}
	plan, err := s.PlanPrune(t.Context(), p)
	if err != nil || len(plan.Topics) != len(want) {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	for i, use := range plan.Topics {
		if use != want[use.Topic] || i > 0 && plan.Topics[i-1].Topic >= use.Topic {
			t.Errorf("topic %+v, want %+v", use, want[use.Topic])
		}
	}
	c.verify(t, s)
	if gapsOf(t, s) != "" {
		t.Error("a plan left a gap")
	}
}

// After Compact the room is free again.
func TestCompactFreesRoom(t *testing.T) {
	fs := vfs.NewMem()
	s := openFor(t, fs, dir)
	for i := range 40 {
		var batch []storage.Record
		for j := range 50 {
			content := make([]byte, 4_000)
			for k := range content {
				content[k] = byte((i*31 + j*17 + k*k*7) >> 3) // not to be compressed to nothing
			}
			batch = append(batch, newRecord(t, 1, uint64(1_000+50*i+j), "a", content))
		}
		mustCommit(t, s, batch)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.SizeBefore(math.MaxInt64)
	mustPrune(t, s, storage.Pruning{Before: 2_900})
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.SizeBefore(math.MaxInt64); after > before/5 {
		t.Errorf("%d bytes before, %d after", before, after)
	}
	if s.DiskUsage() == 0 {
		t.Error("no disk used")
	}
	if s.Count() != 100 {
		t.Errorf("%d messages", s.Count())
	}
}
