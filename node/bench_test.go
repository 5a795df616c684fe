package node

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	dto "github.com/prometheus/client_model/go"
)

// BenchmarkIssue: 512 sources publish one reading after the other, on the disk
// and with ten bits of work. How many readings share an fsync is told beside.
func BenchmarkIssue(b *testing.B) {
	w := newWorld(b)
	w.genesis.DataBits = 10
	n := w.open(w.options(0, vfs.Default))
	b.SetParallelism(512 / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	before := groups(b, n)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := n.Issue(b.Context(), reading(i)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/float64(groups(b, n)-before), "readings/commit")
}

// groups is how many groups of messages the node made durable.
func groups(b *testing.B, n *Node) uint64 {
	var m dto.Metric
	if err := n.metrics.commitSeconds.Write(&m); err != nil {
		b.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount()
}
