package message_test

import (
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
