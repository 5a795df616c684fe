package message_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"tangled/message"
)

// payload is a data payload written by hand; the lengths may lie.
type payload struct {
	flags             byte
	topicLength       uint16
	topic             string
	contentTypeLength byte
	contentType       string
	optional          []byte
	content           string
}

func (p payload) bytes() []byte {
	b := []byte{p.flags}
	b = binary.BigEndian.AppendUint16(b, p.topicLength)
	b = append(b, p.topic...)
	b = append(b, p.contentTypeLength)
	b = append(b, p.contentType...)
	b = append(b, p.optional...)
	return append(b, p.content...)
}

func testPayload() payload {
	return payload{topicLength: 3, topic: "a/b", contentTypeLength: 10, contentType: "text/plain", content: "17"}
}

func (p *payload) setTopic(s string) { p.topic, p.topicLength = s, uint16(len(s)) }

func (p *payload) setContentType(s string) { p.contentType, p.contentTypeLength = s, byte(len(s)) }

func TestDataRoundTrip(t *testing.T) {
	replaces := testID(3, 4)
	eight := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	tests := []struct {
		name     string
		flags    byte
		optional []byte
		want     message.Data
	}{
		{"plain", 0, nil, message.Data{}},
		{"event time", 1, eight, message.Data{EventTime: 0x0102030405060708}},
		{"replaces", 2, replaces[:], message.Data{Replaces: replaces}},
		{"both", 3, append(bytes.Clone(eight), replaces[:]...), message.Data{EventTime: 0x0102030405060708, Replaces: replaces}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := testPayload()
			p.flags, p.optional = test.flags, test.optional
			got, err := message.DecodeData(p.bytes())
			if err != nil {
				t.Fatal(err)
			}
			if got.Topic != "a/b" || got.ContentType != "text/plain" || string(got.Content) != "17" ||
				got.EventTime != test.want.EventTime || got.Replaces != test.want.Replaces {
				t.Errorf("decoded %+v", got)
			}
			if again := got.Append(nil); !bytes.Equal(again, p.bytes()) {
				t.Errorf("encoded %x, want %x", again, p.bytes())
			}
		})
	}
}

func TestDataLimits(t *testing.T) {
	tests := []struct {
		name  string
		shape func(p *payload)
	}{
		{"longest topic", func(p *payload) { p.setTopic(strings.Repeat("t", 256)) }},
		{"topic of one byte", func(p *payload) { p.setTopic("/") }},
		{"topic with $", func(p *payload) { p.setTopic("$site/x") }},
		{"topic of four-byte runes", func(p *payload) { p.setTopic(strings.Repeat("🌊", 64)) }},
		{"no content type", func(p *payload) { p.setContentType("") }},
		{"longest content type", func(p *payload) { p.setContentType(strings.Repeat("x", 128)) }},
		{"content type of the outermost bytes", func(p *payload) { p.setContentType(" ~") }},
		{"no content", func(p *payload) { p.content = "" }},
		{"largest content", func(p *payload) { p.content = strings.Repeat("x", message.MaxPayloadSize-1-2-3-1-10) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := testPayload()
			test.shape(&p)
			d, err := message.DecodeData(p.bytes())
			if err != nil {
				t.Fatal(err)
			}
			if d.Topic != p.topic || d.ContentType != p.contentType || string(d.Content) != p.content {
				t.Errorf("decoded %+v", d)
			}
		})
	}
}

func TestDecodeDataDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(p *payload)
		want   message.Reason
	}{
		{"empty topic", func(p *payload) { p.setTopic("") }, message.ReasonTopic},
		{"topic too long", func(p *payload) { p.setTopic(strings.Repeat("t", 257)) }, message.ReasonTopic},
		{"topic not UTF-8", func(p *payload) { p.setTopic("a/\xff") }, message.ReasonTopic},
		{"topic with half a rune", func(p *payload) { p.setTopic("s\xc3") }, message.ReasonTopic},
		{"topic with a surrogate", func(p *payload) { p.setTopic("a\xed\xa0\x80") }, message.ReasonTopic},
		{"topic overlong", func(p *payload) { p.setTopic("a\xc0\x80") }, message.ReasonTopic},
		{"topic with +", func(p *payload) { p.setTopic("a/+/b") }, message.ReasonTopic},
		{"topic with + within a level", func(p *payload) { p.setTopic("a+b") }, message.ReasonTopic},
		{"topic with #", func(p *payload) { p.setTopic("a/#") }, message.ReasonTopic},
		{"topic with NUL", func(p *payload) { p.setTopic("a\x00b") }, message.ReasonTopic},
		{"content type too long", func(p *payload) { p.setContentType(strings.Repeat("x", 129)) }, message.ReasonContentType},
		{"content type with a control byte", func(p *payload) { p.setContentType("a\x1f") }, message.ReasonContentType},
		{"content type with DEL", func(p *payload) { p.setContentType("a\x7f") }, message.ReasonContentType},
		{"content type not ASCII", func(p *payload) { p.setContentType("é") }, message.ReasonContentType},
		{"content type with NUL", func(p *payload) { p.setContentType("\x00") }, message.ReasonContentType},
		{"content too large", func(p *payload) { p.content = strings.Repeat("x", message.MaxPayloadSize) }, message.ReasonTooLarge},
		{"content one byte too large", func(p *payload) { p.content = strings.Repeat("x", message.MaxPayloadSize-17+1) }, message.ReasonTooLarge},
		{"event time zero", func(p *payload) { p.flags, p.optional = 1, make([]byte, 8) }, message.ReasonPayload},
		{"replaces zero", func(p *payload) { p.flags, p.optional = 2, make([]byte, 40) }, message.ReasonPayload},
		{"topic ends early", func(p *payload) { p.topicLength = 65535 }, message.ReasonTruncated},
		{"content type ends early", func(p *payload) { p.contentTypeLength = 255 }, message.ReasonTruncated},
		{"event time ends early", func(p *payload) { p.flags, p.optional = 1, []byte{1, 2, 3} }, message.ReasonTruncated},
		{"replaces ends early", func(p *payload) { p.flags = 2 }, message.ReasonTruncated},
		{"replaces missing beside event time", func(p *payload) {
			p.flags, p.optional = 3, []byte{1, 2, 3, 4, 5, 6, 7, 8}
		}, message.ReasonTruncated},
	}
	for flag := byte(4); flag != 0; flag <<= 1 {
		tests = append(tests, struct {
			name   string
			damage func(p *payload)
			want   message.Reason
		}{"unknown flag", func(p *payload) { p.flags = flag }, message.ReasonPayload})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := testPayload()
			test.damage(&p)
			_, err := message.DecodeData(p.bytes())
			wantReason(t, err, test.want)
		})
	}
}

func TestDecodeDataTruncated(t *testing.T) {
	p := testPayload()
	p.flags, p.optional, p.content = 3, bytes.Repeat([]byte{7}, 48), ""
	b := p.bytes()
	for n := range b {
		_, err := message.DecodeData(b[:n])
		wantReason(t, err, message.ReasonTruncated)
	}
	if _, err := message.DecodeData(b); err != nil {
		t.Error(err)
	}
}

// TestDataValidate: what DecodeData refuses can not be made either.
func TestDataValidate(t *testing.T) {
	good := message.Data{Topic: "a/b", ContentType: "text/plain"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	tests := []struct {
		name string
		data message.Data
		want message.Reason
	}{
		{"zero", message.Data{}, message.ReasonTopic},
		{"topic", message.Data{Topic: "a/#"}, message.ReasonTopic},
		{"content type", message.Data{Topic: "a", ContentType: "é"}, message.ReasonContentType},
		{"content type too long", message.Data{Topic: "a", ContentType: strings.Repeat("x", 300)}, message.ReasonContentType},
		{"content", message.Data{Topic: "a", Content: make([]byte, message.MaxPayloadSize-5+1)}, message.ReasonTooLarge},
		{"content beside event time", message.Data{Topic: "a", EventTime: 1, Content: make([]byte, message.MaxPayloadSize-13+1)}, message.ReasonTooLarge},
		{"content beside replaces", message.Data{Topic: "a", Replaces: testID(1, 1), Content: make([]byte, message.MaxPayloadSize-45+1)}, message.ReasonTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantReason(t, test.data.Validate(), test.want)
		})
	}
}

// FuzzData holds the payload canonical.
func FuzzData(f *testing.F) {
	f.Add(testPayload().bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := message.DecodeData(b)
		if err != nil {
			if invalid := new(message.InvalidError); !errors.As(err, &invalid) || invalid.Reason == "" {
				t.Fatalf("error %v is no InvalidError", err)
			}
			return
		}
		if again := d.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("encoded again %x, want %x", again, b)
		}
		if err := d.Validate(); err != nil {
			t.Fatalf("decoded, but %v", err)
		}
		if len(b) > message.MaxPayloadSize {
			t.Fatalf("decoded %d bytes", len(b))
		}
	})
}
