package gossip

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func TestFrameRoundTrip(t *testing.T) {
	for _, messages := range [][][]byte{
		{{1}},
		{[]byte("a"), []byte("bb")},
		slices.Repeat([][]byte{{7, 7}}, MaxFrameMessages),
		{make([]byte, maxMessageSize), {1}},
	} {
		frame := appendFrame(nil, messages)
		got, err := decodeFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(got, messages, bytes.Equal) {
			t.Errorf("%d messages came back as %d others", len(messages), len(got))
		}
	}
}

// The bytes themselves, so that no change of the format goes unnoticed.
func TestFrameLayout(t *testing.T) {
	got := appendFrame(nil, [][]byte{[]byte("a"), []byte("bc")})
	want := []byte{2, 0, 0, 0, 1, 'a', 0, 0, 0, 2, 'b', 'c'}
	if !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestFrameRefuses(t *testing.T) {
	large := slices.Repeat([][]byte{make([]byte, maxMessageSize)}, 17)
	for _, tc := range []struct {
		name   string
		frame  []byte
		reason string
	}{
		{"no bytes", nil, reasonTruncated},
		{"no messages", []byte{0}, reasonEmpty},
		{"no messages and more", []byte{0, 1}, reasonEmpty},
		{"65 messages", appendFrame(nil, slices.Repeat([][]byte{{1}}, 65)), reasonTooMany},
		{"ends in a length", []byte{1, 0, 0, 0}, reasonTruncated},
		{"ends in a message", []byte{1, 0, 0, 0, 2, 'a'}, reasonTruncated},
		{"one message too few", []byte{2, 0, 0, 0, 1, 'a'}, reasonTruncated},
		{"empty message", []byte{1, 0, 0, 0, 0}, reasonEmpty},
		{"long message", appendFrame(nil, [][]byte{make([]byte, maxMessageSize+1)}), reasonTooLarge},
		{"claims 4 GiB", []byte{1, 0xff, 0xff, 0xff, 0xff}, reasonTooLarge},
		{"long frame", appendFrame(nil, large), reasonTooLarge},
		{"trailing", []byte{1, 0, 0, 0, 1, 'a', 0}, reasonTrailing},
	} {
		_, err := decodeFrame(tc.frame)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Reason != tc.reason {
			t.Errorf("%s: %v, want reason %q", tc.name, err, tc.reason)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, [][]byte{{1}, {2, 3}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, err := decodeFrame(b)
		checkFuzz(t, b, err, func() []byte { return appendFrame(nil, messages) })
	})
}

// checkFuzz is what every codec here holds to: an error is an *InvalidError with a
// reason, and what decodes encodes to the same bytes.
func checkFuzz(t *testing.T, b []byte, err error, encode func() []byte) {
	t.Helper()
	var invalid *InvalidError
	switch {
	case err == nil:
		if again := encode(); !bytes.Equal(again, b) {
			t.Fatalf("% x decodes and encodes to % x", b, again)
		}
	case !errors.As(err, &invalid) || invalid.Reason == "" || invalid.Err == nil:
		t.Fatalf("error %v is no *InvalidError", err)
	}
}

func benchmarkMessages() [][]byte {
	messages := make([][]byte, MaxFrameMessages)
	for i := range messages {
		messages[i] = bytes.Repeat([]byte{byte(i)}, 300)
	}
	return messages
}

func BenchmarkFrameEncode(b *testing.B) {
	messages := benchmarkMessages()
	buf := make([]byte, 0, MaxFrameSize)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendFrame(buf[:0], messages)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkFrameDecode(b *testing.B) {
	frame := appendFrame(nil, benchmarkMessages())
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}
