package storage_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// dir has parents of its own, so that a store which does not make its directory
// durable loses everything in a crash.
const dir = "data/node/store"

var network = message.NetworkID{1, 2, 3, 4, 5, 6, 7, 8}

// key is the private key of issuer n, the same in every run.
func key(n byte) ed25519.PrivateKey {
	seed := [ed25519.SeedSize]byte{n, 0xa5}
	return ed25519.NewKeyFromSeed(seed[:])
}

func issuer(n byte) message.Issuer { return message.Issuer(key(n).Public().(ed25519.PublicKey)) }

// newRecord is a data message of issuer n. Equal arguments give equal records.
func newRecord(t testing.TB, n byte, timestamp uint64, topic string, content []byte) storage.Record {
	t.Helper()
	return newDataRecord(t, n, timestamp, message.Data{Topic: topic, Content: content})
}

func newDataRecord(t testing.TB, n byte, timestamp uint64, data message.Data) storage.Record {
	t.Helper()
	draft := message.Draft{
		Network:   network,
		Timestamp: timestamp,
		Parents:   []message.ID{message.NewID(1, [32]byte{1}), message.NewID(1, [32]byte{2})},
		Kind:      message.KindData,
		Payload:   data.Append(nil),
	}
	m, err := draft.Sign(key(n))
	if err != nil {
		t.Fatal(err)
	}
	m.SetNonce(timestamp ^ 0x5555)
	return storage.Record{Message: m, Seen: timestamp + 1_000}
}

// newBatches are n batches of size records each, with new topics and issuers in
// every batch beside ones that were there before.
func newBatches(t testing.TB, n, size int) [][]storage.Record {
	t.Helper()
	batches := make([][]storage.Record, n)
	for b := range batches {
		for r := range size {
			i := b*size + r
			topic := "shared"
			if r%2 == 1 {
				topic = fmt.Sprintf("batch/%d/%d", b, r)
			}
			record := newRecord(t, byte((b+r)%(b+2)), uint64(1_000+i), topic, fmt.Append(nil, i))
			batches[b] = append(batches[b], record)
		}
	}
	return batches
}

func mustOpen(t testing.TB, fs vfs.FS, dir string) *storage.Store {
	t.Helper()
	s, err := storage.Open(dir, network, storage.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openFor is mustOpen with a Close at the end of the test.
func openFor(t testing.TB, fs vfs.FS, dir string) *storage.Store {
	t.Helper()
	s := mustOpen(t, fs, dir)
	t.Cleanup(func() { mustClose(t, s) })
	return s
}

func mustClose(t testing.TB, s *storage.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func mustCommit(t testing.TB, s *storage.Store, records []storage.Record) {
	t.Helper()
	if err := s.Commit(records); err != nil {
		t.Fatal(err)
	}
}

func mustFilter(t testing.TB, s string) message.Filter {
	t.Helper()
	f, err := message.ParseFilter(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// collect reads all of a selection.
func collect(t testing.TB, s *storage.Store, q storage.Query) []storage.Record {
	t.Helper()
	var records []storage.Record
	for r, err := range s.Select(t.Context(), q) {
		if err != nil {
			t.Fatalf("select %+v: %v", q, err)
		}
		records = append(records, r)
	}
	return records
}

// selectError is the error that ends a selection, and how many records came
// before it.
func selectError(ctx context.Context, s *storage.Store, q storage.Query) (n int, err error) {
	for _, err = range s.Select(ctx, q) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// sameRecords compares everything that a record holds.
func sameRecords(t testing.TB, what string, got, want []storage.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i].Message.ID() != want[i].Message.ID() {
			t.Fatalf("%s: record %d is %v, want %v", what, i, got[i].Message.ID(), want[i].Message.ID())
		}
		if got[i].Seen != want[i].Seen || !slices.Equal(got[i].Message.Bytes(), want[i].Message.Bytes()) {
			t.Fatalf("%s: record %d differs from what was committed", what, i)
		}
	}
}

// model answers queries in the plainest way: filter, sort, cut.
type model []storage.Record

func (m model) query(q storage.Query) []storage.Record {
	var out []storage.Record
	for _, r := range m {
		id, ts := r.Message.ID(), r.Message.Timestamp
		data, _ := r.Message.Data()
		behind := q.After.IsZero() || (id.Compare(q.After) > 0) == !q.Descending && id != q.After
		switch {
		case ts < q.From, q.To != 0 && ts >= q.To, !behind:
		case q.Issuer != nil && *q.Issuer != r.Message.Issuer:
		case q.Topics.String() != "" && !q.Topics.Match(data.Topic):
		default:
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b storage.Record) int {
		if q.Descending {
			a, b = b, a
		}
		return a.Message.ID().Compare(b.Message.ID())
	})
	return out
}

// verify checks that the store holds exactly m and that each message is found
// by every way that leads to it.
func (m model) verify(t testing.TB, s *storage.Store) {
	t.Helper()
	all := storage.Query{WithReplaced: true}
	sameRecords(t, "all", collect(t, s, all), m.query(all))
	if got := s.Count(); got != uint64(len(m)) {
		t.Fatalf("count is %d with %d messages", got, len(m))
	}
	topics, issuers := map[string]bool{}, map[message.Issuer]bool{}
	for _, want := range m {
		got, err := s.Get(want.Message.ID())
		if err != nil {
			t.Fatalf("get: %v", err)
		}
		sameRecords(t, "get", []storage.Record{got}, []storage.Record{want})
		if !s.Has(want.Message.ID()) {
			t.Fatalf("has %v is false", want.Message.ID())
		}
		if data, err := want.Message.Data(); err == nil {
			topics[data.Topic] = true
		}
		issuers[want.Message.Issuer] = true
	}
	for topic := range topics {
		q := storage.Query{Topics: mustFilter(t, topic), WithReplaced: true}
		sameRecords(t, "topic "+topic, collect(t, s, q), m.query(q))
	}
	for issuer := range issuers {
		q := storage.Query{Issuer: &issuer, WithReplaced: true}
		sameRecords(t, "issuer "+issuer.String(), collect(t, s, q), m.query(q))
	}
}

// withPebble runs f on the closed directory below the store.
func withPebble(t testing.TB, fs vfs.FS, dir string, f func(*pebble.DB) error) {
	t.Helper()
	opts := &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := f(db); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// quiet keeps Pebble's notes on its own doings out of the test's output.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
