package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"testing"

	"tangled/message"
)

// BenchmarkQoS1 measures acknowledged readings of 100 bytes with an Issuer
// that takes no time: what the broker itself costs.
func BenchmarkQoS1(b *testing.B) {
	for _, connections := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(connections, " connections"), func(b *testing.B) {
			broker := start(b, Options{Issuer: issuerFunc(func(context.Context, message.Data) (message.ID, error) {
				return message.ID{}, nil
			})})
			peers := make([]*peer, connections)
			for i := range peers {
				peers[i] = connect(b, broker, fmt.Sprint("dev", i), 4, true)
			}
			reading := encode(b, publish("root/device/site/dev/temperature", string(make([]byte, 100)), 1, 1, false), 4)
			at := 2 + 2 + len("root/device/site/dev/temperature") // of the packet identifier
			if len(reading)-4 > 127 {
				at++
			}
			b.ReportAllocs()
			b.ResetTimer()
			var done sync.WaitGroup
			for i, p := range peers {
				n := b.N / connections
				if i < b.N%connections {
					n++
				}
				done.Go(func() { acknowledgeAll(b, p, append([]byte(nil), reading...), at, n) })
			}
			done.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acked/s")
		})
	}
}

// acknowledgeAll publishes n times with 200 unacknowledged at most.
func acknowledgeAll(b *testing.B, p *peer, reading []byte, at, n int) {
	free := make(chan struct{}, 200)
	go func() {
		w := bufio.NewWriter(p.nc)
		for i := range n {
			select {
			case free <- struct{}{}:
			default:
				_ = w.Flush()
				free <- struct{}{}
			}
			binary.BigEndian.PutUint16(reading[at:], uint16(i%60000+1))
			if _, err := w.Write(reading); err != nil {
				b.Error(err)
				return
			}
		}
		_ = w.Flush()
	}()
	var ack [4]byte
	for i := range n {
		if _, err := io.ReadFull(p.r, ack[:]); err != nil {
			b.Error(err)
			return
		}
		if id := binary.BigEndian.Uint16(ack[2:]); id != uint16(i%60000+1) {
			b.Errorf("PUBACK of %d, want %d", id, i%60000+1)
			return
		}
		<-free
	}
}
