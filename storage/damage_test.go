package storage_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tangled/message"
	"tangled/storage"
)

func messageRow(id message.ID) []byte { return append([]byte{'m'}, id[:]...) }

// A table of damage to one message row of three under one topic, and what must
// be told of it. The rows before the damage are still read.
func TestDamagedMessages(t *testing.T) {
	records := []storage.Record{
		newRecord(t, 1, 100, "a", []byte("first")),
		newRecord(t, 1, 101, "a", []byte("second")),
		newRecord(t, 1, 102, "a", []byte("third")),
	}
	id := records[1].Message.ID()
	value := append([]byte{0, 0, 0, 0, 0, 0, 0, 9}, records[1].Message.Bytes()...)
	flip := func(i int) []byte {
		b := bytes.Clone(value)
		b[i] ^= 0x40
		return b
	}
	for name, damaged := range map[string][]byte{
		"empty":           {},
		"no_message":      value[:8],
		"seen_cut_short":  value[:7],
		"cut_short":       value[:len(value)-1],
		"byte_more":       append(bytes.Clone(value), 0),
		"version":         flip(8),
		"issuer":          flip(8 + 1 + 8),
		"parent":          flip(8 + 60),
		"signature":       flip(len(value) - 9),
		"another_message": append(bytes.Clone(value[:8]), records[0].Message.Bytes()...),
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			s := mustOpen(t, fs, dir)
			mustCommit(t, s, records)
			mustClose(t, s)
			withPebble(t, fs, dir, func(db *pebble.DB) error { return db.Set(messageRow(id), damaged, pebble.Sync) })
			s = openFor(t, fs, dir)
			_, err := s.Get(id)
			checkCorruption(t, "get", err, 'm', id)
			author := issuer(1)
			for what, q := range map[string]storage.Query{
				"select all":       {},
				"select by topic":  {Topics: mustFilter(t, "a")},
				"select by issuer": {Issuer: &author},
				"select backwards": {Descending: true},
			} {
				n, err := selectError(t.Context(), s, q)
				checkCorruption(t, what, err, 'm', id)
				if n != 1 {
					t.Errorf("%s: %d records before the damage, want 1", what, n)
				}
			}
			if got, err := s.Get(records[2].Message.ID()); err != nil || got.Message.ID() != records[2].Message.ID() {
				t.Errorf("get beside the damage: %v", err)
			}
		})
	}
}

func checkCorruption(t *testing.T, what string, err error, table byte, id message.ID) {
	t.Helper()
	var e *storage.CorruptionError
	if !errors.As(err, &e) || e.Table != table || !bytes.HasSuffix(e.Key, id[:]) || e.Err == nil {
		t.Errorf("%s: %v, want a CorruptionError of %v in table %q", what, err, id, table)
	}
}

func TestIndexRowWithoutMessage(t *testing.T) {
	author := issuer(1)
	for table, q := range map[byte]storage.Query{
		't': {Topics: mustFilter(t, "a")},
		'i': {Issuer: &author},
	} {
		fs := vfs.NewMem()
		s := mustOpen(t, fs, dir)
		kept, lost := newRecord(t, 1, 100, "a", nil), newRecord(t, 1, 101, "a", nil)
		mustCommit(t, s, []storage.Record{kept, lost})
		mustClose(t, s)
		withPebble(t, fs, dir, func(db *pebble.DB) error { return db.Delete(messageRow(lost.Message.ID()), pebble.Sync) })
		s = openFor(t, fs, dir)
		n, err := selectError(t.Context(), s, q)
		checkCorruption(t, "select", err, table, lost.Message.ID())
		if n != 1 {
			t.Errorf("%d records before the damage, want 1", n)
		}
	}
}

// A key of the wrong length is damage too, and the row named is that one.
func TestMisshapenKeys(t *testing.T) {
	for _, key := range []string{"m\x00short", "m" + string(bytes.Repeat([]byte{1}, message.IDSize+1))} {
		fs := vfs.NewMem()
		mustClose(t, mustOpen(t, fs, dir))
		withPebble(t, fs, dir, func(db *pebble.DB) error { return db.Set([]byte(key), []byte("12345678"), pebble.Sync) })
		_, err := selectError(t.Context(), openFor(t, fs, dir), storage.Query{})
		var e *storage.CorruptionError
		if !errors.As(err, &e) || e.Table != 'm' || !bytes.HasSuffix(e.Key, []byte(key[1:])) {
			t.Errorf("select: %v, want a CorruptionError of %x", err, key)
		}
	}
}

// A disk that cannot be read must never look like a message that is not there,
// or like the end of a selection.
func TestReadErrors(t *testing.T) {
	mem := vfs.NewMem()
	batches := newBatches(t, 4, 8)
	for _, batch := range batches {
		s := mustOpen(t, mem, dir)
		mustCommit(t, s, batch)
		mustClose(t, s)
	}
	broken := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpOpen || op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt {
			return errorfs.ErrInjected
		}
		return nil
	})}
	s := openFor(t, errorfs.Wrap(mem, broken), dir)
	broken.On()
	defer broken.Off()
	id := batches[0][0].Message.ID()
	if _, err := s.Get(id); !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("get: %v, want the error of the disk", err)
	}
	author := issuer(0)
	for _, q := range []storage.Query{{}, {Descending: true}, {Topics: mustFilter(t, "shared")}, {Issuer: &author}} {
		if n, err := selectError(t.Context(), s, q); !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("select %+v: %d records, then %v, want the error of the disk", q, n, err)
		}
	}
	// The newest row may be in the cache.
	if got, _, err := s.Newest(); got != batches[3][7].Message.ID() && !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("newest: %v, %v, want the newest or the error of the disk", got, err)
	}
}

// readAnything calls everything that reads what anchors wrote, about id where
// it is about a message, and tells the errors.
func readAnything(ctx context.Context, s *storage.Store, id message.ID) map[string]error {
	_, _, final := s.Final(id)
	_, _, replaced := s.Replaced(id)
	_, commitment := s.Commitment(1)
	_, _, signatures := s.Signatures(1)
	_, node := s.Node(0, 0)
	_, _, transfer := s.Transfer(message.TransferID{1, 0xaa})
	address := message.Address{1, 9}
	return map[string]error{
		"final": final, "replaced": replaced, "commitment": commitment, "signatures": signatures, "node": node, "transfer": transfer,
		"order":      lastError(s.Order(ctx, 0, 0)),
		"accounts":   lastError(s.Accounts()),
		"history":    lastError(s.AccountHistory(ctx, address, storage.Position{}, false)),
		"unexpired":  lastError(s.Unexpired()),
		"pending":    lastError(s.Pending(0, math.MaxInt64)),
		"load":       lastError(s.LoadFrom(ctx, 0)),
		"select":     lastError(s.Select(ctx, storage.Query{WithReplaced: true, WithFinal: true})),
		"select_gap": lastError(s.Select(ctx, storage.Query{})),
	}
}

// lastError is the error that ends a sequence.
func lastError[T any](seq iter.Seq2[T, error]) (err error) {
	for _, err = range seq {
		continue
	}
	return err
}

// A table of damage to rows that anchors wrote, or that Commit wrote for them,
// and which readers must tell of it.
func TestDamagedRows(t *testing.T) {
	st := newStory(t, 5)
	records := st.messages()
	replaced, final := records[2].Message.ID(), records[0].Message.ID()
	transfer, address := message.TransferID{2, 0xaa}, message.Address{2, 9}
	number := "\x00\x00\x00\x01" // the issuer's
	anchor := func(table string, n byte) string { return table + string([]byte{0, 0, 0, 0, 0, 0, 0, n}) }
	for name, test := range map[string]struct {
		key, value string
		read       func(s *storage.Store) error
	}{
		"short_final":      {"s" + string(final[:]), "123456789012", func(s *storage.Store) error { _, _, err := s.Final(final); return err }},
		"long_final":       {"s" + string(final[:]), "12345678901234", func(s *storage.Store) error { return lastError(s.LoadFrom(t.Context(), 0)) }},
		"final_of_hidden":  {"s" + string(replaced[:]), "", func(s *storage.Store) error { return lastError(s.Select(t.Context(), storage.Query{})) }},
		"short_order":      {anchor("f", 2) + "\x00\x00\x00\x01", "123", func(s *storage.Store) error { return lastError(s.Order(t.Context(), 2, 0)) }},
		"order_key":        {anchor("f", 2), "", func(s *storage.Store) error { return lastError(s.Order(t.Context(), 1, 0)) }},
		"signatures_key":   {anchor("q", 2) + "x", "", func(s *storage.Store) error { _, _, err := s.Signatures(1); return err }},
		"short_node":       {"h\x00" + anchor("", 1), "1234567890123456789012345678901", func(s *storage.Store) error { _, err := s.Node(0, 1); return err }},
		"account_key":      {"b" + string(address[:31]), "", func(s *storage.Store) error { return lastError(s.Accounts()) }},
		"short_history":    {"a" + string(address[:]) + anchor("", 2) + "\x00\x00\x00\x01", "12", func(s *storage.Store) error { return history(t, s, address) }},
		"history_key":      {"a" + string(address[:]) + anchor("", 2), "12", func(s *storage.Store) error { return history(t, s, address) }},
		"unexpired_key":    {anchor("u", 2) + string(transfer[:31]), "", func(s *storage.Store) error { return lastError(s.Unexpired()) }},
		"short_transfer":   {"x" + string(transfer[:]), "12345", func(s *storage.Store) error { _, _, err := s.Transfer(transfer); return err }},
		"transfer_is_kept": {"x" + string([]byte{4, 0xaa}) + string(make([]byte, 30)), "12345", finaliseNext},
		"pending_key":      {"p" + string(final[:8]), "", func(s *storage.Store) error { return lastError(s.Pending(0, math.MaxInt64)) }},
		"short_replaced":   {"r" + string(replaced[:]) + number, "12345", func(s *storage.Store) error { _, _, err := s.Replaced(replaced); return err }},
		"replaced_hides":   {"r" + string(replaced[:]) + number, "12345", func(s *storage.Store) error { return lastError(s.Select(t.Context(), storage.Query{})) }},
		"replaced_message": {"m" + string(replaced[:]), "12345678", func(s *storage.Store) error { _, _, err := s.Replaced(replaced); return err }},
		"short_witness": {"w\x00\x00\x00\x00" + anchor("", 9), "12345", func(s *storage.Store) error {
			second := newRecord(t, 3, 5_000, "second", nil)
			second.Witness = &storage.OwnWitness{Epoch: 0, Round: 9}
			return s.Commit([]storage.Record{second})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			mustClose(t, tell(t, fs, st))
			withPebble(t, fs, dir, func(db *pebble.DB) error { return db.Set([]byte(test.key), []byte(test.value), pebble.Sync) })
			s := openFor(t, fs, dir)
			err := test.read(s)
			var e *storage.CorruptionError
			if !errors.As(err, &e) || e.Table != test.key[0] || string(e.Key) != test.key[1:] || e.Err == nil {
				t.Errorf("%v, want a CorruptionError of %x in %q", err, test.key[1:], test.key[0])
			}
			if s.Err() != nil {
				t.Errorf("the store failed: %v", s.Err())
			}
			if s.LastAnchor() != 5 || s.Count() != uint64(len(records)) {
				t.Errorf("%d anchors and %d messages after it", s.LastAnchor(), s.Count())
			}
		})
	}
}

func history(t *testing.T, s *storage.Store, a message.Address) error {
	return lastError(s.AccountHistory(t.Context(), a, storage.Position{}, true))
}

// finaliseNext is the anchor after a story of five, with a duplicate of the
// transfer applied in the fourth.
func finaliseNext(s *storage.Store) error {
	return s.Finalise(storage.Finality{
		Anchor:    6,
		Included:  []storage.FinalMessage{{ID: message.NewID(7_000, [32]byte{}), Outcome: duplicate}},
		Transfers: []storage.FinalTransfer{{TransferID: message.TransferID{4, 0xaa}, Index: 0, Outcome: duplicate}},
	})
}

// A replaced message whose replacement is gone is shown, and nothing is said to
// replace it.
func TestReplacementGone(t *testing.T) {
	fs := vfs.NewMem()
	old := newRecord(t, 1, 100, "a", nil)
	by := replacement(t, 1, 101, old)
	mustClose(t, tell(t, fs, story{{records: []storage.Record{old, by}}}))
	withPebble(t, fs, dir, func(db *pebble.DB) error { return db.Delete(messageRow(by.Message.ID()), pebble.Sync) })
	s := openFor(t, fs, dir)
	sameRecords(t, "select", collect(t, s, storage.Query{}), model{old})
	checkReplaced(t, s, old.Message.ID(), nil)
}

// A disk that cannot be read must never look like something that is not there,
// like the end of a sequence, or like a round without a witness; and nothing is
// written on the strength of it.
func TestReadErrorsAfterAnchors(t *testing.T) {
	mem := vfs.NewMem()
	st := newStory(t, 5)
	for _, step := range st {
		mustClose(t, tell(t, mem, story{step}))
	}
	withPebble(t, mem, dir, func(db *pebble.DB) error { return db.Compact(t.Context(), []byte{0}, []byte{0xff}, false) })
	broken := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpOpen || op.Kind == errorfs.OpFileRead || op.Kind == errorfs.OpFileReadAt {
			return errorfs.ErrInjected
		}
		return nil
	})}
	id := st.messages()[0].Message.ID()
	second := newRecord(t, 3, 5_000, "second", nil)
	second.Witness = &storage.OwnWitness{Epoch: 0, Round: 9}
	calls := map[string]func(s *storage.Store) error{
		"finalise": finaliseNext,
		"pending_of_included": func(s *storage.Store) error {
			return s.Finalise(storage.Finality{Anchor: 6, Included: []storage.FinalMessage{{ID: id}}})
		},
		"witness": func(s *storage.Store) error { return s.Commit([]storage.Record{second}) },
	}
	for name := range readAnything(t.Context(), openOnce(t, mem), id) {
		calls[name] = func(s *storage.Store) error { return readAnything(t.Context(), s, id)[name] }
	}
	for name, call := range calls {
		// Opened anew, without cache: what Open itself reads is read.
		s, err := storage.Open(dir, network, storage.Options{FS: errorfs.Wrap(mem, broken), CacheBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		broken.On()
		if err := call(s); !errors.Is(err, errorfs.ErrInjected) {
			t.Errorf("%s: %v, want the error of the disk", name, err)
		}
		broken.Off()
		st.verify(t, s, st)
		mustClose(t, s)
	}
}

// openOnce is a store that was opened and closed.
func openOnce(t *testing.T, fs vfs.FS) *storage.Store {
	s := mustOpen(t, fs, dir)
	mustClose(t, s)
	return s
}
