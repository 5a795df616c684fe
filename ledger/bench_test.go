package ledger_test

import (
	"fmt"
	"testing"

	"tangled/ledger"
)

// BenchmarkApply applies anchors of 10,000 entries over 1,000 owners. Each transfer
// is of the next owner to the one after, so that every account changes ten times
// when all entries are transfers.
func BenchmarkApply(b *testing.B) {
	const owners, size = 1000, 10_000
	for _, percent := range []int{0, 10, 100} {
		b.Run(fmt.Sprintf("transfers=%d%%", percent), func(b *testing.B) {
			l := ledger.New(network)
			for i := range owners {
				if err := l.Credit(addressOf(i), 1_000_000); err != nil {
					b.Fatal(err)
				}
			}
			var nonces [owners]uint64
			var transfers int
			time := uint64(1)
			anchor := func() []ledger.Entry {
				entries := make([]ledger.Entry, size)
				for i := range entries {
					if i%100 >= percent {
						continue
					}
					from := transfers % owners
					entries[i].Transfer = pay(from, nonces[from], time+10, to(uint64(from+1)%owners, 1))
					nonces[from]++
					transfers++
				}
				return entries
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				entries := anchor()
				b.StartTimer()
				r := l.Apply(time, entries)
				if len(r.Applied) != size*percent/100 {
					b.Fatalf("%d applied", len(r.Applied))
				}
				time++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/entry")
		})
	}
}

func BenchmarkStateHash(b *testing.B) {
	l := newLedger(b, 1, 2, 3)
	for b.Loop() {
		l.StateHash()
	}
}

func BenchmarkRestore(b *testing.B) {
	l := ledger.New(network)
	for i := range 10_000 {
		if err := l.Credit(addressOf(i), 1); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := ledger.Restore(network, l.Accounts(), l.Transfers()); err != nil {
			b.Fatal(err)
		}
	}
}
