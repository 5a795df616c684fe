package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/internal/bubbletest"
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
	second := newDataRecord(t, 2, 101, message.Data{Topic: "c", Replaces: first.Message.ID()})
	third := newRecord(t, 2, 102, "c", nil)
	first.Own, third.Own = true, true
	second.Witness = &storage.OwnWitness{Epoch: 0x01020304, Round: 0x05060708090a0b0c}
	mustCommit(t, s, []storage.Record{first, second, third})

	one, two, three := first.Message.ID(), second.Message.ID(), third.Message.ID()
	carried, expired, address := message.TransferID{0xc1, 31: 0xc2}, message.TransferID{0xe1}, message.Address{0xa1, 31: 0xa2}
	f := storage.Finality{
		Anchor:     1,
		Commitment: []byte("preimage"),
		Included:   []storage.FinalMessage{{ID: one, Outcome: 1}, {ID: two, Outcome: 2}},
		Nodes:      []storage.Node{{Level: 7, Index: 0x1122334455667788, Hash: [32]byte{0xbb, 31: 0xcc}}},
		Accounts:   []storage.Account{{Address: address, Value: []byte("balance")}},
		History:    []storage.AccountEntry{{Address: address, Index: 1}},
		Applied:    []storage.AppliedTransfer{{TransferID: carried, ValidUntil: 0x0102}, {TransferID: expired, ValidUntil: 3}},
		Transfers:  []storage.FinalTransfer{{TransferID: carried, Index: 1, Outcome: 2}},
		State:      []byte("going on"),
	}
	next := storage.Finality{Anchor: 2, Expired: []storage.AppliedTransfer{{TransferID: expired, ValidUntil: 3}}, State: []byte("and on")}
	if err := errors.Join(s.Finalise(f), s.Finalise(next), s.SetSignatures(1, []byte("signatures"))); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)

	id1, id2, id3 := string(one[:]), string(two[:]), string(three[:])
	i1, i2 := issuer(1), issuer(2)
	anchor1, anchor2 := "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x02"
	index0, index1 := "\x00\x00\x00\x00", "\x00\x00\x00\x01"
	want := map[string]string{
		"m" + id1:                      "\x00\x00\x00\x00\x00\x00\x04\x4c" + string(first.Message.Bytes()),
		"m" + id2:                      "\x00\x00\x00\x00\x00\x00\x04\x4d" + string(second.Message.Bytes()),
		"m" + id3:                      "\x00\x00\x00\x00\x00\x00\x04\x4e" + string(third.Message.Bytes()),
		"t\x00\x00\x00\x01" + id1:      "",
		"t\x00\x00\x00\x02" + id2:      "",
		"t\x00\x00\x00\x02" + id3:      "",
		"i\x00\x00\x00\x01" + id1:      "",
		"i\x00\x00\x00\x02" + id2:      "",
		"i\x00\x00\x00\x02" + id3:      "",
		"nta/b":                        "\x00\x00\x00\x01",
		"ntc":                          "\x00\x00\x00\x02",
		"ni" + string(i1[:]):           "\x00\x00\x00\x01",
		"ni" + string(i2[:]):           "\x00\x00\x00\x02",
		"p" + id3:                      "",
		"r" + id1 + "\x00\x00\x00\x02": id2,
		"w\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c": id2,

		"s" + id1:                               anchor1 + index0 + "\x01",
		"s" + id2:                               anchor1 + index1 + "\x02",
		"f" + anchor1 + index0:                  id1 + "\x01",
		"f" + anchor1 + index1:                  id2 + "\x02",
		"C" + anchor1:                           "preimage",
		"C" + anchor2:                           "",
		"q" + anchor1:                           "signatures",
		"h\x07\x11\x22\x33\x44\x55\x66\x77\x88": "\xbb" + string(make([]byte, 30)) + "\xcc",
		"b" + string(address[:]):                "balance",
		"a" + string(address[:]) + anchor1 + index1:              id2 + "\x02",
		"u\x00\x00\x00\x00\x00\x00\x01\x02" + string(carried[:]): "",
		"x" + string(carried[:]):                                 id2 + anchor1 + index1 + "\x02",

		"vformat":  "\x00\x00\x00\x02",
		"vanchor":  anchor2,
		"vnetwork": string(network[:]),
		"vcount":   "\x00\x00\x00\x00\x00\x00\x00\x03",
		"vstate":   "and on",
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
		bubbletest.Run(t, func(t *testing.T) {
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
						bubbletest.Wait()
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
	if err := s.Finalise(storage.Finality{Anchor: 1}); err == nil {
		t.Error("finalise: no error")
	}
	if err := s.SetSignatures(1, nil); err == nil {
		t.Error("set signatures: no error")
	}
	for name, err := range readAnything(t.Context(), s, id) {
		if err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s: %v, want that the store is closed", name, err)
		}
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
