package main

import (
	"slices"
	"strings"
	"testing"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/ledger"
	"tangled/message"
)

func TestParseKinds(t *testing.T) {
	data, transfer, witness := tangledv1.Kind_KIND_DATA, tangledv1.Kind_KIND_TRANSFER, tangledv1.Kind_KIND_WITNESS
	for text, want := range map[string][]tangledv1.Kind{
		"":                 nil,
		"data":             {data},
		"witness transfer": {witness, transfer},
		"all":              {data, transfer, witness},
	} {
		got, err := parseKinds(strings.Fields(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"Data", "unspecified", "readings"} {
		if got, err := parseKinds([]string{"data", text}); exitCode(err, true) != exitUsage {
			t.Errorf("%q is taken for %v, %v", text, got, err)
		}
	}
}

// A proof tells the outcome by the ledger's number, the API by its own: both
// must read alike.
func TestOutcomeNames(t *testing.T) {
	for outcome, want := range map[tangledv1.Outcome]ledger.Outcome{
		tangledv1.Outcome_OUTCOME_INCLUDED: ledger.Included, tangledv1.Outcome_OUTCOME_APPLIED: ledger.Applied,
		tangledv1.Outcome_OUTCOME_EXPIRED: ledger.Expired, tangledv1.Outcome_OUTCOME_DUPLICATE: ledger.Duplicate,
		tangledv1.Outcome_OUTCOME_DOUBLE_SPEND: ledger.DoubleSpend, tangledv1.Outcome_OUTCOME_NONCE_TOO_FAR: ledger.NonceTooFar,
		tangledv1.Outcome_OUTCOME_INSUFFICIENT: ledger.Insufficient,
	} {
		if got := outcomeName(outcome); got != want.String() {
			t.Errorf("%v is %q, want %q", outcome, got, want)
		}
	}
	if got := outcomeName(tangledv1.Outcome_OUTCOME_UNSPECIFIED); got != "" {
		t.Errorf("no outcome is %q", got)
	}
}

func TestMovement(t *testing.T) {
	alice, bob, carol := message.AddressOf([32]byte{1}), message.AddressOf([32]byte{2}), message.AddressOf([32]byte{3})
	owner := [32]byte{1}
	r := &tangledv1.AccountHistoryResponse{Message: &tangledv1.Message{Transfer: &tangledv1.Transfer{
		From: owner[:], Outputs: []*tangledv1.Output{
			{Address: bob[:], Amount: 5}, {Address: alice[:], Amount: 100}, {Address: bob[:], Amount: 7},
			{Address: carol[:], Amount: 1<<64 - 1},
		},
	}}}
	for want, address := range map[string]message.Address{
		"-18446744073709551627": alice, "12": bob, "18446744073709551615": carol,
	} {
		if got := newMovement(r, address[:]).Change.String(); got != want {
			t.Errorf("%v: changed by %s, want %s", address, got, want)
		}
	}
}

// What strangers made of a topic does not break the line it is on.
func TestPayloadCells(t *testing.T) {
	m := &tangledv1.Message{Data: &tangledv1.Data{Topic: "a\nb", Content: []byte("c\td")}}
	if topicCell(m) != `a\nb` || payloadCell(m) != `c\td` {
		t.Errorf("got %q, %q", topicCell(m), payloadCell(m))
	}
	w := &tangledv1.Message{Kind: tangledv1.Kind_KIND_WITNESS, Witness: &tangledv1.Witness{Seat: 1, Round: 2, CommitIndex: 3}}
	if topicCell(w) != "-" || payloadCell(w) != "seat 1 round 2 anchor 3" || kindName(w.GetKind()) != "witness" {
		t.Errorf("got %q, %q", topicCell(w), payloadCell(w))
	}
}
