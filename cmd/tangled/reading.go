package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// reading is a message as query, tail and follow print it in JSON. Content is
// there if it is text, ContentBase64 if not.
type reading struct {
	ID            hexBytes      `json:"id"`
	Issuer        hexBytes      `json:"issuer"`
	Timestamp     *time.Time    `json:"timestamp"`
	Parents       []hexBytes    `json:"parents"`
	Kind          string        `json:"kind"`
	Topic         string        `json:"topic,omitempty"`
	ContentType   string        `json:"content_type,omitempty"`
	EventTime     *time.Time    `json:"event_time,omitempty"`
	Replaces      hexBytes      `json:"replaces,omitempty"`
	Content       *string       `json:"content,omitempty"`
	ContentBase64 *string       `json:"content_base64,omitempty"`
	Transfer      *transferJSON `json:"transfer,omitempty"`
	Witness       *witnessJSON  `json:"witness,omitempty"`
	Seen          *time.Time    `json:"seen,omitempty"`
	PageToken     string        `json:"page_token,omitempty"`
	Cursor        string        `json:"cursor,omitempty"`
	Outcome       string        `json:"outcome,omitempty"`
}

func newReading(m *tangledv1.Message, seen uint64, pageToken string) reading {
	r := reading{
		ID: m.GetId(), Issuer: m.GetIssuer(), Timestamp: timeOf(m.GetTimestampNs()),
		Parents: []hexBytes{}, Kind: kindName(m.GetKind()), Seen: timeOf(seen), PageToken: pageToken,
		Transfer: newTransferJSON(m.GetTransfer()), Witness: newWitnessJSON(m.GetWitness()),
	}
	for _, p := range m.GetParents() {
		r.Parents = append(r.Parents, p)
	}
	if d := m.GetData(); d != nil {
		r.Topic, r.ContentType, r.Replaces = d.GetTopic(), d.GetContentType(), d.GetReplaces()
		r.EventTime = timeOf(d.GetEventTimeNs())
		r.Content, r.ContentBase64 = contentJSON(d.GetContent())
	}
	if f := m.GetFinal(); f != nil {
		r.setFinal(cursorOf(f), f.GetOutcome())
	}
	return r
}

// setFinal tells where the message became final and what became of it.
func (r *reading) setFinal(at cursor, outcome tangledv1.Outcome) {
	r.Cursor, r.Outcome = at.String(), outcomeName(outcome)
}

// readingPrinter prints a stream of messages. Its columns have fixed widths, so
// that each line can leave at once and a long answer is not kept in memory.
type readingPrinter struct {
	out     io.Writer
	json    bool
	kinds   bool // show the kind
	cursors bool // show the place in the order of final messages, and the outcome
	headed  bool
}

func (p *readingPrinter) print(r reading, m *tangledv1.Message) error {
	if p.json {
		return writeJSON(p.out, r)
	}
	if !p.headed {
		p.headed = true
		if err := p.line(reading{Cursor: "CURSOR", Outcome: "OUTCOME", Kind: "KIND"}, "TIME", "ID", "TOPIC", "CONTENT"); err != nil {
			return err
		}
	}
	return p.line(r, timeCell(m.GetTimestampNs()), r.ID.String(), topicCell(m), payloadCell(m))
}

// printCursor prints a cursor that no message comes with.
func (p *readingPrinter) printCursor(at cursor) error {
	if p.json {
		return writeJSON(p.out, map[string]string{"cursor": at.String()})
	}
	_, err := fmt.Fprintln(p.out, at)
	return err
}

// line prints one line, its columns before those of r's that were asked for.
func (p *readingPrinter) line(r reading, at, id, topic, content string) error {
	var b strings.Builder
	if p.cursors {
		fmt.Fprintf(&b, "%-10s  ", r.Cursor)
	}
	fmt.Fprintf(&b, "%-24s  %-80s  ", at, id)
	if p.kinds {
		fmt.Fprintf(&b, "%-8s  ", r.Kind)
	}
	fmt.Fprintf(&b, "%-28s  ", topic)
	if p.cursors && p.kinds {
		fmt.Fprintf(&b, "%-12s  ", r.Outcome)
	}
	_, err := fmt.Fprintln(p.out, b.String()+content)
	return err
}
