package message_test

import (
	"fmt"
	"math"
	"testing"

	"tangled/message"
)

// mine stamps the least nonce with exactly that work, so that one bit more is
// too much to ask.
func mine(m *message.Message, work int) {
	for m.SetNonce(0); m.Work() != work; m.SetNonce(m.Nonce + 1) {
	}
}

func TestRules(t *testing.T) {
	root := testID(10, 1)
	rules := message.Rules{Network: testNetwork, Genesis: root, DataBits: 6}
	tests := []struct {
		name  string
		spoil func(d *message.Draft)
		work  int
		want  message.Reason
	}{
		{name: "good", work: 6},
		{name: "more work than asked for", work: 7},
		{name: "genesis as the only parent", spoil: func(d *message.Draft) { d.Parents = []message.ID{root} }, work: 6},
		{name: "other network", spoil: func(d *message.Draft) { d.Network[7]++ }, work: 6, want: message.ReasonNetwork},
		{name: "one bit too little work", work: 5, want: message.ReasonWork},
		{name: "no work", work: 0, want: message.ReasonWork},
		{name: "only parent not the genesis", spoil: func(d *message.Draft) { d.Parents = d.Parents[1:] }, work: 6, want: message.ReasonParents},
		{
			name:  "only parent of the genesis time",
			spoil: func(d *message.Draft) { d.Parents = []message.ID{testID(10, 2)} },
			work:  6,
			want:  message.ReasonParents,
		},
		// A stranger's message must not look like one with a bad stamp, which
		// is excused.
		{name: "other network and no work", spoil: func(d *message.Draft) { d.Network[0]++ }, work: 0, want: message.ReasonNetwork},
		{name: "only parent and no work", spoil: func(d *message.Draft) { d.Parents = d.Parents[1:] }, work: 0, want: message.ReasonParents},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := testDraft()
			if test.spoil != nil {
				test.spoil(d)
			}
			m := sign(t, d, 1)
			mine(m, test.work)
			err := rules.Check(m)
			if test.want != "" {
				wantReason(t, err, test.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRulesWithoutWork(t *testing.T) {
	m := sign(t, testDraft(), 1)
	mine(m, 0)
	if err := (message.Rules{Network: testNetwork}).Check(m); err != nil {
		t.Error(err)
	}
}

// committee are the rules of a network of n seats with the keys of seatKey.
func committee(n int) message.Rules {
	rules := message.Rules{Network: testNetwork, Genesis: testID(10, 1)}
	for i := range n {
		rules.Seats = append(rules.Seats, testIssuer(seatKey(i)))
	}
	return rules
}

// TestRulesOfWitness: a witness is its seat's to write, in this epoch, and names
// seats that there are.
func TestRulesOfWitness(t *testing.T) {
	tests := []struct {
		name  string
		seats int
		spoil func(w *wireWitness)
		key   byte
		want  message.Reason
	}{
		{name: "good", seats: 6, key: seatKey(2)},
		{name: "ref to the last seat", seats: 6, key: seatKey(2), spoil: func(w *wireWitness) { w.setRefs(0, 5) }},
		{name: "last seat", seats: 6, key: seatKey(5), spoil: func(w *wireWitness) { w.seat = 5 }},
		{name: "no refs", seats: 3, key: seatKey(2), spoil: func(w *wireWitness) { w.round = 1; w.setRefs() }},
		{name: "of another seat", seats: 6, key: seatKey(1), want: message.ReasonWitness},
		{name: "of nobody's key", seats: 6, key: 1, want: message.ReasonWitness},
		{name: "seat past the committee", seats: 6, key: seatKey(2), spoil: func(w *wireWitness) { w.seat = 6 }, want: message.ReasonWitness},
		{name: "seat past the committee, by its own key", seats: 6, key: seatKey(6), spoil: func(w *wireWitness) { w.seat = 6 }, want: message.ReasonWitness},
		{name: "seat 30 of 6", seats: 6, key: seatKey(2), spoil: func(w *wireWitness) { w.seat = 30 }, want: message.ReasonWitness},
		{name: "no seats", seats: 0, key: seatKey(2), want: message.ReasonWitness},
		{name: "epoch 1", seats: 6, key: seatKey(2), spoil: func(w *wireWitness) { w.epoch = 1 }, want: message.ReasonWitness},
		{name: "highest epoch", seats: 6, key: seatKey(2), spoil: func(w *wireWitness) { w.epoch = math.MaxUint32 }, want: message.ReasonWitness},
		{name: "ref to the seat past the last", seats: 5, key: seatKey(2), want: message.ReasonWitness},
		{name: "only ref past the last", seats: 5, key: seatKey(2), spoil: func(w *wireWitness) { w.setRefs(30) }, want: message.ReasonWitness},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWireWitness()
			if test.spoil != nil {
				test.spoil(&w)
			}
			// Enough work, and none where some is asked for: that a foreign
			// witness lacks work too does not excuse it.
			for _, bits := range []int{0, 200} {
				rules := committee(test.seats)
				rules.WitnessBits = bits
				want := test.want
				if bits > 0 && want == "" {
					want = message.ReasonWork
				}
				err := rules.Check(sign(t, witnessDraft(w), test.key))
				if want != "" {
					wantReason(t, err, want)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRulesOfParents: a witness may stand on one parent, whatever it is; others
// only where that is the genesis.
func TestRulesOfParents(t *testing.T) {
	rules := committee(6)
	drafts := map[message.Kind]*message.Draft{
		message.KindData:     testDraft(),
		message.KindTransfer: transferDraft(testWireTransfer()),
		message.KindWitness:  witnessDraft(testWireWitness()),
	}
	for kind, d := range drafts {
		for parent, want := range map[message.ID]message.Reason{
			rules.Genesis: "",
			testID(20, 2): message.ReasonParents,
		} {
			if kind == message.KindWitness {
				want = ""
			}
			t.Run(fmt.Sprintf("%v on %v", kind, parent == rules.Genesis), func(t *testing.T) {
				d.Parents = []message.ID{parent}
				err := rules.Check(sign(t, d, seatKey(2)))
				if want != "" {
					wantReason(t, err, want)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestRulesOfWork: each kind has its own least work, to the bit.
func TestRulesOfWork(t *testing.T) {
	drafts := map[message.Kind]*message.Draft{
		message.KindData:     testDraft(),
		message.KindTransfer: transferDraft(testWireTransfer()),
		message.KindWitness:  witnessDraft(testWireWitness()),
	}
	rules := committee(6)
	rules.DataBits, rules.TransferBits, rules.WitnessBits = 3, 4, 5
	bits := map[message.Kind]int{message.KindData: 3, message.KindTransfer: 4, message.KindWitness: 5}
	for kind, d := range drafts {
		if got := rules.Bits(kind); got != bits[kind] {
			t.Errorf("%v: %d bits, want %d", kind, got, bits[kind])
		}
		m := sign(t, d, seatKey(2))
		mine(m, bits[kind])
		if err := rules.Check(m); err != nil {
			t.Errorf("%v: %v", kind, err)
		}
		mine(m, bits[kind]-1)
		wantReason(t, rules.Check(m), message.ReasonWork)
	}
}
