package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

// transferJSON is a transfer in JSON. From is the address of the owner.
type transferJSON struct {
	ID         hexBytes     `json:"id"`
	From       hexBytes     `json:"from"`
	Nonce      uint64       `json:"nonce"`
	ValidUntil *time.Time   `json:"valid_until"`
	Outputs    []outputJSON `json:"outputs"`
}

type outputJSON struct {
	Address hexBytes `json:"address"`
	Amount  uint64   `json:"amount"`
}

// witnessJSON is a witness in JSON.
type witnessJSON struct {
	Seat   uint32 `json:"seat"`
	Round  uint64 `json:"round"`
	Anchor uint64 `json:"anchor"` // the newest that the seat knew
}

func newTransferJSON(t *tangledv1.Transfer) *transferJSON {
	if t == nil {
		return nil
	}
	j := &transferJSON{ID: t.GetId(), Nonce: t.GetNonce(), ValidUntil: timeOf(t.GetValidUntilNs()), Outputs: []outputJSON{}}
	if len(t.GetFrom()) == len(message.Issuer{}) {
		from := message.AddressOf([32]byte(t.GetFrom()))
		j.From = from[:]
	}
	for _, o := range t.GetOutputs() {
		j.Outputs = append(j.Outputs, outputJSON{o.GetAddress(), o.GetAmount()})
	}
	return j
}

// rows shows a transfer in a table of names and values.
func (j *transferJSON) rows(t table) {
	t.row("transfer", j.ID.String())
	t.row("from", j.From.String())
	for _, o := range j.Outputs {
		t.row("to", fmt.Sprintf("%s=%d", o.Address, o.Amount))
	}
	t.row("nonce", strconv.FormatUint(j.Nonce, 10))
	t.row("valid until", timeText(j.ValidUntil))
}

func newWitnessJSON(w *tangledv1.Witness) *witnessJSON {
	if w == nil {
		return nil
	}
	return &witnessJSON{w.GetSeat(), w.GetRound(), w.GetCommitIndex()}
}

// kindName is a kind as commands write it: "data", "transfer", "witness".
func kindName(k tangledv1.Kind) string {
	return strings.ToLower(strings.TrimPrefix(k.String(), "KIND_"))
}

// outcomeName is an outcome in words, such as "double spend"; empty for none.
func outcomeName(o tangledv1.Outcome) string {
	if o == tangledv1.Outcome_OUTCOME_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(o.String(), "OUTCOME_"), "_", " "))
}

// kindNames are what --kind takes beside "all".
func kindNames() []string {
	return []string{
		kindName(tangledv1.Kind_KIND_DATA), kindName(tangledv1.Kind_KIND_TRANSFER), kindName(tangledv1.Kind_KIND_WITNESS),
	}
}

// addKindFlag defines --kind.
func addKindFlag(cmd *cobra.Command, kinds *[]string) {
	cmd.Flags().StringSliceVar(kinds, "kind", nil, "data, transfer, witness or all, and show which; data by default")
	err := cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(append(kindNames(), "all"), cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is defined above
	}
}

// parseKinds reads the values of --kind; none leaves the choice to the node.
func parseKinds(values []string) ([]tangledv1.Kind, error) {
	var kinds []tangledv1.Kind
	for _, v := range values {
		names := []string{v}
		if v == "all" {
			names = kindNames()
		} else if !slices.Contains(kindNames(), v) {
			return nil, usagef("--kind %q: want %s or all", v, strings.Join(kindNames(), ", "))
		}
		for _, name := range names {
			kinds = append(kinds, tangledv1.Kind(tangledv1.Kind_value["KIND_"+strings.ToUpper(name)]))
		}
	}
	return kinds, nil
}

// topicCell is a message's topic for a table; only data has one.
func topicCell(m *tangledv1.Message) string {
	if m.GetData() == nil {
		return "-"
	}
	return plain(m.GetData().GetTopic())
}

// payloadCell is what a message says, for a table.
func payloadCell(m *tangledv1.Message) string {
	switch {
	case m.GetTransfer() != nil:
		t := newTransferJSON(m.GetTransfer())
		parts := []string{t.From.String(), "pays"}
		for _, o := range t.Outputs {
			parts = append(parts, fmt.Sprintf("%s=%d", o.Address, o.Amount))
		}
		return strings.Join(parts, " ")
	case m.GetWitness() != nil:
		w := m.GetWitness()
		return fmt.Sprintf("seat %d round %d anchor %d", w.GetSeat(), w.GetRound(), w.GetCommitIndex())
	}
	return contentCell(m.GetData().GetContent())
}
