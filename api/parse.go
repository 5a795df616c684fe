package api

import (
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

func parseAddress(b []byte) (message.Address, error) {
	if len(b) != message.AddressSize {
		return message.Address{}, argumentf("ADDRESS", "address of %d bytes, want %d", len(b), message.AddressSize)
	}
	return message.Address(b), nil
}

func parseTransferID(b []byte) (message.TransferID, error) {
	if len(b) != len(message.TransferID{}) {
		return message.TransferID{}, argumentf("TRANSFER_ID", "transfer ID of %d bytes, want %d", len(b), len(message.TransferID{}))
	}
	return message.TransferID(b), nil
}

// parseCursor reads a place in the history; its beginning where none is given.
func parseCursor(c *tangledv1.Cursor) node.Cursor {
	return node.Cursor{Anchor: c.GetAnchor(), Index: c.GetIndex()}
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
