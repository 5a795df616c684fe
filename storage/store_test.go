package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

func TestEmptyStore(t *testing.T) {
	s := openFor(t, vfs.NewMem(), dir)
	model{}.verify(t, s)
	if id, ok, err := s.Newest(); ok || err != nil || !id.IsZero() {
		t.Errorf("newest of an empty store: %v, %v, %v", id, ok, err)
	}
	if _, err := s.Get(message.NewID(7, [32]byte{7})); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get: %v, want ErrNotFound", err)
	}
	mustCommit(t, s, nil)
	model{}.verify(t, s)
}

// The rows are looked for in the write-ahead log, in several small tables and
// in one compacted table.
func TestRoundTrip(t *testing.T) {
	fs := vfs.NewMem()
	var all model
	check := func(s *storage.Store) {
		t.Helper()
		all.verify(t, s)
		last := all.query(storage.Query{Descending: true})[0].Message.ID()
		if id, ok, err := s.Newest(); id != last || !ok || err != nil {
			t.Fatalf("newest is %v, %v, %v; want %v", id, ok, err, last)
		}
		for _, r := range all {
			unknown := r.Message.ID()
			unknown[len(unknown)-1] ^= 1
			if s.Has(unknown) {
				t.Fatalf("has %v, which was never committed", unknown)
			}
			if _, err := s.Get(unknown); !errors.Is(err, storage.ErrNotFound) {
				t.Fatalf("get unknown: %v, want ErrNotFound", err)
			}
		}
	}
	for _, batch := range newBatches(t, 6, 9) {
		s := mustOpen(t, fs, dir)
		mustCommit(t, s, batch)
		all = append(all, batch...)
		check(s)
		mustClose(t, s)
	}
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		return db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)
	})
	s := openFor(t, fs, dir)
	check(s)
}

// Each table and value is compared with the layout in the package comment,
// written down here a second time.
func TestLayout(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	first := newRecord(t, 1, 100, "a/b", []byte("x"))
	second := newRecord(t, 2, 101, "c", nil)
	mustCommit(t, s, []storage.Record{first, second})
	mustClose(t, s)

	one, two := first.Message.ID(), second.Message.ID()
	id1, id2 := string(one[:]), string(two[:])
	i1, i2 := issuer(1), issuer(2)
	want := map[string]string{
		"m" + id1:                 "\x00\x00\x00\x00\x00\x00\x04\x4c" + string(first.Message.Bytes()),
		"m" + id2:                 "\x00\x00\x00\x00\x00\x00\x04\x4d" + string(second.Message.Bytes()),
		"t\x00\x00\x00\x01" + id1: "",
		"t\x00\x00\x00\x02" + id2: "",
		"i\x00\x00\x00\x01" + id1: "",
		"i\x00\x00\x00\x02" + id2: "",
		"nta/b":                   "\x00\x00\x00\x01",
		"ntc":                     "\x00\x00\x00\x02",
		"ni" + string(i1[:]):      "\x00\x00\x00\x01",
		"ni" + string(i2[:]):      "\x00\x00\x00\x02",
		"vformat":                 "\x00\x00\x00\x01",
		"vnetwork":                string(network[:]),
		"vcount":                  "\x00\x00\x00\x00\x00\x00\x00\x02",
	}
	withPebble(t, fs, dir, func(db *pebble.DB) error {
		it, err := db.NewIter(nil)
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			value, known := want[string(it.Key())]
			if !known || value != string(it.Value()) {
				t.Errorf("row %q = %x, want %x (known: %v)", it.Key(), it.Value(), value, known)
			}
			delete(want, string(it.Key()))
		}
		for row := range want {
			t.Errorf("row %q is not there", row)
		}
		return it.Close()
	})
}

func TestFree(t *testing.T) {
	if n, err := openFor(t, vfs.Default, t.TempDir()).Free(); err != nil || n == 0 {
		t.Errorf("free on disk: %d, %v", n, err)
	}
	fs := vfs.NewMem()
	s := openFor(t, fs, dir)
	if _, err := s.Free(); !errors.Is(err, vfs.ErrUnsupported) {
		t.Errorf("free without a disk: %v, want ErrUnsupported", err)
	}
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 5, TotalBytes: 9, UsedBytes: 4})
	if n, err := s.Free(); n != 5 || err != nil {
		t.Errorf("free: %d, %v, want the 5 bytes available", n, err)
	}
}

func TestCloseWaitsForReaders(t *testing.T) {
	for _, q := range []storage.Query{{}, {Topics: mustFilter(t, "shared")}} {
		synctest.Test(t, func(t *testing.T) {
			s := mustOpen(t, vfs.NewMem(), dir)
			mustCommit(t, s, newBatches(t, 1, 8)[0])
			var closing sync.WaitGroup
			var closed atomic.Int32
			read := 0
			for _, err := range s.Select(t.Context(), q) {
				if err != nil {
					t.Fatal(err)
				}
				if read++; read == 1 {
					for range 2 {
						closing.Go(func() {
							mustClose(t, s)
							closed.Add(1)
						})
						synctest.Wait()
					}
				}
				if n := closed.Load(); n != 0 {
					t.Errorf("%d calls of Close returned under a reader", n)
				}
				if _, err := s.Get(message.ID{}); err == nil || errors.Is(err, storage.ErrNotFound) {
					t.Errorf("get while closing: %v", err)
				}
				if read == 3 {
					break
				}
			}
			closing.Wait()
			mustClose(t, s)
		})
	}
}

func TestUseAfterClose(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, fs, dir)
	batches := newBatches(t, 2, 3)
	mustCommit(t, s, batches[0])
	mustClose(t, s)
	mustClose(t, s)

	id := batches[0][0].Message.ID()
	if _, err := s.Get(id); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Errorf("get: %v, want that the store is closed", err)
	}
	if s.Has(id) {
		t.Error("has is true")
	}
	if _, _, err := s.Newest(); err == nil {
		t.Error("newest: no error")
	}
	if n, err := selectError(t.Context(), s, storage.Query{}); n != 0 || err == nil {
		t.Errorf("select: %d records, %v", n, err)
	}
	if err := s.Commit(batches[1]); err == nil {
		t.Error("commit: no error")
	}
	model(batches[0]).verify(t, openFor(t, fs, dir))
}

// A selection shows whole batches only, and all that were acknowledged before
// it began.
func TestConcurrentUse(t *testing.T) {
	const size = 4
	batches := newBatches(t, 60, size)
	s := mustOpen(t, vfs.NewMem(), dir)
	acked := make(chan int, len(batches)) // for the readers to pick up, in order
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(acked)
		for i, batch := range batches {
			if err := s.Commit(batch); err != nil {
				t.Error(err)
				return
			}
			acked <- i + 1
		}
	})
	for range 3 {
		wg.Go(func() {
			for n := range acked {
				if err := readConcurrently(t.Context(), s, batches[:n], size); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	model(slices.Concat(batches...)).verify(t, s)

	// Readers that Close overtakes get an error, not a closed database.
	for range 3 {
		wg.Go(func() {
			for {
				if _, err := selectError(t.Context(), s, storage.Query{}); err != nil {
					return
				}
			}
		})
	}
	wg.Go(func() {
		for s.Commit(nil) == nil {
		}
	})
	mustClose(t, s)
	wg.Wait()
}

func readConcurrently(ctx context.Context, s *storage.Store, acked [][]storage.Record, size int) error {
	last := acked[len(acked)-1][size-1].Message.ID()
	if _, err := s.Get(last); err != nil || !s.Has(last) {
		return fmt.Errorf("acknowledged message is not there: %w", err)
	}
	id, ok, err := s.Newest()
	if err != nil || !ok || id.Compare(last) < 0 {
		return fmt.Errorf("newest is %v, %v, older than acknowledged: %w", id, ok, err)
	}
	n, err := selectError(ctx, s, storage.Query{})
	if err != nil || n < len(acked)*size || n%size != 0 {
		return fmt.Errorf("%d records selected, %d acknowledged, in batches of %d: %w", n, len(acked)*size, size, err)
	}
	return nil
}
