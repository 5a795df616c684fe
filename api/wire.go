package api

import (
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
)

// parseID reads the ID of a request.
func parseID(b []byte) (message.ID, error) {
	if len(b) != message.IDSize {
		return message.ID{}, argumentf("ID", "message ID of %d bytes, want %d", len(b), message.IDSize)
	}
	return message.ID(b), nil
}

// parseIssuer reads the issuer of a request; nil where none is given.
func parseIssuer(b []byte) (*message.Issuer, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) != len(message.Issuer{}) {
		return nil, argumentf("ISSUER", "issuer of %d bytes, want %d", len(b), len(message.Issuer{}))
	}
	issuer := message.Issuer(b)
	return &issuer, nil
}

// parseTopic reads a topic filter; the zero Filter where none is given.
func parseTopic(s string) (message.Filter, error) {
	if s == "" {
		return message.Filter{}, nil
	}
	return message.ParseFilter(s)
}

// parseData reads a reading. Whether it fits a message is for the node to say.
func parseData(d *tangledv1.Data) (message.Data, error) {
	data := message.Data{
		Topic:       d.GetTopic(),
		ContentType: d.GetContentType(),
		EventTime:   d.GetEventTimeNs(),
		Content:     d.GetContent(),
	}
	if d != nil && d.EventTimeNs != nil && data.EventTime == 0 {
		return message.Data{}, argumentf("EVENT_TIME", "event time is zero; leave it out where it is not known")
	}
	if len(d.GetReplaces()) == 0 {
		return data, nil
	}
	replaces, err := parseID(d.GetReplaces())
	if err == nil && replaces.IsZero() {
		err = argumentf("ID", "replaced message ID is zero")
	}
	data.Replaces = replaces
	return data, err
}

// protoMessage shares the bytes of m, which never change. Seen is in nanoseconds
// since the Unix epoch.
func protoMessage(m *message.Message, seen uint64, raw bool) *tangledv1.Message {
	id := m.ID()
	p := &tangledv1.Message{
		Id:          id[:],
		Network:     m.Network[:],
		Issuer:      m.Issuer[:],
		TimestampNs: m.Timestamp,
		Parents:     protoIDs(m.Parents),
		Kind:        protoKind(m.Kind),
		Signature:   m.Signature[:],
		Nonce:       m.Nonce,
		SeenNs:      seen,
	}
	if data, err := m.Data(); err == nil { // other kinds have none
		p.Data = protoData(data)
	}
	if raw {
		p.Raw = m.Bytes()
	}
	return p
}

func protoData(d message.Data) *tangledv1.Data {
	p := &tangledv1.Data{Topic: d.Topic, ContentType: d.ContentType, Content: d.Content}
	if d.EventTime != 0 {
		p.EventTimeNs = &d.EventTime
	}
	if !d.Replaces.IsZero() {
		p.Replaces = d.Replaces[:]
	}
	return p
}

func protoIDs(ids []message.ID) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}

func protoKind(k message.Kind) tangledv1.Kind {
	if k == message.KindData {
		return tangledv1.Kind_KIND_DATA
	}
	return tangledv1.Kind_KIND_UNSPECIFIED
}

func protoReceipt(r node.Receipt) *tangledv1.Receipt {
	return &tangledv1.Receipt{Id: r.ID[:], State: protoState(r.State)}
}

func protoState(s node.State) tangledv1.State {
	switch s {
	case node.Durable:
		return tangledv1.State_STATE_DURABLE
	case node.Duplicate:
		return tangledv1.State_STATE_DUPLICATE
	case node.Orphan:
		return tangledv1.State_STATE_ORPHAN
	case node.Held:
		return tangledv1.State_STATE_HELD
	case node.Ahead:
		return tangledv1.State_STATE_AHEAD
	case node.Stale:
		return tangledv1.State_STATE_STALE
	}
	return tangledv1.State_STATE_UNSPECIFIED
}

// protoTime is t in nanoseconds since the Unix epoch; zero for the zero Time.
func protoTime(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}
