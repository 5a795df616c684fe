package storage_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// benchRecords are n messages of 256 bytes of content under 100 topics.
func benchRecords(b *testing.B, n int) []storage.Record {
	records := make([]storage.Record, n)
	for i := range records {
		content := bytes.Repeat([]byte{byte(i)}, 256)
		records[i] = newRecord(b, byte(i%8), uint64(1_000+i), fmt.Sprintf("bench/%d", i%100), content)
	}
	return records
}

func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 256, 512} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openFor(b, vfs.Default, b.TempDir())
			next := 0
			for b.Loop() {
				b.StopTimer()
				batch := make([]storage.Record, size)
				for i := range batch {
					next++
					content := bytes.Repeat([]byte{byte(next)}, 256)
					batch[i] = newRecord(b, byte(i%8), uint64(1_000+next), fmt.Sprintf("bench/%d", next%100), content)
				}
				b.StartTimer()
				mustCommit(b, s, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/message")
		})
	}
}

// benchStore holds records in tables on disk.
func benchStore(b *testing.B, records []storage.Record) *storage.Store {
	dir := b.TempDir()
	s := mustOpen(b, vfs.Default, dir)
	for i := 0; i < len(records); i += 512 {
		mustCommit(b, s, records[i:min(i+512, len(records))])
	}
	mustClose(b, s)
	return openFor(b, vfs.Default, dir)
}

func BenchmarkRead(b *testing.B) {
	records := benchRecords(b, 20_000)
	s := benchStore(b, records)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, q := range map[string]storage.Query{
		"all":       {},
		"topic":     {Topics: mustFilter(b, "bench/7")},
		"wildcard":  {Topics: mustFilter(b, "bench/+")},
		"backwards": {Topics: mustFilter(b, "bench/7"), Descending: true},
	} {
		b.Run("select_"+name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				read, err := selectError(b.Context(), s, q)
				if err != nil {
					b.Fatal(err)
				}
				n += read
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/message")
		})
	}
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(records[rng.IntN(len(records))].Message.ID()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("has_unknown", func(b *testing.B) {
		for b.Loop() {
			id := message.NewID(1_000+rng.Uint64N(uint64(len(records))), [32]byte{byte(rng.Uint32()), 1})
			if s.Has(id) {
				b.Fatal("an unknown message is there")
			}
		}
	})
}
