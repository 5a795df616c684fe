package storage_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	"tangled/message"
	"tangled/storage"
)

// The outcomes of package ledger that the tests use.
const included, applied, duplicate, insufficient = 1, 2, 4, 7

// step is one synced batch: messages or, where there are none, an anchor.
type step struct {
	records []storage.Record
	anchor  storage.Finality
}

func (st step) do(s *storage.Store) error {
	if st.records != nil {
		return s.Commit(st.records)
	}
	return s.Finalise(st.anchor)
}

// story is what happens to a store, in order. What it should hold then is worked
// out here from the whole story in the plainest way.
type story []step

// newStory has n batches of messages, each followed by an anchor that includes
// most messages of the batch before; own messages and foreign ones, some of them
// replaced by their issuer or by another, witnesses, and transfers of every fate.
func newStory(t testing.TB, n int) story {
	t.Helper()
	var out story
	var before []storage.Record
	for i := range n {
		at := uint64(1_000 + 100*i)
		records := []storage.Record{
			newRecord(t, 1, at, "own", fmt.Append(nil, i)),
			newRecord(t, 2, at+1, "foreign", fmt.Append(nil, i)),
			newRecord(t, 1, at+2, fmt.Sprintf("own/%d", i), nil),
			newRecord(t, 3, at+3, "witness", fmt.Append(nil, i)),
			newRecord(t, 2, at+4, "foreign", nil),
		}
		records[0].Own, records[2].Own = true, true
		records[3].Own = i%2 == 0
		records[3].Witness = &storage.OwnWitness{Epoch: uint32(i / 3), Round: uint64(10 - i%3)} // not in order
		if i > 0 {
			// The third of the batch before is replaced by its issuer, the
			// first by another.
			replacement := newDataRecord(t, 1, at+5, message.Data{Topic: "own", Replaces: before[2].Message.ID()})
			replacement.Own = true
			foreign := newDataRecord(t, 2, at+6, message.Data{Topic: "foreign", Replaces: before[0].Message.ID()})
			foreign.Own = true // sent through this node
			records = append(records, replacement, foreign)
		}
		out = append(out, step{records: records}, step{anchor: newAnchor(uint64(i+1), before)})
		before = records
	}
	return out
}

// newAnchor includes records, but for the third, whose timestamps are three
// apart or more.
func newAnchor(anchor uint64, records []storage.Record) storage.Finality {
	f := storage.Finality{
		Anchor:     anchor,
		Commitment: fmt.Appendf(nil, "commitment %d", anchor),
		State:      fmt.Appendf(nil, "state %d", anchor),
		Nodes:      []storage.Node{{Level: 0, Index: anchor - 1, Hash: [32]byte{byte(anchor)}}},
	}
	if anchor%2 == 0 {
		f.Nodes = append(f.Nodes, storage.Node{Level: 1, Index: anchor/2 - 1, Hash: [32]byte{1, byte(anchor)}})
	}
	for i, r := range records {
		if i != 2 || anchor%5 == 0 {
			f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
		}
	}
	if len(f.Included) < 4 {
		return f
	}
	// Message 1 is a transfer that is applied, 2 carries it once more; 3 carries
	// the one applied two anchors ago, or one that never is.
	f.Included[1].Outcome, f.Included[2].Outcome = applied, duplicate
	id := func(n uint64) message.TransferID { return message.TransferID{byte(n), 0xaa} }
	from, to := message.Address{byte(anchor % 3), 9}, message.Address{byte(anchor), 0xff}
	f.Accounts = []storage.Account{{Address: from, Value: f.Commitment}, {Address: to, Value: []byte{byte(anchor)}}}
	f.History = []storage.AccountEntry{{Address: from, Index: 1}, {Address: to, Index: 1}, {Address: from, Index: 2}, {Address: from, Index: 3}}
	f.Applied = []storage.AppliedTransfer{{TransferID: id(anchor), ValidUntil: 9_000 - 10*anchor}}
	f.Transfers = []storage.FinalTransfer{{TransferID: id(anchor), Index: 1, Outcome: applied}, {TransferID: id(anchor), Index: 2, Outcome: duplicate}}
	if anchor >= 4 {
		f.Expired = []storage.AppliedTransfer{{TransferID: id(anchor - 2), ValidUntil: 9_000 - 10*(anchor-2)}}
		f.Included[3].Outcome = duplicate
		f.Transfers = append(f.Transfers, storage.FinalTransfer{TransferID: id(anchor - 2), Index: 3, Outcome: duplicate})
	} else {
		f.Included[3].Outcome = insufficient
		f.Transfers = append(f.Transfers, storage.FinalTransfer{TransferID: id(0), Index: 3, Outcome: insufficient})
	}
	return f
}

func (st story) messages() model {
	var m model
	for _, s := range st {
		m = append(m, s.records...)
	}
	return m
}

func (st story) anchors() []storage.Finality {
	var all []storage.Finality
	for _, s := range st {
		if s.records == nil {
			all = append(all, s.anchor)
		}
	}
	return all
}

func (st story) order() []storage.Position {
	var all []storage.Position
	for _, f := range st.anchors() {
		for i, m := range f.Included {
			all = append(all, storage.Position{Anchor: f.Anchor, Index: uint32(i), ID: m.ID, Outcome: m.Outcome})
		}
	}
	return all
}

func (st story) finals() map[message.ID]storage.Final {
	all := map[message.ID]storage.Final{}
	for _, p := range st.order() {
		all[p.ID] = storage.Final{Anchor: p.Anchor, Index: p.Index, Outcome: p.Outcome}
	}
	return all
}

// replaced are the messages that their own issuer replaced.
func (st story) replaced() map[message.ID]message.ID {
	issuers, all := map[message.ID]message.Issuer{}, map[message.ID]message.ID{}
	for _, r := range st.messages() {
		issuers[r.Message.ID()] = r.Message.Issuer
	}
	for _, r := range st.messages() {
		data, _ := r.Message.Data()
		if by, ok := issuers[data.Replaces]; ok && by == r.Message.Issuer {
			all[data.Replaces] = r.Message.ID()
		}
	}
	return all
}

func (st story) pending() []message.ID {
	all := map[message.ID]bool{}
	issuers := map[message.ID]message.Issuer{}
	for _, s := range st {
		for _, r := range s.records {
			id := r.Message.ID()
			issuers[id] = r.Message.Issuer
			data, _ := r.Message.Data()
			if r.Own {
				all[id] = true
				if issuers[data.Replaces] == r.Message.Issuer {
					delete(all, data.Replaces)
				}
			}
		}
		for _, m := range s.anchor.Included {
			delete(all, m.ID)
		}
	}
	return slices.SortedFunc(maps.Keys(all), message.ID.Compare)
}

func (st story) witnesses() map[storage.OwnWitness]message.ID {
	all := map[storage.OwnWitness]message.ID{}
	for _, r := range st.messages() {
		if r.Witness != nil {
			all[*r.Witness] = r.Message.ID()
		}
	}
	return all
}

func (st story) transfers() map[message.TransferID]storage.Position {
	all := map[message.TransferID]storage.Position{}
	for _, f := range st.anchors() {
		for _, t := range f.Transfers {
			if all[t.TransferID].Outcome != applied {
				all[t.TransferID] = storage.Position{Anchor: f.Anchor, Index: t.Index, ID: f.Included[t.Index].ID, Outcome: t.Outcome}
			}
		}
	}
	return all
}

func (st story) unexpired() []storage.AppliedTransfer {
	all := map[storage.AppliedTransfer]bool{}
	for _, f := range st.anchors() {
		for _, t := range f.Applied {
			all[t] = true
		}
		for _, t := range f.Expired {
			delete(all, t)
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b storage.AppliedTransfer) int {
		return cmp.Or(cmp.Compare(a.ValidUntil, b.ValidUntil), bytes.Compare(a.TransferID[:], b.TransferID[:]))
	})
}

func (st story) accounts() []storage.Account {
	all := map[message.Address][]byte{}
	for _, f := range st.anchors() {
		for _, a := range f.Accounts {
			all[a.Address] = a.Value
		}
	}
	var out []storage.Account
	for address, value := range all {
		out = append(out, storage.Account{Address: address, Value: value})
	}
	slices.SortFunc(out, func(a, b storage.Account) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	return out
}

func (st story) history(a message.Address) []storage.Position {
	var all []storage.Position
	for _, f := range st.anchors() {
		for _, h := range f.History {
			if m := f.Included[h.Index]; h.Address == a {
				all = append(all, storage.Position{Anchor: f.Anchor, Index: h.Index, ID: m.ID, Outcome: m.Outcome})
			}
		}
	}
	return all
}

// query is model.query with what finality adds to it.
func (st story) query(q storage.Query) []storage.Record {
	finals, replaced := st.finals(), st.replaced()
	var out []storage.Record
	for _, r := range st.messages().query(q) {
		final, isFinal := finals[r.Message.ID()]
		if _, gone := replaced[r.Message.ID()]; gone && !isFinal && !q.WithReplaced {
			continue
		}
		if r.Final = nil; q.WithFinal && isFinal {
			r.Final = &final
		}
		out = append(out, r)
	}
	return out
}

// verify checks that the store holds what the story says by every way of
// reading, and nothing of what the longer story tells beyond it.
func (st story) verify(t testing.TB, s *storage.Store, longer story) {
	t.Helper()
	st.messages().verify(t, s)
	st.verifySelections(t, s)
	st.verifyAnchors(t, s, longer)
	same(t, "pending", all(t, s.Pending(0, math.MaxInt64)), st.pending())
	same(t, "order", all(t, s.Order(t.Context(), 0, 0)), st.order())
	same(t, "accounts", all(t, s.Accounts()), st.accounts())
	same(t, "unexpired", all(t, s.Unexpired()), st.unexpired())
	for _, a := range longer.accounts() {
		history := st.history(a.Address)
		same(t, "history", all(t, s.AccountHistory(t.Context(), a.Address, storage.Position{}, false)), history)
		slices.Reverse(history)
		same(t, "history backwards", all(t, s.AccountHistory(t.Context(), a.Address, storage.Position{}, true)), history)
	}
	finals, replaced, transfers := st.finals(), st.replaced(), st.transfers()
	for _, r := range longer.messages() {
		id := r.Message.ID()
		final, ok, err := s.Final(id)
		sameFound(t, "final", final, ok, err, finals, id)
		if s.Has(id) {
			replacement, ok, err := s.Replaced(id)
			sameFound(t, "replaced", replacement, ok, err, replaced, id)
		}
	}
	for id := range longer.transfers() {
		position, ok, err := s.Transfer(id)
		sameFound(t, "transfer", position, ok, err, transfers, id)
	}
	st.verifyWitness(t, s)
}

func (st story) verifySelections(t testing.TB, s *storage.Store) {
	t.Helper()
	one := issuer(1)
	for _, q := range []storage.Query{{}, {Descending: true}, {Topics: mustFilter(t, "own/#")}, {Topics: mustFilter(t, "#"), Issuer: &one, Descending: true}} {
		sameFinals(t, "hiding", collect(t, s, q), st.query(q))
		q.WithFinal = true
		sameFinals(t, "with final", collect(t, s, q), st.query(q))
	}
	for _, from := range []uint64{0, 1_101, 1_203, 9_000} {
		loaded := all(t, s.LoadFrom(t.Context(), from))
		sameFinals(t, "load", loaded, st.query(storage.Query{From: from, WithFinal: true, WithReplaced: true}))
	}
}

func (st story) verifyAnchors(t testing.TB, s *storage.Store, longer story) {
	t.Helper()
	anchors := st.anchors()
	if got := s.LastAnchor(); got != uint64(len(anchors)) {
		t.Fatalf("last anchor is %d, want %d", got, len(anchors))
	}
	state, ok := s.State()
	if ok != (len(anchors) > 0) || ok && !bytes.Equal(state, anchors[len(anchors)-1].State) {
		t.Fatalf("state is %q, %v after %d anchors", state, ok, len(anchors))
	}
	for i, f := range longer.anchors() {
		there := i < len(anchors)
		b, err := s.Commitment(f.Anchor)
		if there && (err != nil || !bytes.Equal(b, f.Commitment)) || !there && !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("commitment %d of %d: %q, %v", f.Anchor, len(anchors), b, err)
		}
		for _, n := range f.Nodes {
			hash, err := s.Node(n.Level, n.Index)
			if there && (err != nil || hash != n.Hash) || !there && !errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("node %d/%d after %d anchors: %x, %v", n.Level, n.Index, len(anchors), hash, err)
			}
		}
	}
}

func (st story) verifyWitness(t testing.TB, s *storage.Store) {
	t.Helper()
	var newest storage.OwnWitness
	for w := range st.witnesses() {
		if w.Epoch > newest.Epoch || w.Epoch == newest.Epoch && w.Round > newest.Round {
			newest = w
		}
	}
	want, found := st.witnesses()[newest]
	epoch, round, id, ok := s.OwnWitness()
	if ok != found || id != want || epoch != newest.Epoch || round != newest.Round {
		t.Fatalf("own witness is %v of %d, %d, %v; want %v of %+v", id, epoch, round, ok, want, newest)
	}
}

// all reads a sequence to its end.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

func same[T any](t testing.TB, what string, got, want []T) {
	t.Helper()
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func sameFound[K, V comparable](t testing.TB, what string, got V, ok bool, err error, truth map[K]V, key K) {
	t.Helper()
	if want, found := truth[key]; got != want || ok != found || err != nil {
		t.Fatalf("%s of %v: %v, %v, %v; want %v, %v", what, key, got, ok, err, want, found)
	}
}

// sameFinals is sameRecords with where they became final.
func sameFinals(t testing.TB, what string, got, want []storage.Record) {
	t.Helper()
	sameRecords(t, what, got, want)
	for i := range got {
		if !reflect.DeepEqual(got[i].Final, want[i].Final) {
			t.Fatalf("%s: %v is final at %v, want %v", what, got[i].Message.ID(), got[i].Final, want[i].Final)
		}
	}
}
