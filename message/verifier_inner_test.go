package message_test

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"tangled/message"
)

// badTransfers are transfers whose owner did not sign them.
func badTransfers() map[string]wireTransfer {
	bad := func(spoil func(w *wireTransfer)) wireTransfer {
		w := testWireTransfer()
		spoil(&w)
		return w
	}
	signedOver := func(change func(signed []byte) []byte) wireTransfer {
		w := testWireTransfer()
		w.signature = [64]byte(ed25519.Sign(testKey(9), change(wireTransferSigned(w.bytes(), testNetwork))))
		return w
	}
	return map[string]wireTransfer{
		"no signature":              bad(func(w *wireTransfer) { w.signature = [64]byte{} }),
		"signed by another":         bad(func(w *wireTransfer) { w.sign(1, testNetwork) }),
		"from another":              bad(func(w *wireTransfer) { w.from = testIssuer(1) }),
		"from off the curve":        bad(func(w *wireTransfer) { w.from = [32]byte{2} }),
		"of another network":        bad(func(w *wireTransfer) { w.sign(9, [8]byte{1}) }),
		"nonce changed":             bad(func(w *wireTransfer) { w.nonce++ }),
		"valid until changed":       bad(func(w *wireTransfer) { w.validUntil++ }),
		"address changed":           bad(func(w *wireTransfer) { w.outputs[1].Address[0] ^= 1 }),
		"last amount changed":       bad(func(w *wireTransfer) { w.outputs[1].Amount++ }),
		"first bit of R changed":    bad(func(w *wireTransfer) { w.signature[0] ^= 1 }),
		"s with the order added":    bad(func(w *wireTransfer) { setS(&w.signature, addOrder([32]byte(w.signature[32:]))) }),
		"signed without the tag":    signedOver(func(b []byte) []byte { return b[len("tangled/transfer"):] }),
		"signed as a message":       signedOver(func(b []byte) []byte { return append([]byte("tangled/message"), b[len("tangled/transfer"):]...) }),
		"signed with its signature": signedOver(func(b []byte) []byte { return append(b, make([]byte, 64)...) }),
	}
}

// badWitnesses are witnesses whose seat, 2, did not sign the commitment.
func badWitnesses() map[string]wireWitness {
	bad := func(spoil func(w *wireWitness)) wireWitness {
		w := testWireWitness()
		spoil(&w)
		return w
	}
	signedOver := func(change func(signed []byte) []byte) wireWitness {
		w := testWireWitness()
		w.signature = [64]byte(ed25519.Sign(testKey(seatKey(2)), change(wireCommitSigned(w.bytes(), testNetwork))))
		return w
	}
	return map[string]wireWitness{
		"no signature":               bad(func(w *wireWitness) { w.signature = [64]byte{} }),
		"signed by another seat":     bad(func(w *wireWitness) { w.sign(seatKey(1), testNetwork) }),
		"of another network":         bad(func(w *wireWitness) { w.sign(seatKey(2), [8]byte{1}) }),
		"of another epoch":           bad(func(w *wireWitness) { w.epoch++ }),
		"of another index":           bad(func(w *wireWitness) { w.index++ }),
		"of the index at the top":    bad(func(w *wireWitness) { w.index ^= 1 << 63 }),
		"of another hash":            bad(func(w *wireWitness) { w.hash[0] ^= 1 }),
		"of a hash with another end": bad(func(w *wireWitness) { w.hash[31] ^= 1 }),
		"first bit of R changed":     bad(func(w *wireWitness) { w.signature[0] ^= 1 }),
		"s with the order added":     bad(func(w *wireWitness) { setS(&w.signature, addOrder([32]byte(w.signature[32:]))) }),
		"signed without the tag":     signedOver(func(b []byte) []byte { return b[len("tangled/commit"):] }),
		"signed as a message":        signedOver(func(b []byte) []byte { return append([]byte("tangled/message"), b[len("tangled/commit"):]...) }),
		"signed as a transfer":       signedOver(func(b []byte) []byte { return append([]byte("tangled/transfer"), b[len("tangled/commit"):]...) }),
	}
}

func setS(signature *[64]byte, s [32]byte) { copy(signature[32:], s[:]) }

// badInside are messages that their issuer signed and whose payload carries a
// bad signature.
func badInside(t testing.TB) map[string]*message.Message {
	t.Helper()
	messages := make(map[string]*message.Message)
	for name, w := range badTransfers() {
		messages["transfer "+name] = sign(t, transferDraft(w), 1)
	}
	for name, w := range badWitnesses() {
		messages["witness "+name] = sign(t, witnessDraft(w), seatKey(2))
	}
	// The commitment is signed well, by the seat that the payload names, and
	// the message by another.
	messages["witness of another issuer"] = sign(t, witnessDraft(testWireWitness()), seatKey(3))
	return messages
}

// badOutside are messages whose payload is signed well, and they are not: by the
// equation, by s and by R.
func badOutside(t testing.TB) map[string]*message.Message {
	t.Helper()
	messages := make(map[string]*message.Message)
	for _, good := range []*message.Message{
		sign(t, transferDraft(testWireTransfer()), 1),
		sign(t, witnessDraft(testWireWitness()), seatKey(2)),
	} {
		plusOrder, offCurve := good.Signature, good.Signature
		setS(&plusOrder, addOrder([32]byte(good.Signature[32:])))
		copy(offCurve[:], append([]byte{2}, make([]byte, 31)...))
		messages[good.Kind.String()+" with another s"] = shifted(t, good, 1)
		for name, signature := range map[string][64]byte{"s plus the order": plusOrder, "R off the curve": offCurve} {
			m, err := good.Seal(good.Issuer, signature)
			if err != nil {
				t.Fatal(err)
			}
			messages[good.Kind.String()+" with "+name] = m
		}
	}
	return messages
}

// mixedMessages are n good messages: data, transfers and witnesses in turn, of
// several issuers, owners and seats.
func mixedMessages(t testing.TB, n int) []*message.Message {
	t.Helper()
	var messages []*message.Message
	for i := range n {
		d, key := testDraft(), byte(i%7)
		switch i % 3 {
		case 1:
			w := testWireTransfer()
			owner := byte(i % 5)
			w.from, w.nonce = testIssuer(owner), uint64(i)
			w.sign(owner, testNetwork)
			d = transferDraft(w)
		case 2:
			w := testWireWitness()
			w.seat, w.index, key = byte(i%4), uint64(i), seatKey(i%4)
			w.sign(key, testNetwork)
			d = witnessDraft(w)
		}
		d.Timestamp += uint64(i)
		messages = append(messages, sign(t, d, key))
	}
	return messages
}

// TestVerifyInside: what a payload carries is verified with its message, alone
// and among others, wherever it stands; and nobody else is blamed for it.
func TestVerifyInside(t *testing.T) {
	v := message.NewVerifier()
	good := mixedMessages(t, 12)
	for _, m := range good {
		if err := v.Verify(m); err != nil {
			t.Fatalf("%v: %v", m.Kind, err)
		}
	}
	if errs := v.VerifyBatch(good); errs != nil {
		t.Fatalf("a good batch: %v", errs)
	}
	for name, bad := range badInside(t) {
		t.Run(name, func(t *testing.T) { requireRefused(t, v, good, bad) })
	}
	for name, bad := range badOutside(t) {
		t.Run(name, func(t *testing.T) { requireRefused(t, v, good, bad) })
	}
}

func requireRefused(t *testing.T, v *message.Verifier, good []*message.Message, bad *message.Message) {
	t.Helper()
	if wireSigned(bad.Bytes()) {
		t.Fatal("the standard library takes it")
	}
	wantReason(t, v.Verify(bad), message.ReasonSignature)
	for at := range good {
		batch := slices.Clone(good)
		batch[at] = bad
		errs := v.VerifyBatch(batch)
		if len(errs) != len(batch) {
			t.Fatalf("at %d: %d errors, want %d", at, len(errs), len(batch))
		}
		for i, err := range errs {
			if i == at {
				wantReason(t, err, message.ReasonSignature)
			} else if err != nil {
				t.Errorf("bad at %d: message %d is blamed: %v", at, i, err)
			}
		}
	}
}

// TestVerifyInsideMany mixes bad messages of every sort with good ones and
// compares the batch with each message alone.
func TestVerifyInsideMany(t *testing.T) {
	v := message.NewVerifier()
	messages := mixedMessages(t, 60)
	for _, some := range []map[string]*message.Message{badInside(t), badOutside(t), forged(t)} {
		for _, bad := range some {
			messages = slices.Insert(messages, (len(messages)*7)%50, bad)
		}
	}
	errs := v.VerifyBatch(messages)
	if len(errs) != len(messages) {
		t.Fatalf("%d errors for %d messages", len(errs), len(messages))
	}
	for i, m := range messages {
		if alone := v.Verify(m); (alone == nil) != (errs[i] == nil) || (alone == nil) != wireSigned(m.Bytes()) {
			t.Errorf("message %d, %v: alone %v, in the batch %v", i, m.Kind, alone, errs[i])
		}
	}
}

// TestVerifyInsideCancelling has an issuer's and an owner's signature whose
// errors add up to nothing, in one message.
func TestVerifyInsideCancelling(t *testing.T) {
	v := message.NewVerifier()
	w := testWireTransfer()
	setS(&w.signature, addScalar(t, [32]byte(w.signature[32:]), 1))
	m := shifted(t, sign(t, transferDraft(w), 9), -1)
	wantReason(t, v.Verify(m), message.ReasonSignature)
	if good, _ := v.AllGood([]*message.Message{m}); good {
		t.Error("the one equation holds")
	}
	errs := v.VerifyBatch([]*message.Message{m, sign(t, testDraft(), 1)})
	if len(errs) != 2 || errs[0] == nil || errs[1] != nil {
		t.Errorf("batch says %v", errs)
	}
}

// TestVerifyInsideZIP215: owners' signatures go by the same rules as issuers',
// alone and together. No seat has such a key: the genesis decides that.
func TestVerifyInsideZIP215(t *testing.T) {
	v := message.NewVerifier()
	var messages []*message.Message
	for i, key := range smallOrderPoints {
		w := testWireTransfer()
		w.from = point(t, key)
		r := point(t, smallOrderPoints[len(smallOrderPoints)-1-i])
		w.signature = [64]byte(append(r[:], make([]byte, 32)...))
		messages = append(messages, sign(t, transferDraft(w), 1))
	}
	for i, m := range messages {
		if err := v.Verify(m); err != nil {
			t.Errorf("owner %s: %v", smallOrderPoints[i], err)
		}
	}
	if good, _ := v.AllGood(messages); !good {
		t.Error("together they are refused")
	}
}

// TestVerifyTransfer: a transfer alone, as a wallet brings it.
func TestVerifyTransfer(t *testing.T) {
	v := message.NewVerifier()
	read := func(w wireTransfer) *message.Transfer {
		transfer, err := message.DecodeTransfer(w.bytes())
		if err != nil {
			t.Fatal(err)
		}
		return &transfer
	}
	most := testWireTransfer()
	most.setAmounts(ones(255)...)
	most.sign(9, testNetwork)
	for _, w := range []wireTransfer{testWireTransfer(), most} {
		if err := v.VerifyTransfer(read(w), testNetwork); err != nil {
			t.Errorf("%d outputs: %v", w.count, err)
		}
		wantReason(t, v.VerifyTransfer(read(w), message.NetworkID{1}), message.ReasonSignature)
	}
	for name, w := range badTransfers() {
		t.Run(name, func(t *testing.T) {
			wantReason(t, v.VerifyTransfer(read(w), testNetwork), message.ReasonSignature)
		})
	}
}

// TestVerifyBatchOfEach is a batch of one kind alone, of sizes around one.
func TestVerifyBatchOfEach(t *testing.T) {
	v := message.NewVerifier()
	all := mixedMessages(t, 30)
	for kind := message.KindData; kind <= message.KindWitness; kind++ {
		messages := slices.DeleteFunc(slices.Clone(all), func(m *message.Message) bool { return m.Kind != kind })
		for _, n := range []int{1, 2, 10} {
			t.Run(fmt.Sprintf("%d of %v", n, kind), func(t *testing.T) {
				if errs := v.VerifyBatch(messages[:n]); errs != nil {
					t.Error(errs)
				}
			})
		}
	}
	for name, bad := range badInside(t) {
		if errs := v.VerifyBatch([]*message.Message{bad}); len(errs) != 1 || errs[0] == nil {
			t.Errorf("%s in a batch of one: %v", name, errs)
		}
	}
}

// BenchmarkVerifyBatch64Transfers is 64 messages an operation, each with two
// signatures.
func BenchmarkVerifyBatch64Transfers(b *testing.B) {
	v := message.NewVerifier()
	var messages []*message.Message
	for i := range 64 {
		d := transferDraft(testWireTransfer())
		d.Timestamp += uint64(i)
		messages = append(messages, sign(b, d, byte(i%7)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if errs := v.VerifyBatch(messages); errs != nil {
			b.Fatal(errs)
		}
	}
}

// BenchmarkDecodeWitness decodes a witness of 250 parents and 31 refs.
func BenchmarkDecodeWitness(b *testing.B) {
	w := testWireWitness()
	w.setRefs(seats(31)...)
	d := witnessDraft(w)
	d.Parents = ascendingIDs(250)
	raw := sign(b, d, seatKey(2)).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := message.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
