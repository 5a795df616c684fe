package catchup

import (
	"encoding/binary"
	"math"
)

// What is asked for: the first byte of a request.
const (
	kindStatus   = 1
	kindAnchors  = 2
	kindBodies   = 3
	kindSnapshot = 4
)

// endless is the until of a request that is bound by nothing but the peer's last
// signed anchor.
const endless = math.MaxUint64

// request is any of the four; the package comment draws them.
type request struct {
	kind   byte
	anchor uint64 // of a snapshot its index
	index  uint32 // anchors and bodies
	until  uint64 // anchors and bodies
	offset uint64 // snapshot
}

func (q request) encode() []byte {
	b := []byte{q.kind}
	switch q.kind {
	case kindAnchors, kindBodies:
		b = binary.BigEndian.AppendUint64(b, q.anchor)
		b = binary.BigEndian.AppendUint32(b, q.index)
		b = binary.BigEndian.AppendUint64(b, q.until)
	case kindSnapshot:
		b = binary.BigEndian.AppendUint64(b, q.anchor)
		b = binary.BigEndian.AppendUint64(b, q.offset)
	}
	return b
}

// decodeRequest reads a request. The error is an *InvalidError.
func decodeRequest(b []byte) (request, error) {
	r := reader{b: b}
	q := request{kind: r.uint8()}
	switch q.kind {
	case kindStatus:
	case kindAnchors, kindBodies:
		q.anchor, q.index, q.until = r.uint64(), r.uint32(), r.uint64()
	case kindSnapshot:
		q.anchor, q.offset = r.uint64(), r.uint64()
	default:
		return request{}, invalidf(ReasonRequest, "request of kind %d", q.kind)
	}
	if err := r.end("request"); err != nil {
		return request{}, err
	}
	if q.kind != kindStatus && q.anchor == 0 {
		return request{}, invalidf(ReasonRequest, "anchor 0 is the genesis")
	}
	if (q.kind == kindAnchors || q.kind == kindBodies) && q.until < q.anchor {
		return request{}, invalidf(ReasonRequest, "from anchor %d until %d", q.anchor, q.until)
	}
	return q, nil
}
