package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

const (
	// MaxTopicSize is the longest topic of a data message, in bytes.
	MaxTopicSize = 256
	// MaxContentTypeSize is the longest content type, in bytes.
	MaxContentTypeSize = 128

	topicOffset = 1 + 2 // of a data payload
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
	return validateData([]byte(d.Topic), []byte(d.ContentType), d.headerSize(), len(d.Content))
}

// validateData takes strings as bytes, so that a payload can be judged where it
// lies.
func validateData(topic, contentType []byte, headerSize, contentSize int) error {
	if err := validateTopic(topic); err != nil {
		return err
	}
	if len(contentType) > MaxContentTypeSize {
		return invalidf(ReasonContentType, "content type of %d bytes, at most %d", len(contentType), MaxContentTypeSize)
	}
	for _, c := range contentType {
		if c < 0x20 || c > 0x7e {
			return invalidf(ReasonContentType, "content type has byte %#02x", c)
		}
	}
	if room := MaxPayloadSize - headerSize; contentSize > room {
		return invalidf(ReasonTooLarge, "content of %d bytes, at most %d here", contentSize, room)
	}
	return nil
}

// ValidateTopic tells whether a topic may index a data message: 1 to
// MaxTopicSize bytes of UTF-8 without the MQTT wildcards and without U+0000
// (MQTT 5.0, section 4.7). The error is an *InvalidError.
func ValidateTopic(topic string) error { return validateTopic([]byte(topic)) }

func validateTopic(topic []byte) error {
	switch {
	case len(topic) == 0:
		return &InvalidError{Reason: ReasonTopic, Err: errors.New("empty topic")}
	case len(topic) > MaxTopicSize:
		return invalidf(ReasonTopic, "topic of %d bytes, at most %d", len(topic), MaxTopicSize)
	case !utf8.Valid(topic):
		return &InvalidError{Reason: ReasonTopic, Err: errors.New("topic is not UTF-8")}
	case bytes.ContainsAny(topic, "+#\x00"):
		return invalidf(ReasonTopic, "topic %q has a wildcard or U+0000", string(topic))
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
	const most = 1 + 2 + 1 + 8 + IDSize // without the parts of any length
	b = slices.Grow(b, most+len(d.Topic)+len(d.ContentType)+len(d.Content))
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
	parts, err := splitData(b)
	if err != nil {
		return Data{}, err
	}
	// The two strings lie so close that one allocation holds both.
	strings := string(b[topicOffset : topicOffset+len(parts.topic)+1+len(parts.contentType)])
	return Data{
		Topic:       strings[:len(parts.topic)],
		ContentType: strings[len(parts.topic)+1:],
		EventTime:   parts.eventTime,
		Replaces:    parts.replaces,
		Content:     parts.content,
	}, nil
}

// dataParts is a data payload taken apart; the slices share its memory.
type dataParts struct {
	topic, contentType, content []byte
	eventTime                   uint64
	replaces                    ID
}

// splitData takes a data payload apart and validates it. The error is an
// *InvalidError. It allocates nothing: a node decodes every message, but looks
// into few.
func splitData(b []byte) (dataParts, error) {
	var d dataParts
	r := reader{b: b}
	flags := r.uint8()
	d.topic = r.take(int(r.uint16()))
	d.contentType = r.take(int(r.uint8()))
	if flags&flagEventTime != 0 {
		d.eventTime = r.uint64()
	}
	if flags&flagReplaces != 0 {
		d.replaces = r.id()
	}
	if r.short {
		return dataParts{}, invalidf(ReasonTruncated, "data payload ends within its header")
	}
	d.content = r.b
	switch {
	case flags&^flagsKnown != 0:
		return dataParts{}, invalidf(ReasonPayload, "unknown data flags %#02x", flags&^flagsKnown)
	case flags&flagEventTime != 0 && d.eventTime == 0:
		return dataParts{}, invalidf(ReasonPayload, "event time is flagged and zero")
	case flags&flagReplaces != 0 && d.replaces.IsZero():
		return dataParts{}, invalidf(ReasonPayload, "replaced ID is flagged and zero")
	}
	if err := validateData(d.topic, d.contentType, len(b)-len(d.content), len(d.content)); err != nil {
		return dataParts{}, fmt.Errorf("data payload: %w", err)
	}
	return d, nil
}
