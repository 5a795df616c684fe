package storage_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/merkle"
	"tangled/message"
	"tangled/storage"
)

// chain is a history with a real tree, transfers and witnesses: what a store has
// of it is compared anchor by anchor. Entry j-1 is anchor j.
type chain []link

// link is an anchor, the bodies of what it included, and messages of its time that
// never become final.
type link struct {
	storage.Finality
	records    []storage.Record // in the order of Included
	stale      []storage.Record
	accounts   map[message.Address][]byte // all, after it
	unexpired  []storage.AppliedTransfer
	root       [32]byte // of the tree with it
	signatures []byte
}

// linkTime is about when the messages of an anchor were made.
func linkTime(anchor int) uint64 { return uint64(1_000 * anchor) }

// newChain is n anchors. Each includes messages of four topics, a transfer, a
// witness of the round with its number, and from the third on one that is older
// than those of the anchor before.
func newChain(t testing.TB, n int) chain {
	t.Helper()
	tree := new(merkle.Tree)
	nodes := tree.Append([]byte("genesis"))
	accounts := map[message.Address][]byte{}
	var c chain
	for j := 1; j <= n; j++ {
		at := linkTime(j)
		l := link{Finality: storage.Finality{Anchor: uint64(j), Commitment: fmt.Appendf(nil, "commitment %d", j), State: fmt.Appendf(nil, "state %d", j)}}
		l.records = []storage.Record{
			newRecord(t, 1, at, "city/a", fmt.Append(nil, j)),
			newRecord(t, 2, at+1, "city/b", fmt.Append(nil, j)),
			newRecord(t, 3, at+2, "held", bytes.Repeat([]byte{byte(j)}, 50)),
			newTransfer(t, at+3, uint64(j)),
			newRoundWitness(t, at+4, uint64(j)),
		}
		l.records[0].Own, l.records[4].Own = true, true
		if j > 2 {
			l.records = append([]storage.Record{newRecord(t, 2, linkTime(j-2)+500, "city/late", fmt.Append(nil, j))}, l.records...)
		}
		l.stale = []storage.Record{newRecord(t, 1, at+600, "city/stale", fmt.Append(nil, j))}
		l.stale[0].Own = true
		for i, r := range l.records {
			m := storage.FinalMessage{ID: r.Message.ID(), Outcome: included}
			if transfer, err := r.Message.Transfer(); err == nil {
				m.Outcome = applied
				l.addTransfer(&transfer, uint32(i), accounts)
			}
			l.Included = append(l.Included, m)
		}
		nodes = append(nodes, tree.Append(l.Commitment)...)
		for _, n := range nodes {
			l.Nodes = append(l.Nodes, storage.Node{Level: n.Level, Index: n.Index, Hash: n.Hash})
		}
		nodes = nil
		l.root, l.accounts, l.signatures = tree.Root(), maps.Clone(accounts), fmt.Appendf(nil, "signatures %d", j)
		l.unexpired = slices.Clone(l.Applied)
		if j > 1 {
			l.unexpired = append(slices.Clone(c[j-2].unexpired), l.Applied...)
		}
		if len(l.unexpired) > 3 {
			l.Expired, l.unexpired = l.unexpired[:1], l.unexpired[1:]
		}
		c = append(c, l)
	}
	return c
}

func (l *link) addTransfer(t *message.Transfer, index uint32, accounts map[message.Address][]byte) {
	id := t.ID(network)
	l.Applied = append(l.Applied, storage.AppliedTransfer{TransferID: id, ValidUntil: t.ValidUntil})
	l.Transfers = append(l.Transfers, storage.FinalTransfer{TransferID: id, Index: index, Outcome: applied})
	for _, a := range []message.Address{message.AddressOf(t.From), t.Outputs[0].Address} {
		accounts[a] = fmt.Appendf(nil, "account after %d", l.Anchor)
		l.Accounts = append(l.Accounts, storage.Account{Address: a, Value: accounts[a]})
		l.History = append(l.History, storage.AccountEntry{Address: a, Index: index})
	}
}

func sign(t testing.TB, n byte, timestamp uint64, kind message.Kind, payload []byte) storage.Record {
	t.Helper()
	draft := message.Draft{
		Network: network, Timestamp: timestamp, Kind: kind, Payload: payload,
		Parents: []message.ID{message.NewID(1, [32]byte{1}), message.NewID(1, [32]byte{2})},
	}
	m, err := draft.Sign(key(n))
	if err != nil {
		t.Fatal(err)
	}
	return storage.Record{Message: m, Seen: timestamp + 1_000}
}

// newTransfer moves something from one of two accounts to one of many.
func newTransfer(t testing.TB, timestamp, n uint64) storage.Record {
	t.Helper()
	transfer := message.Transfer{Nonce: n, ValidUntil: timestamp + 5_000, Outputs: []message.Output{{Address: message.Address{byte(n), 0xdd}, Amount: 1}}}
	transfer.Sign(network, key(byte(100+n%2)))
	return sign(t, 4, timestamp, message.KindTransfer, transfer.Append(nil))
}

// newRoundWitness is this node's own witness of a round.
func newRoundWitness(t testing.TB, timestamp, round uint64) storage.Record {
	t.Helper()
	w := message.Witness{Round: round}
	if round > 1 {
		w.Refs = []message.Ref{{Seat: 0, ID: message.NewID(timestamp-1, [32]byte{byte(round)})}}
	}
	r := sign(t, 5, timestamp, message.KindWitness, w.Append(nil))
	r.Witness = &storage.OwnWitness{Round: round}
	return r
}

// tell makes the anchors from one on happen in a store, one by one.
func (c chain) tell(t testing.TB, s *storage.Store, from int) {
	t.Helper()
	for _, l := range c[from-1:] {
		mustCommit(t, s, append(slices.Clone(l.records), l.stale...))
		if err := errors.Join(s.Finalise(l.Finality), s.SetSignatures(l.Anchor, l.signatures)); err != nil {
			t.Fatal(err)
		}
	}
}

// store is a new one in which the chain has happened.
func (c chain) store(t testing.TB, fs vfs.FS) *storage.Store {
	t.Helper()
	s := mustOpen(t, fs, dir)
	c.tell(t, s, 1)
	return s
}

// seed begins a store at the last anchor of c, with the lists of the newest three.
func (c chain) seed() storage.Seed {
	last := c[len(c)-1]
	seed := storage.Seed{Anchor: last.Anchor, State: last.State}
	for _, l := range c {
		seed.Nodes = append(seed.Nodes, l.Nodes...)
	}
	seed.Anchors = func(yield func(storage.SeedAnchor, error) bool) {
		for _, l := range c[max(0, len(c)-3):] {
			if !yield(storage.SeedAnchor{Anchor: l.Anchor, Commitment: l.Commitment, Signatures: l.signatures, Included: l.Included}, nil) {
				return
			}
		}
	}
	seed.Accounts = each(last.sortedAccounts())
	seed.Unexpired = each(last.unexpired)
	return seed
}

func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (l link) sortedAccounts() []storage.Account {
	var out []storage.Account
	for a, v := range l.accounts {
		out = append(out, storage.Account{Address: a, Value: v})
	}
	slices.SortFunc(out, func(a, b storage.Account) int { return bytes.Compare(a.Address[:], b.Address[:]) })
	return out
}

// filled is anchor j for Fill.
func (c chain) filled(j int) storage.FilledAnchor {
	l := c[j-1]
	return storage.FilledAnchor{
		Anchor: l.Anchor, Commitment: l.Commitment, Signatures: l.signatures, Included: l.Included, Records: l.records,
		Nodes: l.Nodes, History: l.History, Transfers: l.Transfers,
	}
}

// verify checks all that must hold of a store in which any of c happened, and
// anything was seeded, filled and deleted: what is in no gap is there whole.
func (c chain) verify(t testing.TB, s *storage.Store) {
	t.Helper()
	report, err := s.Check(t.Context(), nil)
	if err != nil || report.Damaged > 0 {
		t.Fatalf("check: %v, %v", err, report.Damages)
	}
	stored := collect(t, s, storage.Query{WithReplaced: true})
	if got := s.Count(); got != uint64(len(stored)) {
		t.Fatalf("count is %d with %d messages", got, len(stored))
	}
	if _, ok := s.Seeding(); ok {
		if err := lastError(s.Accounts()); !errors.Is(err, storage.ErrSeeding) {
			t.Fatalf("accounts during a seed: %v", err)
		}
		return
	}
	last := s.LastAnchor()
	gaps, err := s.Gaps()
	if err != nil {
		t.Fatal(err)
	}
	completeFrom := uint64(1)
	for j := uint64(1); j <= last; j++ {
		in := slices.ContainsFunc(gaps, func(g storage.Gap) bool { return g.First <= j && j <= g.Last })
		if in {
			completeFrom = j + 1
			continue
		}
		c[j-1].verify(t, s)
		c.verifyPath(t, s, j, last)
	}
	if got := s.CompleteFrom(); got != completeFrom {
		t.Fatalf("complete from %d, want %d with %v", got, completeFrom, gaps)
	}
	if last == 0 {
		return
	}
	l := c[last-1]
	if state, ok := s.State(); !ok || !bytes.Equal(state, l.State) {
		t.Fatalf("state %q after anchor %d", state, last)
	}
	same(t, "accounts", all(t, s.Accounts()), l.sortedAccounts())
	unexpired := slices.Clone(l.unexpired)
	slices.SortFunc(unexpired, func(a, b storage.AppliedTransfer) int { return int(a.ValidUntil) - int(b.ValidUntil) })
	same(t, "unexpired", all(t, s.Unexpired()), unexpired)
	for id, err := range s.Pending(0, math.MaxInt64) {
		if _, final, finalErr := s.Final(id); final || err != nil || finalErr != nil || !s.Has(id) {
			t.Fatalf("%v is pending: final %v, stored %v, %v, %v", id, final, s.Has(id), err, finalErr)
		}
	}
}

// verify checks that all of an anchor is there.
func (l link) verify(t testing.TB, s *storage.Store) {
	t.Helper()
	b, err := s.Commitment(l.Anchor)
	if err != nil || !bytes.Equal(b, l.Commitment) {
		t.Fatalf("commitment %d: %q, %v", l.Anchor, b, err)
	}
	has, err := s.Included(l.Anchor)
	if err != nil || !slices.Equal(has, l.Included) {
		t.Fatalf("anchor %d includes %v, %v; want %v", l.Anchor, has, err, l.Included)
	}
	for i, want := range l.records {
		id := want.Message.ID()
		r, err := s.Get(id)
		if err != nil || !bytes.Equal(r.Message.Bytes(), want.Message.Bytes()) {
			t.Fatalf("message %d of anchor %d: %v", i, l.Anchor, err)
		}
		final, ok, err := s.Final(id)
		if want := (storage.Final{Anchor: l.Anchor, Index: uint32(i), Outcome: l.Included[i].Outcome}); final != want || !ok || err != nil {
			t.Fatalf("message %d of anchor %d is final at %+v, %v, %v", i, l.Anchor, final, ok, err)
		}
	}
	for _, f := range l.Transfers {
		if p, ok, err := s.Transfer(f.TransferID); !ok || err != nil || p.Anchor != l.Anchor {
			t.Fatalf("transfer of anchor %d: %+v, %v, %v", l.Anchor, p, ok, err)
		}
	}
	for _, h := range l.History {
		if !slices.ContainsFunc(all(t, s.AccountHistory(t.Context(), h.Address, storage.Position{}, false)), func(p storage.Position) bool {
			return p.Anchor == l.Anchor && p.Index == h.Index
		}) {
			t.Fatalf("history of %v lacks anchor %d", h.Address, l.Anchor)
		}
	}
}

// verifyPath proves an anchor against the tree of the last.
func (c chain) verifyPath(t testing.TB, s *storage.Store, j, last uint64) {
	t.Helper()
	path, err := merkle.PathOf(j, last+1, s.Node)
	if err == nil {
		err = merkle.Verify(c[last-1].root, last+1, j, c[j-1].Commitment, path)
	}
	if err != nil {
		t.Fatalf("path of anchor %d of %d: %v", j, last, err)
	}
}

// dump is every row of a closed store.
func dump(t testing.TB, fs vfs.FS) map[string]string {
	t.Helper()
	rows := map[string]string{}
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		it, err := db.NewIter(nil)
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			rows[string(it.Key())] = string(it.Value())
		}
		return it.Close()
	})
	return rows
}

// gapsOf describes the gaps of a store.
func gapsOf(t testing.TB, s *storage.Store) string {
	t.Helper()
	gaps, err := s.Gaps()
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, g := range gaps {
		text += fmt.Sprintf("%d-%d %v ", g.First, g.Last, g.Reason)
	}
	return text
}

// anchorRow is the key of a row by anchor.
func anchorRow(table byte, anchor uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table}, anchor)
}
