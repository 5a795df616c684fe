package message_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tangled/message"
)

// testWire is testDraft on the wire, with a signature that only looks like one:
// Decode does not verify it.
func testWire() wire {
	d := testDraft()
	w := wire{
		version:       1,
		network:       d.Network,
		issuer:        testIssuer(1),
		timestamp:     d.Timestamp,
		count:         byte(len(d.Parents)),
		kind:          1,
		payloadLength: uint32(len(d.Payload)),
		payload:       d.Payload,
		signature:     [64]byte(bytes.Repeat([]byte{0x5a}, 64)),
		nonce:         0x0102030405060708,
	}
	for _, p := range d.Parents {
		w.parents = append(w.parents, p)
	}
	return w
}

// setParents gives w the parents and the count that goes with them.
func (w *wire) setParents(ids ...message.ID) {
	w.parents, w.count = nil, byte(len(ids))
	for _, id := range ids {
		w.parents = append(w.parents, id)
	}
}

func (w *wire) setPayload(b []byte) {
	w.payload, w.payloadLength = b, uint32(len(b))
}

func ascendingIDs(n int) []message.ID {
	var ids []message.ID
	for i := range n {
		ids = append(ids, testID(uint64(i), byte(i)))
	}
	return ids
}

func TestRoundTrip(t *testing.T) {
	for n := 1; n <= message.MaxParents; n++ {
		t.Run(fmt.Sprintf("%d parents", n), func(t *testing.T) {
			d := testDraft()
			d.Parents = ascendingIDs(n)
			m := sign(t, d, 1)
			m.SetNonce(0xfedcba9876543210)
			sameAsWire(t, m, m.Bytes())
			decoded, err := message.Decode(m.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			sameAsWire(t, decoded, m.Bytes())
			sealed, err := decoded.Seal(decoded.Issuer, decoded.Signature)
			if err != nil {
				t.Fatal(err)
			}
			sealed.SetNonce(decoded.Nonce)
			if !bytes.Equal(sealed.Bytes(), m.Bytes()) || sealed.ID() != m.ID() {
				t.Error("sealed again it is another message")
			}
			data, err := decoded.Data()
			if err != nil {
				t.Fatal(err)
			}
			if data.Topic != "city/device/north/7/air" || string(data.Content) != "pm10=17" {
				t.Errorf("data is %+v", data)
			}
		})
	}
}

func TestDecodeWire(t *testing.T) {
	b := testWire().bytes()
	m, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	sameAsWire(t, m, b)
}

// TestDecodeCopies guards messages against the buffer of a connection that is
// used again.
func TestDecodeCopies(t *testing.T) {
	b := testWire().bytes()
	m, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(b)
	for i := range b {
		b[i] = 0xff
	}
	sameAsWire(t, m, want)
}

// TestDecodeAllocations: a message of the usual form costs its bytes and its
// fields.
func TestDecodeAllocations(t *testing.T) {
	b := testWire().bytes()
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := message.Decode(b); err != nil {
			t.Error(err)
		}
	})
	if allocations > 2 {
		t.Errorf("%v allocations, want 2", allocations)
	}
}

// TestParentsAreTheMessages: what is done to a draft, or appended to the parents
// of a message, touches no message.
func TestParentsAreTheMessages(t *testing.T) {
	for n := 1; n <= message.MaxParents; n++ {
		d := testDraft()
		d.Parents = ascendingIDs(n)
		m := sign(t, d, 1)
		clear(d.Parents)
		if !slices.Equal(m.Parents, ascendingIDs(n)) {
			t.Errorf("%d parents: the draft's memory is the message's", n)
		}
		decoded, err := message.Decode(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if cap(m.Parents) != n || cap(decoded.Parents) != n {
			t.Errorf("%d parents: room for %d and %d", n, cap(m.Parents), cap(decoded.Parents))
		}
	}
}

// TestDecodeDamage has each way of being wrong that Decode can see.
func TestDecodeDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *wire)
		want   message.Reason
	}{
		{"version 0", func(w *wire) { w.version = 0 }, message.ReasonVersion},
		{"version 2", func(w *wire) { w.version = 2 }, message.ReasonVersion},
		{"kind 0", func(w *wire) { w.kind = 0 }, message.ReasonKind},
		{"kind 4", func(w *wire) { w.kind = 4 }, message.ReasonKind},
		{"kind 255", func(w *wire) { w.kind = 255 }, message.ReasonKind},

		{"no parents", func(w *wire) { w.setParents() }, message.ReasonParents},
		{"nine parents", func(w *wire) { w.setParents(ascendingIDs(9)...) }, message.ReasonParents},
		{"255 parents", func(w *wire) { w.setParents(ascendingIDs(255)...) }, message.ReasonParents},
		{"unsorted by time", func(w *wire) { w.setParents(testID(20, 1), testID(10, 2)) }, message.ReasonParentOrder},
		{"unsorted by hash", func(w *wire) { w.setParents(testID(20, 2), testID(20, 1)) }, message.ReasonParentOrder},
		{"unsorted at the end", func(w *wire) { w.setParents(testID(1, 1), testID(3, 1), testID(2, 1)) }, message.ReasonParentOrder},
		{"repeated parent", func(w *wire) { w.setParents(testID(20, 1), testID(20, 1)) }, message.ReasonParentOrder},
		{"parent of the same time", func(w *wire) { w.setParents(testID(10, 1), testID(1000, 1)) }, message.ReasonTimestamp},
		{"younger parent", func(w *wire) { w.setParents(testID(10, 1), testID(1001, 1)) }, message.ReasonTimestamp},
		{"only parent of the same time", func(w *wire) { w.setParents(testID(1000, 1)) }, message.ReasonTimestamp},
		{"timestamp zero", func(w *wire) { w.timestamp = 0 }, message.ReasonTimestamp},

		{"payload length too short", func(w *wire) { w.payloadLength-- }, message.ReasonTrailing},
		{"payload length zero", func(w *wire) { w.payloadLength = 0 }, message.ReasonTrailing},
		{"payload length too long", func(w *wire) { w.payloadLength++ }, message.ReasonTruncated},
		{"payload length 2^31", func(w *wire) { w.payloadLength = 1 << 31 }, message.ReasonTruncated},
		{"payload length 2^32-1", func(w *wire) { w.payloadLength = 1<<32 - 1 }, message.ReasonTruncated},
		{"count above the parents", func(w *wire) { w.count = 8 }, message.ReasonTruncated},
		// The payload fits the message beside two parents, but not beside eight.
		{"payload too large", func(w *wire) {
			d := message.Data{Topic: "t", Content: make([]byte, message.MaxPayloadSize-5+1)}
			w.setPayload(d.Append(nil))
		}, message.ReasonTooLarge},
		{"message too large", func(w *wire) { w.setPayload(make([]byte, message.MaxSize)) }, message.ReasonTooLarge},

		{"empty payload", func(w *wire) { w.setPayload(nil) }, message.ReasonTruncated},
		{"payload ends in its header", func(w *wire) { w.setPayload(w.payload[:12]) }, message.ReasonTruncated},
		{"unknown flag", func(w *wire) { w.payload[0] |= 4 }, message.ReasonPayload},
		{"topic with a wildcard", func(w *wire) { w.payload[3] = '#' }, message.ReasonTopic},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWire()
			test.damage(&w)
			m, err := message.Decode(w.bytes())
			wantReason(t, err, test.want)
			if m != nil {
				t.Error("a message came with the error")
			}
		})
	}
}

func TestDecodeTruncated(t *testing.T) {
	b := testWire().bytes()
	for n := range b {
		_, err := message.Decode(b[:n])
		wantReason(t, err, message.ReasonTruncated)
	}
}

func TestDecodeTrailing(t *testing.T) {
	b := testWire().bytes()
	for _, n := range []int{1, 8, 64} {
		_, err := message.Decode(append(slices.Clone(b), make([]byte, n)...))
		wantReason(t, err, message.ReasonTrailing)
	}
}

// TestDecodeOversized: what is too large is refused for that, before it is
// copied and read.
func TestDecodeOversized(t *testing.T) {
	b := testWire().bytes()
	b = append(b, make([]byte, message.MaxSize-len(b))...)
	_, err := message.Decode(b)
	wantReason(t, err, message.ReasonTrailing)
	_, err = message.Decode(append(b, 0))
	wantReason(t, err, message.ReasonTooLarge)
}

// TestLargest pins the limits to each other: the largest payload beside the
// most parents fills a message exactly.
func TestLargest(t *testing.T) {
	data := message.Data{Topic: "t"}
	data.Content = make([]byte, message.MaxPayloadSize-len(data.Append(nil)))
	d := testDraft()
	d.Parents = ascendingIDs(message.MaxParents)
	d.Payload = data.Append(nil)
	m := sign(t, d, 1)
	if len(m.Bytes()) != message.MaxSize || message.MaxSize != 32*1024 {
		t.Errorf("%d bytes, want 32 KiB", len(m.Bytes()))
	}
	if _, err := message.Decode(m.Bytes()); err != nil {
		t.Error(err)
	}

	data.Content = append(data.Content, 0)
	wantReason(t, data.Validate(), message.ReasonTooLarge)
	d.Payload = data.Append(nil)
	for _, n := range []int{2, message.MaxParents} {
		d.Parents = ascendingIDs(n)
		_, err := d.Sign(testKey(1))
		wantReason(t, err, message.ReasonTooLarge)
	}
}

// TestDraftRefused has what an issuer must not be able to make, be the key here
// (Sign) or on a device (Seal).
func TestDraftRefused(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(d *message.Draft)
		want  message.Reason
	}{
		{"no parents", func(d *message.Draft) { d.Parents = nil }, message.ReasonParents},
		{"nine parents", func(d *message.Draft) { d.Parents = ascendingIDs(9) }, message.ReasonParents},
		// A count of 256 would be written as zero.
		{"256 parents", func(d *message.Draft) { d.Parents = ascendingIDs(256) }, message.ReasonParents},
		{"unsorted parents", func(d *message.Draft) { slices.Reverse(d.Parents) }, message.ReasonParentOrder},
		{"repeated parent", func(d *message.Draft) { d.Parents[1] = d.Parents[0] }, message.ReasonParentOrder},
		{"parent not older", func(d *message.Draft) { d.Timestamp = 20 }, message.ReasonTimestamp},
		{"unknown kind", func(d *message.Draft) { d.Kind = 4 }, message.ReasonKind},
		{"empty payload", func(d *message.Draft) { d.Payload = nil }, message.ReasonTruncated},
		{"empty topic", func(d *message.Draft) { d.Payload = make([]byte, 4) }, message.ReasonTopic},
		{"payload too large", func(d *message.Draft) { d.Payload = make([]byte, message.MaxPayloadSize+1) }, message.ReasonTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := testDraft()
			test.spoil(d)
			m, err := d.Sign(testKey(1))
			wantReason(t, err, test.want)
			if m != nil {
				t.Error("Sign: a message came with the error")
			}
			m, err = d.Seal(testIssuer(1), [64]byte{})
			wantReason(t, err, test.want)
			if m != nil {
				t.Error("Seal: a message came with the error")
			}
		})
	}
}

func TestSignRefusesKey(t *testing.T) {
	for _, size := range []int{0, 32, 63, 65} {
		_, err := testDraft().Sign(make([]byte, size))
		if invalid := new(message.InvalidError); err == nil || errors.As(err, &invalid) {
			t.Errorf("key of %d bytes: error %v, want one that blames no sender", size, err)
		}
	}
}

// TestNonceOutsideIdentity: nobody can re-mine a signed message into a second
// ID.
func TestNonceOutsideIdentity(t *testing.T) {
	m := sign(t, testDraft(), 1)
	id, before, work := m.ID(), slices.Clone(m.Bytes()), m.Work()
	differs := false
	for nonce := range uint64(32) {
		m.SetNonce(nonce << 56)
		decoded, err := message.Decode(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if m.ID() != id || decoded.ID() != id {
			t.Fatalf("nonce %#x: ID %v, decoded %v, want %v", nonce<<56, m.ID(), decoded.ID(), id)
		}
		if decoded.Nonce != nonce<<56 || m.Nonce != nonce<<56 {
			t.Fatalf("nonce %#x, decoded %#x, want %#x", m.Nonce, decoded.Nonce, nonce<<56)
		}
		if !bytes.Equal(m.Bytes()[:len(before)-8], before[:len(before)-8]) {
			t.Fatal("the nonce spills over")
		}
		differs = differs || m.Work() != work
	}
	if !differs {
		t.Error("the nonce makes no difference to the work")
	}
}

// TestEveryFieldInIdentity changes each byte but those of the nonce.
func TestEveryFieldInIdentity(t *testing.T) {
	b := testWire().bytes()
	m, err := message.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for i := range len(b) - 8 {
		b[i] ^= 1
		if other, err := message.Decode(b); err == nil {
			changed++
			if other.ID() == m.ID() {
				t.Errorf("byte %d is not part of the ID", i)
			}
		}
		b[i] ^= 1
	}
	// Network, issuer and signature take any value.
	if changed < 8+32+64 {
		t.Errorf("only %d changed bytes were decoded", changed)
	}
}

func TestStrings(t *testing.T) {
	if got := message.KindData.String(); got != "data" {
		t.Errorf("data kind is %q", got)
	}
	for kind, want := range map[message.Kind]string{message.KindTransfer: "transfer", message.KindWitness: "witness"} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q", kind, got)
		}
	}
	if got := message.Kind(9).String(); got != "kind(9)" {
		t.Errorf("unknown kind is %q", got)
	}
	if got := testNetwork.String(); got != "746573746e657431" {
		t.Errorf("network is %q", got)
	}
	if got := (message.Issuer{1}).String(); got != "01"+strings.Repeat("00", 31) {
		t.Errorf("issuer is %q", got)
	}
}

// FuzzDecode holds the encoding canonical: whatever is decoded is encoded to
// the same bytes, and an independent reading agrees.
func FuzzDecode(f *testing.F) {
	f.Add(testWire().bytes())
	f.Add(transferWire(testWireTransfer()).bytes())
	for _, test := range transferDamage {
		inner := testWireTransfer()
		test.damage(&inner)
		f.Add(transferWire(inner).bytes())
	}
	f.Add(witnessWire(testWireWitness()).bytes())
	for _, test := range witnessDamage {
		inner := testWireWitness()
		test.damage(&inner)
		f.Add(witnessWire(inner).bytes())
	}
	for _, n := range []int{1, 9, 250, 251} {
		w := witnessWire(testWireWitness())
		w.setParents(ascendingIDs(n)...)
		f.Add(w.bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := message.Decode(b)
		if err != nil {
			if invalid := new(message.InvalidError); !errors.As(err, &invalid) || invalid.Reason == "" {
				t.Fatalf("error %v is no InvalidError", err)
			}
			return
		}
		sameAsWire(t, m, b)
		sealed, err := m.Seal(m.Issuer, m.Signature)
		if err != nil {
			t.Fatalf("seal what was decoded: %v", err)
		}
		sealed.SetNonce(m.Nonce)
		if !bytes.Equal(sealed.Bytes(), b) || sealed.ID() != m.ID() {
			t.Fatal("sealed again it is another message")
		}
		if !slices.Equal(sealed.Edges(), m.Edges()) {
			t.Fatal("sealed again it has other edges")
		}
		most := 8
		switch m.Kind {
		case message.KindData:
			_, err = m.Data()
		case message.KindWitness:
			most = 250
		}
		if err != nil {
			t.Fatalf("data of what was decoded: %v", err)
		}
		if n := len(m.Parents); n < 1 || n > most || len(b) > 32<<10 {
			t.Fatalf("decoded %d bytes with %d parents", len(b), n)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := sign(b, testDraft(), 1).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := message.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTimestampAfter2262: beyond 63 bits a timestamp would be a time before
// 1970 to whoever computes with it, and pull the ledger time out of reach.
func TestTimestampAfter2262(t *testing.T) {
	d := message.Draft{Timestamp: 1 << 63, Parents: []message.ID{{}}, Kind: message.KindData, Payload: (&message.Data{Topic: "t"}).Append(nil)}
	_, err := d.Seal(message.Issuer{}, [64]byte{})
	if invalid := new(message.InvalidError); !errors.As(err, &invalid) || invalid.Reason != message.ReasonTimestamp {
		t.Errorf("Seal: %v, want reason %q", err, message.ReasonTimestamp)
	}
}
