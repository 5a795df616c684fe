package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// MaxTopicSize is the longest topic of a data message, in bytes.
	MaxTopicSize = 256
	// MaxContentTypeSize is the longest content type, in bytes.
	MaxContentTypeSize = 128
)

// Flags of a data payload: which of the optional fields are there.
const (
	flagEventTime = 1 << iota
	flagReplaces
	flagsKnown = flagEventTime | flagReplaces
)

// Data is the payload of a data message: one reading under a topic.
//
// Its encoding, big-endian and canonical (one Data has one encoding):
//
//	flags u8            bit 0: event time, bit 1: replaces; others zero
//	topic length u16    1..256
//	topic               UTF-8, no '+', no '#', no U+0000
//	content type length u8   0..128
//	content type        printable ASCII
//	[event time u64]    nanoseconds since the Unix epoch, not zero
//	[replaces 40]       a message ID, not zero
//	content             the rest
type Data struct {
	Topic       string
	ContentType string
	// EventTime is when the reading was taken, in nanoseconds since the Unix
	// epoch; zero where the source did not say.
	EventTime uint64
	// Replaces is the message that carried the same reading before and was not
	// confirmed; zero for a first issue.
	Replaces ID
	// Content is opaque. The Data that Decode returns shares its memory with
	// the message it came from.
	Content []byte
}

// Validate tells whether d can be encoded. The error is an *InvalidError.
func (d *Data) Validate() error {
	if err := ValidateTopic(d.Topic); err != nil {
		return err
	}
	if len(d.ContentType) > MaxContentTypeSize {
		return invalidf(ReasonContentType, "content type of %d bytes, at most %d", len(d.ContentType), MaxContentTypeSize)
	}
	for i := range len(d.ContentType) {
		if c := d.ContentType[i]; c < 0x20 || c > 0x7e {
			return invalidf(ReasonContentType, "content type has byte %#02x", c)
		}
	}
	if room := MaxPayloadSize - d.headerSize(); len(d.Content) > room {
		return invalidf(ReasonTooLarge, "content of %d bytes, at most %d here", len(d.Content), room)
	}
	return nil
}

// ValidateTopic tells whether a topic may index a data message: 1 to
// MaxTopicSize bytes of UTF-8 without the MQTT wildcards and without U+0000
// (MQTT 5.0, section 4.7). The error is an *InvalidError.
func ValidateTopic(topic string) error {
	switch {
	case topic == "":
		return &InvalidError{Reason: ReasonTopic, Err: errors.New("empty topic")}
	case len(topic) > MaxTopicSize:
		return invalidf(ReasonTopic, "topic of %d bytes, at most %d", len(topic), MaxTopicSize)
	case !utf8.ValidString(topic):
		return &InvalidError{Reason: ReasonTopic, Err: errors.New("topic is not UTF-8")}
	case strings.ContainsAny(topic, "+#\x00"):
		return invalidf(ReasonTopic, "topic %q has a wildcard or U+0000", topic)
	}
	return nil
}

func (d *Data) headerSize() int {
	n := 1 + 2 + len(d.Topic) + 1 + len(d.ContentType)
	if d.EventTime != 0 {
		n += 8
	}
	if !d.Replaces.IsZero() {
		n += IDSize
	}
	return n
}

// Append appends the encoding of d to b. It does not validate.
func (d *Data) Append(b []byte) []byte {
	var flags byte
	if d.EventTime != 0 {
		flags |= flagEventTime
	}
	if !d.Replaces.IsZero() {
		flags |= flagReplaces
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(len(d.Topic)))
	b = append(b, d.Topic...)
	b = append(b, byte(len(d.ContentType)))
	b = append(b, d.ContentType...)
	if flags&flagEventTime != 0 {
		b = binary.BigEndian.AppendUint64(b, d.EventTime)
	}
	if flags&flagReplaces != 0 {
		b = append(b, d.Replaces[:]...)
	}
	return append(b, d.Content...)
}

// DecodeData reads a data payload and validates it. The error is an
// *InvalidError. Content shares memory with b.
func DecodeData(b []byte) (Data, error) {
	var d Data
	r := reader{b: b}
	flags := r.uint8()
	d.Topic = string(r.take(int(r.uint16())))
	d.ContentType = string(r.take(int(r.uint8())))
	if flags&flagEventTime != 0 {
		d.EventTime = r.uint64()
	}
	if flags&flagReplaces != 0 {
		d.Replaces = r.id()
	}
	if r.short {
		return Data{}, invalidf(ReasonTruncated, "data payload ends within its header")
	}
	d.Content = r.b
	switch {
	case flags&^flagsKnown != 0:
		return Data{}, invalidf(ReasonPayload, "unknown data flags %#02x", flags&^flagsKnown)
	case flags&flagEventTime != 0 && d.EventTime == 0:
		return Data{}, invalidf(ReasonPayload, "event time is flagged and zero")
	case flags&flagReplaces != 0 && d.Replaces.IsZero():
		return Data{}, invalidf(ReasonPayload, "replaced ID is flagged and zero")
	}
	if err := d.Validate(); err != nil {
		return Data{}, fmt.Errorf("data payload: %w", err)
	}
	return d, nil
}
