package gossip

import (
	"encoding/binary"

	"tangled/message"
)

// A frame is what GossipSub carries, big-endian:
//
//	count u8               1..64
//	count times:
//	    length u32         1..32,768
//	    message            length bytes
//
// and nothing after it; 512 KiB at most in all.
const (
	// MaxFrameMessages is how many messages a frame carries at most.
	MaxFrameMessages = 64
	// MaxFrameSize is the length of the longest frame, in bytes.
	MaxFrameSize = 512 << 10

	maxMessageSize = message.MaxSize

	frameHeaderSize  = 1
	lengthPrefixSize = 4
)

// appendFrame appends the frame of the messages to b. The caller keeps the
// bounds.
func appendFrame(b []byte, messages [][]byte) []byte {
	b = append(b, byte(len(messages)))
	for _, m := range messages {
		b = appendBytes(b, m)
	}
	return b
}

// decodeFrame reads a frame. The messages share memory with b. The error is an
// *InvalidError.
func decodeFrame(b []byte) ([][]byte, error) {
	if len(b) > MaxFrameSize {
		return nil, invalidf(reasonTooLarge, "frame of %d bytes, at most %d", len(b), MaxFrameSize)
	}
	r := reader{b: b}
	count := int(r.uint8())
	switch {
	case r.short:
		return nil, invalidf(reasonTruncated, "frame of no bytes")
	case count == 0:
		return nil, invalidf(reasonEmpty, "frame of no messages")
	case count > MaxFrameMessages:
		return nil, invalidf(reasonTooMany, "frame of %d messages, at most %d", count, MaxFrameMessages)
	}
	messages := make([][]byte, count)
	for i := range messages {
		m, err := r.message(i)
		if err != nil {
			return nil, err
		}
		messages[i] = m
	}
	return messages, r.end()
}

// reader takes values off the front of b. Past the end it yields zeros and sets
// short.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uint8() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if v := r.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if v := r.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// message reads the i-th length-prefixed message.
func (r *reader) message(i int) ([]byte, error) {
	n := r.uint32()
	switch {
	case r.short:
		return nil, invalidf(reasonTruncated, "ends before the length of message %d", i)
	case n == 0:
		return nil, invalidf(reasonEmpty, "message %d has no bytes", i)
	case n > maxMessageSize:
		return nil, invalidf(reasonTooLarge, "message %d of %d bytes, at most %d", i, n, maxMessageSize)
	}
	m := r.take(int(n))
	if r.short {
		return nil, invalidf(reasonTruncated, "ends within message %d", i)
	}
	return m, nil
}

// end refuses bytes after the last value.
func (r *reader) end() error {
	if len(r.b) > 0 {
		return invalidf(reasonTrailing, "%d bytes after the last field", len(r.b))
	}
	return nil
}

// appendBytes appends m behind its length.
func appendBytes(b, m []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
	return append(b, m...)
}
