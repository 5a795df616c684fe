package seat

import (
	"bytes"
	"encoding/hex"
	"testing"
)

var testNonce = Nonce{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

const nonceHex = "a0" + "0102030405060708090a0b0c0d0e0f"

func unhex(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// The layouts drawn beside the codecs, written out.
func TestGolden(t *testing.T) {
	request := Request{Seat: 5, Nonce: testNonce}
	if got, want := hex.EncodeToString(request.Append(nil)), "05"+nonceHex; got != want {
		t.Errorf("request %s, want %s", got, want)
	}
	report := Report{Seat: 5, Nonce: testNonce, Highest: 0x0102030405060708, HighestOfSeat: 0xff}
	if got, want := hex.EncodeToString(report.Append(nil)), "05"+nonceHex+"0102030405060708"+"00000000000000ff"; got != want {
		t.Errorf("report %s, want %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct{ name, request, report string }{
		{name: "nothing"},
		{"short", "05" + nonceHex[2:], "05" + nonceHex + "0000000000000001" + "00000000000000"},
		{"long", "05" + nonceHex + "00", "05" + nonceHex + "0000000000000001" + "0000000000000001" + "00"},
		{"no such seat", "1f" + nonceHex, "1f" + nonceHex + "0000000000000001" + "0000000000000001"},
		{"more of a seat than of all", "", "05" + nonceHex + "0000000000000001" + "0000000000000002"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if r, err := DecodeRequest(unhex(t, test.request)); err == nil {
				t.Errorf("request %v", r)
			}
			if r, err := DecodeReport(unhex(t, test.report)); err == nil {
				t.Errorf("report %v", r)
			}
		})
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(Request{}.Append(nil))
	f.Add(Request{Seat: 30, Nonce: testNonce}.Append(nil))
	f.Add(Request{Seat: 31, Nonce: testNonce}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		if again := r.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %v, which encodes to %x", b, r, again)
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add(Report{}.Append(nil))
	f.Add(Report{Seat: 30, Nonce: testNonce, Highest: 7, HighestOfSeat: 7}.Append(nil))
	f.Add(Report{Seat: 30, Nonce: testNonce, Highest: 6, HighestOfSeat: 7}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReport(b)
		if err != nil {
			return
		}
		if again := r.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %v, which encodes to %x", b, r, again)
		}
	})
}
