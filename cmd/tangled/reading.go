package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// reading is a message as query and tail print it in JSON. Content is there if
// it is text, ContentBase64 if not.
type reading struct {
	ID            hexBytes   `json:"id"`
	Issuer        hexBytes   `json:"issuer"`
	Timestamp     *time.Time `json:"timestamp"`
	Parents       []hexBytes `json:"parents"`
	Topic         string     `json:"topic,omitempty"`
	ContentType   string     `json:"content_type,omitempty"`
	EventTime     *time.Time `json:"event_time,omitempty"`
	Replaces      hexBytes   `json:"replaces,omitempty"`
	Content       *string    `json:"content,omitempty"`
	ContentBase64 *string    `json:"content_base64,omitempty"`
	Seen          *time.Time `json:"seen,omitempty"`
	PageToken     string     `json:"page_token,omitempty"`
}

func newReading(m *tangledv1.Message, seen uint64, pageToken string) reading {
	r := reading{
		ID: m.GetId(), Issuer: m.GetIssuer(), Timestamp: timeOf(m.GetTimestampNs()),
		Parents: []hexBytes{}, Seen: timeOf(seen), PageToken: pageToken,
	}
	for _, p := range m.GetParents() {
		r.Parents = append(r.Parents, p)
	}
	if d := m.GetData(); d != nil {
		r.Topic, r.ContentType, r.Replaces = d.GetTopic(), d.GetContentType(), d.GetReplaces()
		r.EventTime = timeOf(d.GetEventTimeNs())
		text := string(d.GetContent())
		if isText(d.GetContent()) {
			r.Content = &text
		} else {
			text = base64.StdEncoding.EncodeToString(d.GetContent())
			r.ContentBase64 = &text
		}
	}
	return r
}

// readingPrinter prints a stream of messages. Its columns have fixed widths, so
// that each line can leave at once and a long answer is not kept in memory.
type readingPrinter struct {
	out    io.Writer
	json   bool
	headed bool
}

func (p *readingPrinter) print(r reading, m *tangledv1.Message) error {
	if p.json {
		return writeJSON(p.out, r)
	}
	const layout = "%-24s  %-80s  %-28s  %s\n"
	if !p.headed {
		p.headed = true
		if _, err := fmt.Fprintf(p.out, layout, "TIME", "ID", "TOPIC", "CONTENT"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.out, layout, timeCell(m.GetTimestampNs()), r.ID,
		plain(r.Topic), contentCell(m.GetData().GetContent()))
	return err
}
