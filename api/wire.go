package api

import (
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
)

// protoMessage shares the bytes of m, which never change. Seen is in nanoseconds
// since the Unix epoch.
func (s *Server) protoMessage(m *message.Message, seen uint64, raw bool) *tangledv1.Message {
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
	// A message that was decoded once has the payload of its kind.
	switch m.Kind {
	case message.KindData:
		if data, err := m.Data(); err == nil {
			p.Data = protoData(data)
		}
	case message.KindTransfer:
		if t, err := m.Transfer(); err == nil {
			p.Transfer = protoTransfer(&t, t.ID(s.network))
		}
	case message.KindWitness:
		if w, err := m.Witness(); err == nil {
			p.Witness = protoWitness(&w)
		}
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
	p.Replaces = protoID(d.Replaces)
	return p
}

func protoTransfer(t *message.Transfer, id message.TransferID) *tangledv1.Transfer {
	p := &tangledv1.Transfer{
		Id:           id[:],
		From:         t.From[:],
		Nonce:        t.Nonce,
		ValidUntilNs: t.ValidUntil,
		Outputs:      make([]*tangledv1.Output, len(t.Outputs)),
		Signature:    t.Signature[:],
	}
	for i := range t.Outputs {
		p.Outputs[i] = &tangledv1.Output{Address: t.Outputs[i].Address[:], Amount: t.Outputs[i].Amount}
	}
	return p
}

func protoWitness(w *message.Witness) *tangledv1.Witness {
	return &tangledv1.Witness{
		Seat:        uint32(w.Seat),
		Round:       w.Round,
		CommitIndex: w.Commit.Index,
		Commitment:  w.Commit.Hash[:],
	}
}

// protoID is empty for the zero ID, which stands for none.
func protoID(id message.ID) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func protoIDs(ids []message.ID) [][]byte {
	out := make([][]byte, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}

func protoKind(k message.Kind) tangledv1.Kind {
	switch k {
	case message.KindData:
		return tangledv1.Kind_KIND_DATA
	case message.KindTransfer:
		return tangledv1.Kind_KIND_TRANSFER
	case message.KindWitness:
		return tangledv1.Kind_KIND_WITNESS
	}
	return tangledv1.Kind_KIND_UNSPECIFIED
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
	case node.Surplus:
		return tangledv1.State_STATE_SURPLUS
	case node.Behind:
		return tangledv1.State_STATE_BEHIND
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
