package storage_test

import (
	"bytes"
	"errors"
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
