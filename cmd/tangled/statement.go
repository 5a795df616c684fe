package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tangled/ledger"
	"tangled/message"
	"tangled/proof"
)

// provenMessage is what a proof that verifies has proven, in JSON.
type provenMessage struct {
	NetworkID     hexBytes      `json:"network_id"`
	ID            hexBytes      `json:"id"`
	Issuer        hexBytes      `json:"issuer"`
	Timestamp     *time.Time    `json:"timestamp"`
	Kind          string        `json:"kind"`
	Topic         string        `json:"topic,omitempty"`
	ContentType   string        `json:"content_type,omitempty"`
	EventTime     *time.Time    `json:"event_time,omitempty"`
	Replaces      hexBytes      `json:"replaces,omitempty"`
	Content       *string       `json:"content,omitempty"`
	ContentBase64 *string       `json:"content_base64,omitempty"`
	Transfer      *transferJSON `json:"transfer,omitempty"`
	Outcome       string        `json:"outcome"`
	Cursor        string        `json:"cursor"`
	Anchor        uint64        `json:"anchor"`
	LedgerTime    *time.Time    `json:"ledger_time"`
	SignedAnchor  uint64        `json:"signed_anchor"`
	Signers       []int         `json:"signers"`
	Weight        uint64        `json:"weight"`
	TotalWeight   uint64        `json:"total_weight"`
}

// newProvenMessage reads the payload of the proven message, which the proof has
// not looked into.
func newProvenMessage(s proof.Statement) (provenMessage, error) {
	m := s.Message
	p := provenMessage{
		NetworkID: s.Network[:], ID: s.ID[:], Issuer: m.Issuer[:], Timestamp: timeOf(m.Timestamp),
		Kind: m.Kind.String(), Outcome: ledger.Outcome(s.Outcome).String(),
		Cursor: cursor{s.Anchor, s.Index}.String(),
		Anchor: s.Anchor, LedgerTime: timeOf(s.Time), SignedAnchor: s.Signed,
		Signers: []int{}, Weight: s.Weight, TotalWeight: s.Total,
	}
	for _, seat := range s.Signers {
		p.Signers = append(p.Signers, int(seat))
	}
	switch m.Kind {
	case message.KindData:
		d, err := m.Data()
		if err != nil {
			return p, err
		}
		p.setData(d)
	case message.KindTransfer:
		t, err := m.Transfer()
		if err != nil {
			return p, err
		}
		p.setTransfer(t, s.Network)
	}
	return p, nil
}

func (p *provenMessage) setData(d message.Data) {
	p.Topic, p.ContentType = d.Topic, d.ContentType
	p.EventTime = timeOf(d.EventTime)
	if !d.Replaces.IsZero() {
		p.Replaces = d.Replaces[:]
	}
	p.Content, p.ContentBase64 = contentJSON(d.Content)
}

func (p *provenMessage) setTransfer(t message.Transfer, network message.NetworkID) {
	id, from := t.ID(network), message.AddressOf(t.From)
	p.Transfer = &transferJSON{ID: id[:], From: from[:], Nonce: t.Nonce, ValidUntil: timeOf(t.ValidUntil)}
	for _, o := range t.Outputs {
		p.Transfer.Outputs = append(p.Transfer.Outputs, outputJSON{o.Address[:], o.Amount})
	}
}

func (p provenMessage) print(content []byte, out io.Writer) error {
	seats := make([]string, len(p.Signers))
	for i, s := range p.Signers {
		seats[i] = strconv.Itoa(s)
	}
	t := newTable(out)
	t.row("proven", "this message is in the ledger")
	t.row("network", p.NetworkID.String())
	t.row("ID", p.ID.String())
	t.row("issuer", p.Issuer.String())
	t.row("time", timeText(p.Timestamp))
	t.row("kind", p.Kind)
	if p.Transfer != nil {
		p.Transfer.rows(t)
	} else if p.Topic != "" {
		p.dataRows(t, content)
	}
	t.row("outcome", p.Outcome)
	t.row("cursor", p.Cursor)
	t.row("ledger time", timeText(p.LedgerTime))
	t.row("signed", fmt.Sprintf("anchor %d by seats %s, weight %d of %d",
		p.SignedAnchor, strings.Join(seats, " "), p.Weight, p.TotalWeight))
	return t.flush()
}

func (p provenMessage) dataRows(t table, content []byte) {
	t.row("topic", p.Topic)
	if p.ContentType != "" {
		t.row("content type", p.ContentType)
	}
	if p.EventTime != nil {
		t.row("event time", timeText(p.EventTime))
	}
	if len(p.Replaces) > 0 {
		t.row("replaces", p.Replaces.String())
	}
	t.row("content", contentCell(content))
}
