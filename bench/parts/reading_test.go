package parts

import (
	"encoding/json"
	"testing"
	"time"

	"tangled/message"
)

// Every reading is JSON of the one size, however many there were before.
func TestReading(t *testing.T) {
	c := newCity(1)
	for _, i := range []int{0, 1, 999, 1_000, 123_456, 9_999_999, 999_999_999} {
		for _, at := range []time.Time{time.Unix(1_750_000_000, 0), time.Unix(1_750_000_000, 123_456_789)} {
			d := c.reading(i, at)
			if len(d.Content) != contentSize || !json.Valid(d.Content) || d.Topic != topic(i+topics) {
				t.Errorf("reading %d: %d bytes under %s: %s", i, len(d.Content), d.Topic, d.Content)
			}
			if err := d.Validate(); err != nil {
				t.Errorf("reading %d: %v", i, err)
			}
		}
	}
}

// What is forged is what a node would take, but for its signature.
func TestForge(t *testing.T) {
	f := newForge()
	var last message.ID
	for i := range 2_000 {
		r, err := f.next()
		if err != nil {
			t.Fatal(err)
		}
		m, err := message.Decode(r.Message.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if m.ID() != r.Message.ID() || m.ID().Compare(last) <= 0 || m.Timestamp != timeOf(i) {
			t.Fatalf("message %d: %v after %v", i, m.ID(), last)
		}
		if len(m.Parents) != 2 || m.Parents[1].Timestamp() >= m.Timestamp {
			t.Fatalf("message %d has parents %v", i, m.Parents)
		}
		last = m.ID()
	}
}
