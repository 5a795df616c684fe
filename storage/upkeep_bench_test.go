package storage_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// forge makes n messages of about 300 bytes under 1,000 topics, a nanosecond apart
// from a time on. Only the first of each topic is signed: a store does not look.
func forge(b *testing.B, from uint64, n int) []storage.Record {
	const timestampOffset = 1 + 8 + 32
	templates := make([][]byte, 1_000)
	for i := range templates {
		templates[i] = newRecord(b, byte(i%20), from, fmt.Sprintf("city/%03d/temperature", i), make([]byte, 20)).Message.Bytes()
	}
	rng := rand.New(rand.NewPCG(from, 1))
	records := make([]storage.Record, n)
	for i := range records {
		raw := append([]byte{}, templates[i%len(templates)]...)
		at := from + uint64(i)
		binary.BigEndian.PutUint64(raw[timestampOffset:], at)
		for j := len(raw) - 92; j < len(raw)-72; j += 4 { // the content
			binary.BigEndian.PutUint32(raw[j:], rng.Uint32())
		}
		m, err := message.Decode(raw)
		if err != nil {
			b.Fatal(err)
		}
		records[i] = storage.Record{Message: m, Seen: at}
	}
	return records
}

// fillStore commits n messages in batches of 512, and finalises them 50,000 at a
// time. It returns the time behind the newest.
func fillStore(b *testing.B, s *storage.Store, n int) uint64 {
	at := uint64(1_000)
	for n > 0 {
		size := min(n, 50_000)
		records := forge(b, at, size)
		f := storage.Finality{Anchor: s.LastAnchor() + 1, Commitment: make([]byte, 268), State: make([]byte, 200)}
		for i, r := range records {
			f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
			if i%512 == 0 {
				mustCommit(b, s, records[i:min(i+512, size)])
			}
		}
		if err := s.Finalise(f); err != nil {
			b.Fatal(err)
		}
		n, at = n-size, at+uint64(size)
	}
	return at
}

// A million messages go out of 1,100,000.
func BenchmarkPrune(b *testing.B) {
	for range b.N {
		b.StopTimer()
		s := mustOpen(b, vfs.Default, b.TempDir())
		fillStore(b, s, 1_100_000)
		if err := s.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
		before := s.DiskUsage()
		b.StartTimer()
		start := time.Now()
		done, err := s.Prune(b.Context(), storage.Pruning{Before: 1_001_000, Anchor: 20})
		if err != nil {
			b.Fatal(err)
		}
		pruned := time.Since(start)
		if err := s.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(done.Messages), "messages")
		b.ReportMetric(pruned.Seconds(), "s/prune")
		b.ReportMetric((time.Since(start) - pruned).Seconds(), "s/compact")
		b.ReportMetric(float64(before)/1e6, "MB-before")
		b.ReportMetric(float64(s.DiskUsage())/1e6, "MB-after")
		b.StopTimer()
		mustClose(b, s)
		b.StartTimer()
	}
}

// Opening a store of a million messages that was not closed, but for a copy of what
// is on the disk, and reading all of it.
func BenchmarkOpenAfterACrash(b *testing.B) {
	base := b.TempDir()
	s := mustOpen(b, vfs.Default, base+"/store")
	fillStore(b, s, 1_000_000)
	if _, err := vfs.Clone(vfs.Default, vfs.Default, base+"/store", base+"/crashed"); err != nil {
		b.Fatal(err)
	}
	mustClose(b, s)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		name := fmt.Sprintf("%s/%d", base, i)
		if _, err := vfs.Clone(vfs.Default, vfs.Default, base+"/crashed", name); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s := mustOpen(b, vfs.Default, name)
		b.StopTimer()
		if s.Count() != 1_000_000 {
			b.Fatal(s.Count())
		}
		mustClose(b, s)
		b.StartTimer()
	}
}

func BenchmarkCheck(b *testing.B) {
	const n = 200_000
	s := openFor(b, vfs.Default, b.TempDir())
	fillStore(b, s, n)
	for b.Loop() {
		if report, err := s.Check(b.Context(), nil); err != nil || report.Damaged > 0 {
			b.Fatal(err, report.Damages)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
}
