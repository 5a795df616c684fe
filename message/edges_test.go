package message_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"tangled/message"
)

// sameAsWireEdges compares the edges of a message with the union of what its
// bytes name.
func sameAsWireEdges(t testing.TB, m *message.Message, w wire) {
	t.Helper()
	union := make(map[message.ID]bool)
	for _, id := range w.parents {
		union[id] = true
	}
	if w.kind == 3 {
		for refs := w.payload[158:]; len(refs) > 0; refs = refs[41:] {
			union[message.ID(refs[1:41])] = true
		}
		if previous := message.ID(w.payload[13:53]); !previous.IsZero() {
			union[previous] = true
		}
	}
	want := slices.SortedFunc(maps.Keys(union), message.ID.Compare)
	if !slices.Equal(m.Edges(), want) {
		t.Errorf("edges %v, want %v", m.Edges(), want)
	}
}

// TestEdges: however a message came to be, its edges are its parents, refs and
// the witness before, each once.
func TestEdges(t *testing.T) {
	parents := ascendingIDs(9)
	tests := []struct {
		name    string
		parents []message.ID
		shape   func(w *wireWitness)
		want    []message.ID
	}{
		{
			name: "all apart", parents: []message.ID{testID(700, 1)},
			want: []message.ID{testID(500, 0xee), testID(600, 0xf0), testID(602, 0xf0), testID(605, 0xf0), testID(700, 1)},
		},
		{
			name: "refs and previous among the parents", parents: []message.ID{testID(500, 0xee), testID(602, 0xf0)},
			want: []message.ID{testID(500, 0xee), testID(600, 0xf0), testID(602, 0xf0), testID(605, 0xf0)},
		},
		{
			name: "previous is a ref", parents: parents[:1],
			shape: func(w *wireWitness) { w.previous = w.refs[1].ID },
			want:  []message.ID{parents[0], testID(600, 0xf0), testID(602, 0xf0), testID(605, 0xf0)},
		},
		{
			name: "one witness for two seats", parents: parents[:1],
			shape: func(w *wireWitness) { w.refs[2].ID, w.previous = w.refs[0].ID, [40]byte{} },
			want:  []message.ID{parents[0], testID(600, 0xf0), testID(602, 0xf0)},
		},
		{
			name: "first witness", parents: parents[:1],
			shape: func(w *wireWitness) { w.round, w.previous = 1, [40]byte{}; w.setRefs() },
			want:  parents[:1],
		},
		{
			name: "previous alone", parents: parents[:1],
			shape: func(w *wireWitness) { w.round = 1; w.setRefs() },
			want:  []message.ID{parents[0], testID(500, 0xee)},
		},
		{
			name: "by hash where times are equal", parents: []message.ID{testID(600, 0xef), testID(600, 0xf1)},
			shape: func(w *wireWitness) { w.setRefs(0); w.previous = testID(600, 0xff) },
			want:  []message.ID{testID(600, 0xef), testID(600, 0xf0), testID(600, 0xf1), testID(600, 0xff)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWireWitness()
			if test.shape != nil {
				test.shape(&w)
			}
			d := witnessDraft(w)
			d.Parents = test.parents
			signed := sign(t, d, seatKey(2))
			sealed, err := d.Seal(signed.Issuer, signed.Signature)
			if err != nil {
				t.Fatal(err)
			}
			decoded, err := message.Decode(signed.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			for name, m := range map[string]*message.Message{"signed": signed, "sealed": sealed, "decoded": decoded} {
				if !slices.Equal(m.Edges(), test.want) {
					t.Errorf("%s: edges %v, want %v", name, m.Edges(), test.want)
				}
				if !slices.Equal(m.Parents, test.parents) {
					t.Errorf("%s: the parents became %v", name, m.Parents)
				}
			}
		})
	}
}

// TestEdgesOfOthers: what is no witness stands on its parents alone.
func TestEdgesOfOthers(t *testing.T) {
	for _, d := range []*message.Draft{testDraft(), transferDraft(testWireTransfer())} {
		m := sign(t, d, 1)
		decoded, err := message.Decode(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Edges(), d.Parents) || !slices.Equal(decoded.Edges(), d.Parents) {
			t.Errorf("%v: edges %v, decoded %v, want %v", d.Kind, m.Edges(), decoded.Edges(), d.Parents)
		}
	}
}

// TestEdgesAreTheMessages: what is done to a draft or to the bytes that a
// witness came from touches no edges.
func TestEdgesAreTheMessages(t *testing.T) {
	d := witnessDraft(testWireWitness())
	m := sign(t, d, seatKey(2))
	b := bytes.Clone(m.Bytes())
	decoded, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(m.Edges())
	clear(d.Parents)
	clear(d.Payload)
	clear(b)
	if !slices.Equal(m.Edges(), want) || !slices.Equal(decoded.Edges(), want) {
		t.Error("the edges changed with what they were made from")
	}
}
