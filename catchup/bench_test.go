package catchup

import (
	"testing"
)

// BenchmarkAnchors catches up with a peer in memory, whose share is in the time:
// messages of 300 bytes, anchors of 3,000 and every second one signed.
func BenchmarkAnchors(b *testing.B) {
	const anchors, count, size = 60, 3000, 300
	c := newChain(b, 0)
	for i := range anchors {
		if i%2 == 0 {
			c.growFast(count, size)
		} else {
			c.growFast(count, size, 0, 1, 2)
		}
	}
	client := c.client(nil)
	b.ReportAllocs()
	messages := 0
	for b.Loop() {
		for v, err := range client.Anchors(b.Context(), 0, c.anchors[0].hash) {
			if err != nil {
				b.Fatal(err)
			}
			messages += len(v.Messages)
		}
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
}
