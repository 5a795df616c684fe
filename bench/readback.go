package bench

import (
	"context"
	"fmt"
	"time"

	"tangled/storage"
)

// readBack looks on every node's disk for the readings of a load that has ended,
// and notes when each became final there. Without seats it notes which are there.
func (r *rig) readBack(ctx context.Context, l *load) error {
	from := uint64(l.start.Add(-time.Minute).UnixNano())
	for i, m := range r.network.Members {
		// Whoever watches may not have run since the last anchor.
		r.anchors[i].note(m.Node.LastAnchor(), time.Now())
		for record, err := range m.Node.Query(ctx, storage.Query{From: from, WithFinal: true}) {
			if err != nil {
				return fmt.Errorf("read back from %s: %w", m.Name, err)
			}
			data, err := record.Message.Data()
			if err != nil {
				continue // a witness
			}
			c, ok := decodeContent(data.Content)
			if !ok {
				continue
			}
			if reading := l.of(c); reading != nil {
				r.found(i, reading, record, l.start)
			}
		}
	}
	return nil
}

// found notes that the i-th node has a reading.
func (r *rig) found(i int, reading *reading, record storage.Record, start time.Time) {
	if r.seats() == 0 {
		reading.nodes |= 1 << i
		return
	}
	if record.Final == nil {
		return
	}
	at, ok := r.anchors[i].of(record.Final.Anchor)
	if !ok {
		return
	}
	reading.nodes |= 1 << i
	reading.final = max(reading.final, toMicros(at.Sub(start)-reading.due))
}
