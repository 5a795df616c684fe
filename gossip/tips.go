package gossip

import (
	"encoding/binary"

	"tangled/message"
)

// MaxTips is how many tip IDs one exchange carries each way at most.
const MaxTips = 256

// Tips and their answer have one body, big-endian:
//
//	count u16     0..256
//	IDs           count times 40 bytes, none zero

func appendTips(b []byte, tips []message.ID) []byte { return appendIDs(b, tips) }

// decodeTips reads tips. The error is an *InvalidError.
func decodeTips(b []byte) ([]message.ID, error) {
	r := reader{b: b}
	tips, err := r.ids(MaxTips)
	if err != nil {
		return nil, err
	}
	return tips, r.end()
}

func appendIDs(b []byte, ids []message.ID) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(ids)))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}

// ids reads a count and that many IDs.
func (r *reader) ids(limit int) ([]message.ID, error) {
	count := int(r.uint16())
	if r.short {
		return nil, invalidf(reasonTruncated, "ends before the count of IDs")
	}
	if count > limit {
		return nil, invalidf(reasonTooMany, "%d IDs, at most %d", count, limit)
	}
	raw := r.take(count * message.IDSize)
	if r.short {
		return nil, invalidf(reasonTruncated, "ends within %d IDs", count)
	}
	if count == 0 {
		return nil, nil
	}
	ids := make([]message.ID, count)
	for i := range ids {
		if ids[i] = message.ID(raw[i*message.IDSize:]); ids[i].IsZero() {
			return nil, invalidf(reasonZeroID, "ID %d of %d is zero", i, count)
		}
	}
	return ids, nil
}

// id reads one ID, zero or not.
func (r *reader) id() message.ID {
	if v := r.take(message.IDSize); v != nil {
		return message.ID(v)
	}
	return message.ID{}
}
