package gossip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"tangled/message"
)

func TestFetchRequestLayout(t *testing.T) {
	id := message.NewID(1, [32]byte{2})
	got := appendFetchRequest(nil, FetchRequest{Want: []message.ID{id}, Since: 5, After: id})
	want := slices.Concat([]byte{0, 1}, id[:], []byte{0, 0}, binary.BigEndian.AppendUint64(nil, 5), id[:])
	if !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestFetchReplyLayout(t *testing.T) {
	id := message.NewID(1, [32]byte{2})
	reply := FetchReply{Messages: [][]byte{[]byte("ab")}, Next: id}
	got := appendFetchReply(nil, reply)
	if want := slices.Concat([]byte{0, 1, 0, 0, 0, 2, 'a', 'b'}, id[:]); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
	if reply.size() != len(got) {
		t.Errorf("size says %d, is %d", reply.size(), len(got))
	}
}

// The longest of each fits its bound, or a correct peer would be charged.
func TestLongestFit(t *testing.T) {
	q := FetchRequest{Want: testIDs(MaxFetchIDs), Have: testIDs(MaxFetchIDs)}
	if got := len(appendFetchRequest(nil, q)); got != fetchBodySize {
		t.Errorf("request of %d bytes, bound %d", got, fetchBodySize)
	}
	if got := len(appendTips(nil, testIDs(MaxTips))); got != tipsBodySize || got > fetchBodySize {
		t.Errorf("tips of %d bytes, bounds %d and %d", got, tipsBodySize, fetchBodySize)
	}
	p := FetchReply{Messages: slices.Repeat([][]byte{make([]byte, MaxFetchSize/MaxFetchMessages)}, MaxFetchMessages)}
	if err := p.validate(); err != nil {
		t.Fatal(err)
	}
	if got := len(appendFetchReply(nil, p)); got > fetchReplyBodySize {
		t.Errorf("reply of %d bytes, bound %d", got, fetchReplyBodySize)
	}
}

func TestFetchWireRefuses(t *testing.T) {
	request := appendFetchRequest(nil, FetchRequest{Want: testIDs(2), Have: testIDs(1)})
	reply := appendFetchReply(nil, FetchReply{Messages: [][]byte{{1}}})
	tips := appendTips(nil, testIDs(2))
	decodeRequest := func(b []byte) error { _, err := decodeFetchRequest(b); return err }
	decodeReply := func(b []byte) error { _, err := decodeFetchReply(b); return err }
	decodeTip := func(b []byte) error { _, err := decodeTips(b); return err }
	for _, tc := range []struct {
		name   string
		decode func([]byte) error
		b      []byte
		reason string
	}{
		{"request trailing", decodeRequest, append(slices.Clone(request), 0), reasonTrailing},
		{"request wants nothing", decodeRequest, appendFetchRequest(nil, FetchRequest{}), reasonEmpty},
		{"request wants zero", decodeRequest, appendFetchRequest(nil, FetchRequest{Want: make([]message.ID, 1)}), reasonZeroID},
		{"request wants 257", decodeRequest, appendFetchRequest(nil, FetchRequest{Want: testIDs(257)}), reasonTooMany},
		{"request has 257", decodeRequest, appendFetchRequest(nil, FetchRequest{Want: testIDs(1), Have: testIDs(257)}), reasonTooMany},
		{"reply trailing", decodeReply, append(slices.Clone(reply), 0), reasonTrailing},
		{"reply claims 5,000", decodeReply, []byte{0x13, 0x88, 0}, reasonTruncated},
		{"reply claims 5,001", decodeReply, []byte{0x13, 0x89, 0}, reasonTooMany},
		{"tips trailing", decodeTip, append(slices.Clone(tips), 0), reasonTrailing},
		{"tips zero", decodeTip, appendTips(nil, make([]message.ID, 1)), reasonZeroID},
		{"tips 257", decodeTip, appendTips(nil, testIDs(257)), reasonTooMany},
	} {
		var invalid *InvalidError
		if err := tc.decode(tc.b); !errors.As(err, &invalid) || invalid.Reason != tc.reason {
			t.Errorf("%s: %v, want reason %q", tc.name, err, tc.reason)
		}
	}
	// Every proper prefix ends too early.
	for decode, b := range map[*func([]byte) error][]byte{&decodeRequest: request, &decodeReply: reply, &decodeTip: tips} {
		for n := range b {
			var invalid *InvalidError
			if err := (*decode)(b[:n]); !errors.As(err, &invalid) || invalid.Reason != reasonTruncated {
				t.Errorf("prefix of %d of %d bytes: %v, want it truncated", n, len(b), err)
			}
		}
	}
}

func FuzzFetchRequest(f *testing.F) {
	f.Add(appendFetchRequest(nil, FetchRequest{Want: testIDs(2), Have: testIDs(1), Since: 3, After: testIDs(1)[0]}))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := decodeFetchRequest(b)
		checkFuzz(t, b, err, func() []byte { return appendFetchRequest(nil, q) })
	})
}

func FuzzFetchReply(f *testing.F) {
	f.Add(appendFetchReply(nil, FetchReply{Messages: [][]byte{{1}, {2, 3}}, Next: testIDs(1)[0]}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodeFetchReply(b)
		checkFuzz(t, b, err, func() []byte { return appendFetchReply(nil, p) })
		if err == nil && p.validate() != nil {
			t.Fatal("a reply that decodes is not valid")
		}
	})
}

func FuzzTips(f *testing.F) {
	f.Add(appendTips(nil, testIDs(2)))
	f.Fuzz(func(t *testing.T, b []byte) {
		tips, err := decodeTips(b)
		checkFuzz(t, b, err, func() []byte { return appendTips(nil, tips) })
	})
}
