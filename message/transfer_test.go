package message_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/message"
)

// wireTransfer is a transfer payload as the drawing of Transfer has it, written
// and read without the package's codec. The count may lie.
type wireTransfer struct {
	from       [32]byte
	nonce      uint64
	validUntil uint64
	count      byte
	outputs    []wireOutput
	signature  [64]byte
}

type wireOutput struct {
	Address [32]byte
	Amount  uint64
}

func (w wireTransfer) bytes() []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) }
	put(w.from)
	put(w.nonce)
	put(w.validUntil)
	put(w.count)
	put(w.outputs)
	put(w.signature)
	return b.Bytes()
}

// wireTransferSigned is what the owner signs: tag, network and all before the
// signature.
func wireTransferSigned(payload []byte, network [8]byte) []byte {
	return slices.Concat([]byte("tangled/transfer"), network[:], payload[:len(payload)-64])
}

// sameAsWireTransfer compares a transfer with an independent reading of its
// payload.
func sameAsWireTransfer(t testing.TB, got message.Transfer, payload []byte, network [8]byte) {
	t.Helper()
	n := int(payload[48])
	if len(payload) != 49+40*n+64 {
		t.Fatalf("%d bytes for %d outputs", len(payload), n)
	}
	if got.From != [32]byte(payload) || got.Signature != [64]byte(payload[49+40*n:]) {
		t.Errorf("from %x signature %x of payload %x", got.From, got.Signature, payload)
	}
	if got.Nonce != binary.BigEndian.Uint64(payload[32:]) || got.ValidUntil != binary.BigEndian.Uint64(payload[40:]) {
		t.Errorf("nonce %d valid until %d of payload %x", got.Nonce, got.ValidUntil, payload)
	}
	if len(got.Outputs) != n {
		t.Fatalf("%d outputs, want %d", len(got.Outputs), n)
	}
	var sum uint64
	for i, out := range got.Outputs {
		at := payload[49+40*i:]
		amount := binary.BigEndian.Uint64(at[32:])
		if out.Address != message.Address(at[:32]) || out.Amount != amount {
			t.Errorf("output %d is %v of payload %x", i, out, payload)
		}
		if amount == 0 || sum > math.MaxUint64-amount {
			t.Errorf("output %d of %d after %d", i, amount, sum)
		}
		sum += amount
	}
	if got.Sum() != sum {
		t.Errorf("sum %d, want %d", got.Sum(), sum)
	}
	signed := wireTransferSigned(payload, network)
	if !bytes.Equal(got.SigningBytes(network), signed) {
		t.Errorf("signed %x, want %x", got.SigningBytes(network), signed)
	}
	if got.ID(network) != blake2b.Sum256(signed) {
		t.Errorf("transfer ID %v, want the hash of %x", got.ID(network), signed)
	}
	if again := got.Append(nil); !bytes.Equal(again, payload) {
		t.Errorf("encoded again %x, want %x", again, payload)
	}
}

// testAddress is the address of a key; the hash is not this package's.
func testAddress(n byte) [32]byte {
	issuer := testIssuer(n)
	return blake2b.Sum256(issuer[:])
}

// testWireTransfer pays 5 and 7 from the account of key 9.
func testWireTransfer() wireTransfer {
	w := wireTransfer{
		from:       testIssuer(9),
		nonce:      0x0102030405060708,
		validUntil: 2000,
		count:      2,
		outputs:    []wireOutput{{testAddress(3), 5}, {testAddress(4), 7}},
	}
	w.sign(9, testNetwork)
	return w
}

func (w *wireTransfer) sign(key byte, network [8]byte) {
	w.signature = [64]byte(ed25519.Sign(testKey(key), wireTransferSigned(w.bytes(), network)))
}

// setAmounts gives w that many outputs.
func (w *wireTransfer) setAmounts(amounts ...uint64) {
	w.outputs, w.count = nil, byte(len(amounts))
	for i, amount := range amounts {
		w.outputs = append(w.outputs, wireOutput{testAddress(byte(i)), amount})
	}
}

// ones are n amounts of 1.
func ones(n int) []uint64 { return slices.Repeat([]uint64{1}, n) }

// transferDraft carries a transfer.
func transferDraft(w wireTransfer) *message.Draft {
	d := testDraft()
	d.Kind, d.Payload = message.KindTransfer, w.bytes()
	return d
}

// transferWire is a transfer on the wire, in a message that nobody signed.
func transferWire(transfer wireTransfer) wire {
	w := testWire()
	w.kind = 2
	w.setPayload(transfer.bytes())
	return w
}

// transferDamage has each way in which a transfer's payload can be wrong.
var transferDamage = []struct {
	name   string
	damage func(w *wireTransfer)
	want   message.Reason
}{
	{"no outputs", func(w *wireTransfer) { w.setAmounts() }, message.ReasonTransfer},
	{"first output zero", func(w *wireTransfer) { w.outputs[0].Amount = 0 }, message.ReasonTransfer},
	{"last output zero", func(w *wireTransfer) { w.outputs[1].Amount = 0 }, message.ReasonTransfer},
	{"sum 2^64", func(w *wireTransfer) { w.setAmounts(math.MaxUint64, 1) }, message.ReasonTransfer},
	{"sum wraps to more than the last", func(w *wireTransfer) { w.setAmounts(1<<63+5, 1<<63+6) }, message.ReasonTransfer},
	{"sum wraps in the middle", func(w *wireTransfer) { w.setAmounts(math.MaxUint64, math.MaxUint64, 1) }, message.ReasonTransfer},
	{"sum wraps at the last", func(w *wireTransfer) { w.setAmounts(1, math.MaxUint64-1, 1) }, message.ReasonTransfer},
	{"sum wraps twice", func(w *wireTransfer) { w.setAmounts(1<<63, 1<<63, 1<<63, 1<<63, 1) }, message.ReasonTransfer},
	{"valid until 2^63", func(w *wireTransfer) { w.validUntil = 1 << 63 }, message.ReasonTransfer},
	{"valid for ever", func(w *wireTransfer) { w.validUntil = math.MaxUint64 }, message.ReasonTransfer},
	{"count above the outputs", func(w *wireTransfer) { w.count = 3 }, message.ReasonTruncated},
	{"count 255", func(w *wireTransfer) { w.count = 255 }, message.ReasonTruncated},
	{"count below the outputs", func(w *wireTransfer) { w.count = 1 }, message.ReasonTrailing},
	{"count zero before outputs", func(w *wireTransfer) { w.count = 0 }, message.ReasonTrailing},
}

// TestDecodeTransferDamage refuses each damage in the payload alone, in a
// message on the wire, and in a draft.
func TestDecodeTransferDamage(t *testing.T) {
	for _, test := range transferDamage {
		t.Run(test.name, func(t *testing.T) {
			w := testWireTransfer()
			test.damage(&w)
			_, err := message.DecodeTransfer(w.bytes())
			wantReason(t, err, test.want)
			_, err = message.Decode(transferWire(w).bytes())
			wantReason(t, err, test.want)
			_, err = transferDraft(w).Sign(testKey(1))
			wantReason(t, err, test.want)
			_, err = transferDraft(w).Seal(testIssuer(1), [64]byte{})
			wantReason(t, err, test.want)
		})
	}
}

func TestDecodeTransferTruncated(t *testing.T) {
	b := testWireTransfer().bytes()
	for n := range b {
		_, err := message.DecodeTransfer(b[:n])
		wantReason(t, err, message.ReasonTruncated)
	}
	for _, n := range []int{1, 40, 64} {
		_, err := message.DecodeTransfer(append(slices.Clone(b), make([]byte, n)...))
		wantReason(t, err, message.ReasonTrailing)
	}
}

// TestTransferValidate: what DecodeTransfer refuses can not be made either.
func TestTransferValidate(t *testing.T) {
	outputs := func(amounts ...uint64) (outs []message.Output) {
		for _, amount := range amounts {
			outs = append(outs, message.Output{Amount: amount})
		}
		return outs
	}
	tests := []struct {
		name     string
		transfer message.Transfer
		good     bool
	}{
		{"one output", message.Transfer{Outputs: outputs(1)}, true},
		{"255 outputs", message.Transfer{Outputs: outputs(ones(255)...)}, true},
		{"sum 2^64-1", message.Transfer{Outputs: outputs(math.MaxUint64-1, 1)}, true},
		{"one output of 2^64-1", message.Transfer{Outputs: outputs(math.MaxUint64)}, true},
		{"valid until 2262", message.Transfer{Outputs: outputs(1), ValidUntil: math.MaxInt64}, true},
		{"no outputs", message.Transfer{}, false},
		// A count of 256 would be written as zero.
		{"256 outputs", message.Transfer{Outputs: outputs(ones(256)...)}, false},
		{"zero", message.Transfer{Outputs: outputs(1, 0)}, false},
		{"sum 2^64", message.Transfer{Outputs: outputs(math.MaxUint64, 1)}, false},
		{"after 2262", message.Transfer{Outputs: outputs(1), ValidUntil: math.MaxInt64 + 1}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.transfer.Validate()
			if !test.good {
				wantReason(t, err, message.ReasonTransfer)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTransferLimits has what is just allowed, through the whole of a message.
func TestTransferLimits(t *testing.T) {
	tests := []struct {
		name  string
		shape func(w *wireTransfer)
	}{
		{"two outputs", func(*wireTransfer) {}},
		{"one output", func(w *wireTransfer) { w.setAmounts(1) }},
		{"255 outputs", func(w *wireTransfer) { w.setAmounts(ones(255)...) }},
		{"sum 2^64-1", func(w *wireTransfer) { w.setAmounts(append(ones(254), math.MaxUint64-254)...) }},
		{"to oneself", func(w *wireTransfer) { w.outputs[0].Address = testAddress(9) }},
		{"one address twice", func(w *wireTransfer) { w.outputs[1].Address = w.outputs[0].Address }},
		{"highest nonce", func(w *wireTransfer) { w.nonce = math.MaxUint64 }},
		{"over before it begins", func(w *wireTransfer) { w.validUntil = 0 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWireTransfer()
			test.shape(&w)
			w.sign(9, testNetwork)
			m := sign(t, transferDraft(w), 1)
			sameAsWire(t, m, m.Bytes())
			decoded, err := message.Decode(m.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			sameAsWire(t, decoded, m.Bytes())
			if err := message.NewVerifier().Verify(decoded); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTransferValidity: a transfer is valid for a day after its carrier at most,
// to the nanosecond, and in the last day before 2262 too.
func TestTransferValidity(t *testing.T) {
	const day = uint64(24 * time.Hour)
	tests := []struct {
		name                  string
		timestamp, validUntil uint64
		want                  message.Reason
	}{
		{"a day", 1000, 1000 + day, ""},
		{"a day and a nanosecond", 1000, 1000 + day + 1, message.ReasonTransfer},
		{"at the message's time", 1000, 1000, ""},
		{"before the message", 1000, 999, ""},
		{"a day before 2262", math.MaxInt64 - day, math.MaxInt64, ""},
		{"more than a day before 2262", math.MaxInt64 - day - 1, math.MaxInt64, message.ReasonTransfer},
		{"in 2262", math.MaxInt64, math.MaxInt64, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := testWireTransfer()
			w.validUntil = test.validUntil
			on := transferWire(w)
			on.timestamp = test.timestamp
			d := transferDraft(w)
			d.Timestamp = test.timestamp
			_, decoded := message.Decode(on.bytes())
			_, signed := d.Sign(testKey(1))
			for _, err := range []error{decoded, signed} {
				if test.want != "" {
					wantReason(t, err, test.want)
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	if message.MaxValidity != 24*time.Hour {
		t.Errorf("MaxValidity is %v", message.MaxValidity)
	}
}

// TestTransferSign compares with what the standard library signs.
func TestTransferSign(t *testing.T) {
	w := testWireTransfer()
	got := message.Transfer{Nonce: w.nonce, ValidUntil: w.validUntil}
	for _, out := range w.outputs {
		got.Outputs = append(got.Outputs, message.Output{Address: out.Address, Amount: out.Amount})
	}
	got.Sign(testNetwork, testKey(9))
	if !bytes.Equal(got.Append(nil), w.bytes()) {
		t.Errorf("signed %x\n want %x", got.Append(nil), w.bytes())
	}
}

// TestTransferID: the ID covers all that the owner signed, the network with it,
// and not the signature.
func TestTransferID(t *testing.T) {
	good := testWireTransfer()
	read := func(w wireTransfer) message.Transfer {
		transfer, err := message.DecodeTransfer(w.bytes())
		if err != nil {
			t.Fatal(err)
		}
		return transfer
	}
	want := read(good)
	id := want.ID(testNetwork)
	changes := map[string]func(w *wireTransfer){
		"from":        func(w *wireTransfer) { w.from[31] ^= 1 },
		"nonce":       func(w *wireTransfer) { w.nonce++ },
		"valid until": func(w *wireTransfer) { w.validUntil++ },
		"address":     func(w *wireTransfer) { w.outputs[1].Address[31] ^= 1 },
		"amount":      func(w *wireTransfer) { w.outputs[1].Amount++ },
		"order":       func(w *wireTransfer) { slices.Reverse(w.outputs) },
		"outputs":     func(w *wireTransfer) { w.setAmounts(5) },
	}
	for name, change := range changes {
		w := testWireTransfer()
		change(&w)
		if other := read(w); other.ID(testNetwork) == id {
			t.Errorf("%s is not part of the ID", name)
		}
	}
	if want.ID(message.NetworkID{1}) == id {
		t.Error("the network is not part of the ID")
	}
	good.signature[0] ^= 1
	if other := read(good); other.ID(testNetwork) != id {
		t.Error("the signature is part of the ID")
	}
	if id.String() != hex.EncodeToString(id[:]) {
		t.Errorf("String is %q", id)
	}
}

func TestAddress(t *testing.T) {
	address := message.AddressOf(testIssuer(3))
	if address != testAddress(3) {
		t.Errorf("address %v, want %x", address, testAddress(3))
	}
	parsed, err := message.ParseAddress(address.String())
	if err != nil || parsed != address || len(address.String()) != 64 {
		t.Errorf("parsed %v, %v, want %v", parsed, err, address)
	}
	good := address.String()
	for _, s := range []string{"", good[1:], good[2:], good + "0", good + "00", "g" + good[1:], " " + good[1:]} {
		if parsed, err := message.ParseAddress(s); err == nil || parsed != (message.Address{}) {
			t.Errorf("ParseAddress(%q) = %v, %v", s, parsed, err)
		}
	}
}

// TestPayloadOfOtherKind: a payload is not read as what it is not.
func TestPayloadOfOtherKind(t *testing.T) {
	messages := map[message.Kind]*message.Message{
		message.KindData:     sign(t, testDraft(), 1),
		message.KindTransfer: sign(t, transferDraft(testWireTransfer()), 1),
		message.KindWitness:  sign(t, witnessDraft(testWireWitness()), 1),
	}
	for kind, m := range messages {
		_, data := m.Data()
		_, transfer := m.Transfer()
		_, witness := m.Witness()
		for asked, err := range map[message.Kind]error{
			message.KindData: data, message.KindTransfer: transfer, message.KindWitness: witness,
		} {
			if asked != kind {
				wantReason(t, err, message.ReasonKind)
			} else if err != nil {
				t.Errorf("%v: %v", kind, err)
			}
		}
	}
}

// FuzzDecodeTransfer holds the payload canonical, and within its limits.
func FuzzDecodeTransfer(f *testing.F) {
	f.Add(testWireTransfer().bytes())
	for _, test := range transferDamage {
		w := testWireTransfer()
		test.damage(&w)
		f.Add(w.bytes())
	}
	most := testWireTransfer()
	most.setAmounts(ones(255)...)
	f.Add(most.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		transfer, err := message.DecodeTransfer(b)
		if err != nil {
			if invalid := new(message.InvalidError); !errors.As(err, &invalid) || invalid.Reason == "" {
				t.Fatalf("error %v is no InvalidError", err)
			}
			return
		}
		sameAsWireTransfer(t, transfer, b, testNetwork)
		if err := transfer.Validate(); err != nil {
			t.Fatalf("decoded, but %v", err)
		}
		if n := len(transfer.Outputs); n < 1 || n > 255 || transfer.ValidUntil >= 1<<63 {
			t.Fatalf("decoded %d outputs, valid until %d", n, transfer.ValidUntil)
		}
	})
}
