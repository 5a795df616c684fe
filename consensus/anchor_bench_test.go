package consensus_test

import (
	"math"
	"testing"
	"time"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/tangle"
)

// What an anchor costs beside the commit rule, which is the least of it: its past
// cone in order, the tree over it, the ledger, and what is kept up in between for
// the weight behind each message.

const perAnchor = 10_000

var benchStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// traffic is n data messages of two parents each, none far below the newest.
func traffic(b *testing.B, genesis message.ID, n int) []*message.Message {
	payload := message.Data{Topic: "city/air", Content: []byte("{}")}
	recent := []message.ID{genesis}
	messages := make([]*message.Message, n)
	for i := range messages {
		parents := []message.ID{recent[len(recent)-1]}
		if other := recent[(i*7+3)%len(recent)]; other != parents[0] {
			parents = append(parents, other)
		}
		if len(parents) == 2 && parents[0].Compare(parents[1]) > 0 {
			parents[0], parents[1] = parents[1], parents[0]
		}
		d := message.Draft{
			Timestamp: uint64(benchStart.UnixNano()) + uint64(i+1)*1000, Parents: parents,
			Kind: message.KindData, Payload: payload.Append(nil),
		}
		m, err := d.Seal(message.Issuer{}, [64]byte{})
		if err != nil {
			b.Fatal(err)
		}
		messages[i] = m
		if recent = append(recent, m.ID()); len(recent) > 40 {
			recent = recent[1:]
		}
	}
	return messages
}

func attach(b *testing.B, genesis message.ID, messages []*message.Message) *tangle.Tangle {
	t := tangle.New(tangle.Options{Genesis: genesis})
	for _, m := range messages {
		if d, err := t.Attach(m, "", benchStart); err != nil || len(d.Solid) != 1 {
			b.Fatal(err, len(d.Solid))
		}
	}
	return t
}

func benchGenesis() message.ID {
	return message.NewID(uint64(benchStart.UnixNano()), [32]byte{1})
}

// BenchmarkPastAndSort takes 10,000 messages into one anchor, in order.
func BenchmarkPastAndSort(b *testing.B) {
	genesis := benchGenesis()
	messages := traffic(b, genesis, perAnchor)
	newest := messages[len(messages)-1].ID()
	for b.Loop() {
		b.StopTimer()
		t := attach(b, genesis, messages)
		b.StartTimer()
		if ids, _ := t.Include(newest, 0, math.MaxUint64, math.MaxInt); len(ids) < perAnchor-300 {
			b.Fatalf("%d included", len(ids))
		}
	}
}

// BenchmarkMerkleRoot is the tree over the 10,000.
func BenchmarkMerkleRoot(b *testing.B) {
	leaves := make([][]byte, perAnchor)
	for i, m := range traffic(b, benchGenesis(), perAnchor) {
		leaves[i] = proof.Leaf(m.ID(), uint8(ledger.Included))
	}
	for b.Loop() {
		merkle.Root(leaves)
	}
}

// BenchmarkApply is the ledger's part where nothing is a transfer: see package
// ledger for others.
func BenchmarkApply(b *testing.B) {
	entries := make([]ledger.Entry, perAnchor)
	for i, m := range traffic(b, benchGenesis(), perAnchor) {
		entries[i].ID = m.ID()
	}
	l := ledger.New(message.NetworkID{})
	for b.Loop() {
		l.Apply(0, entries)
		l.StateHash()
	}
}

// BenchmarkWeight brings the weight of 31 seats behind 10,000 messages up to
// date, and reports it a message.
func BenchmarkWeight(b *testing.B) {
	genesis := benchGenesis()
	messages := traffic(b, genesis, perAnchor)
	t := attach(b, genesis, messages)
	var newest []message.ID
	for _, m := range messages[len(messages)-31:] {
		newest = append(newest, m.ID())
	}
	for b.Loop() {
		if seats, ok := t.Approval(newest).Of(messages[0].ID()); !ok || seats == 0 {
			b.Fatal(seats, ok)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perAnchor, "ns/message")
}
