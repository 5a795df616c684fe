package storage_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
	"tangled/storage"
)

// benchAnchor includes n messages; a share of them, in percent, carry transfers
// between 1,000 accounts.
func benchAnchor(anchor uint64, n, transfers int) storage.Finality {
	f := storage.Finality{Anchor: anchor, Commitment: make([]byte, 300), State: make([]byte, 200)}
	f.Nodes = []storage.Node{{Level: 0, Index: anchor}, {Level: 1, Index: anchor / 2}}
	for i := range n {
		var hash [32]byte
		binary.BigEndian.PutUint64(hash[:], uint64(i)*0x9e3779b97f4a7c15)
		m := storage.FinalMessage{ID: message.NewID(anchor<<20+uint64(i), hash), Outcome: included}
		if i%100 < transfers {
			m.Outcome = applied
			id := message.TransferID(hash)
			binary.BigEndian.PutUint64(id[8:], anchor)
			from, to := message.Address{byte(i), byte(i >> 8 % 4)}, message.Address{byte(i >> 3), 7}
			f.Accounts = append(f.Accounts, storage.Account{Address: from, Value: hash[:24]}, storage.Account{Address: to, Value: hash[:24]})
			f.History = append(f.History, storage.AccountEntry{Address: from, Index: uint32(i)}, storage.AccountEntry{Address: to, Index: uint32(i)})
			f.Applied = append(f.Applied, storage.AppliedTransfer{TransferID: id, ValidUntil: anchor << 20})
			f.Transfers = append(f.Transfers, storage.FinalTransfer{TransferID: id, Index: uint32(i), Outcome: applied})
		}
		f.Included = append(f.Included, m)
	}
	return f
}

func BenchmarkFinalise(b *testing.B) {
	for _, n := range []int{1_200, 50_000} {
		for _, transfers := range []int{0, 10, 100} {
			b.Run(fmt.Sprintf("%d/transfers_%d%%", n, transfers), func(b *testing.B) {
				s := openFor(b, vfs.Default, b.TempDir())
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					f := benchAnchor(s.LastAnchor()+1, n, transfers)
					b.StartTimer()
					if err := s.Finalise(f); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
			})
		}
		b.Run(fmt.Sprintf("%d/own", n), func(b *testing.B) { benchmarkFinaliseOwn(b, n) })
	}
}

// All included messages are this node's and pending.
func benchmarkFinaliseOwn(b *testing.B, n int) {
	s := openFor(b, vfs.Default, b.TempDir())
	for b.Loop() {
		b.StopTimer()
		f := storage.Finality{Anchor: s.LastAnchor() + 1}
		var records []storage.Record
		for i := range n {
			r := newRecord(b, 1, f.Anchor<<20+uint64(i), "own", nil)
			r.Own = true
			records = append(records, r)
			f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
		}
		for ; len(records) > 512; records = records[512:] {
			mustCommit(b, s, records[:512])
		}
		mustCommit(b, s, records)
		b.StartTimer()
		if err := s.Finalise(f); err != nil {
			b.Fatal(err)
		}
	}
	for id := range s.Pending(0, math.MaxInt64) {
		b.Fatalf("%v is still pending", id)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
}

// What finality adds to a selection: the rows of final messages read alongside,
// and, where any message was ever replaced, a look for each.
func BenchmarkSelectWithFinal(b *testing.B) {
	records := benchRecords(b, 20_000)
	s := benchStore(b, records)
	f := storage.Finality{Anchor: 1}
	for _, r := range records {
		f.Included = append(f.Included, storage.FinalMessage{ID: r.Message.ID(), Outcome: included})
	}
	if err := s.Finalise(f); err != nil {
		b.Fatal(err)
	}
	run := func(name string, q storage.Query) {
		b.Run(name, func(b *testing.B) {
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
	topic := mustFilter(b, "bench/7")
	run("all", storage.Query{})
	run("all_final", storage.Query{WithFinal: true})
	run("topic", storage.Query{Topics: topic})
	run("topic_final", storage.Query{Topics: topic, WithFinal: true})
	mustCommit(b, s, []storage.Record{replacement(b, 1, 90_000, records[7])})
	run("all_one_replaced", storage.Query{})
	run("topic_one_replaced", storage.Query{Topics: topic})
}
