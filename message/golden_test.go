package message_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"golang.org/x/crypto/blake2b"

	"tangled/message"
)

// TestGolden makes the messages of testdata/golden.txt again and compares. A
// difference means that nodes of this version and of the one before would not
// understand each other: the encoding is for ever.
func TestGolden(t *testing.T) {
	v := message.NewVerifier()
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, td *datadriven.TestData) string {
		draft, key := goldenDraft(t, td)
		m := sign(t, draft, key)
		work := 0
		td.MaybeScanArgs(t, "work", &work)
		for m.Work() < work {
			m.SetNonce(m.Nonce + 1)
		}
		b := m.Bytes()
		sameAsWire(t, m, b)
		if !wireSigned(b) {
			t.Error("the standard library refuses the signature")
		}
		if err := v.Verify(m); err != nil {
			t.Error(err)
		}
		decoded, err := message.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		sameAsWire(t, decoded, b)
		return describeGolden(m, td.HasArg("digest"))
	})
}

// goldenDraft reads what an issuer decides: times in nanoseconds, parents as
// time and the byte that fills their hash.
func goldenDraft(t *testing.T, td *datadriven.TestData) (*message.Draft, byte) {
	var key, parents int
	d := &message.Draft{Network: testNetwork}
	td.ScanArgs(t, "key", &key)
	td.ScanArgs(t, "time", &d.Timestamp)
	td.ScanArgs(t, "parents", &parents)
	for i := range parents {
		d.Parents = append(d.Parents, testID(uint64(i), byte(0xa0+i)))
	}
	switch td.Cmd {
	case "sign":
		d.Kind, d.Payload = message.KindData, goldenData(t, td)
	case "transfer":
		d.Kind, d.Payload = message.KindTransfer, goldenTransfer(t, td)
	case "witness":
		d.Kind, d.Payload = message.KindWitness, goldenWitness(t, td, byte(key))
	default:
		td.Fatalf(t, "unknown command %q", td.Cmd)
	}
	return d, byte(key)
}

// goldenData reads a data payload: content as text or as a size.
func goldenData(t *testing.T, td *datadriven.TestData) []byte {
	var data message.Data
	var size int
	var content, replaces string
	td.ScanArgs(t, "topic", &data.Topic)
	td.MaybeScanArgs(t, "content-type", &data.ContentType)
	td.MaybeScanArgs(t, "event-time", &data.EventTime)
	if td.MaybeScanArgs(t, "replaces", &replaces) {
		id, err := message.ParseID(strings.Repeat(replaces, message.IDSize))
		if err != nil {
			t.Fatal(err)
		}
		data.Replaces = id
	}
	td.MaybeScanArgs(t, "content", &content)
	data.Content = []byte(content)
	if td.MaybeScanArgs(t, "zeros", &size) {
		data.Content = make([]byte, size)
	}
	return data.Append(nil)
}

// goldenTransfer reads a transfer: amounts, the i-th of them for the address of
// key i+1.
func goldenTransfer(t *testing.T, td *datadriven.TestData) []byte {
	var transfer message.Transfer
	var owner, count int
	td.ScanArgs(t, "owner", &owner)
	td.ScanArgs(t, "nonce", &transfer.Nonce)
	td.ScanArgs(t, "valid-until", &transfer.ValidUntil)
	var amounts []uint64
	if td.MaybeScanArgs(t, "ones", &count) {
		amounts = ones(count)
	} else {
		arg, _ := td.Arg("amounts")
		amounts = numbers(t, arg.Vals)
	}
	for i, amount := range amounts {
		address := message.AddressOf(testIssuer(byte(i + 1)))
		transfer.Outputs = append(transfer.Outputs, message.Output{Address: address, Amount: amount})
	}
	transfer.Sign(testNetwork, testKey(byte(owner)))
	return transfer.Append(nil)
}

// goldenWitness reads a witness, whose commitment key signs: refs as seats, each
// to the ID with the time and the hash 32 times the byte 32 + seat.
func goldenWitness(t *testing.T, td *datadriven.TestData, key byte) []byte {
	var w message.Witness
	var previous uint64
	var hash string
	td.MaybeScanArgs(t, "epoch", &w.Epoch)
	td.ScanArgs(t, "seat", &w.Seat)
	td.ScanArgs(t, "round", &w.Round)
	if td.MaybeScanArgs(t, "previous", &previous) {
		w.Previous = testID(previous, 0xee)
	}
	td.ScanArgs(t, "index", &w.Commit.Index)
	td.ScanArgs(t, "hash", &hash)
	fill, err := hex.DecodeString(hash)
	if err != nil || len(fill) != 1 {
		td.Fatalf(t, "hash is one byte, not %q", hash)
	}
	w.Commit.Hash = [32]byte(bytes.Repeat(fill, 32))
	arg, _ := td.Arg("refs")
	for _, seat := range numbers(t, arg.Vals) {
		w.Refs = append(w.Refs, message.Ref{Seat: uint8(seat), ID: testID(0x20+seat, byte(0x20+seat))})
	}
	signed := message.CommitSigningBytes(testNetwork, w.Epoch, w.Commit.Index, w.Commit.Hash)
	w.Commit.Signature = [64]byte(ed25519.Sign(testKey(key), signed))
	return w.Append(nil)
}

func numbers(t *testing.T, texts []string) (ns []uint64) {
	t.Helper()
	for _, text := range texts {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
	return ns
}

func describeGolden(m *message.Message, digest bool) string {
	var s strings.Builder
	fmt.Fprintf(&s, "id        %v\n", m.ID())
	fmt.Fprintf(&s, "issuer    %v\n", m.Issuer)
	if transfer, err := m.Transfer(); err == nil {
		fmt.Fprintf(&s, "transfer  %v\n", transfer.ID(m.Network))
		fmt.Fprintf(&s, "from      %v\n", message.AddressOf(transfer.From))
	}
	fmt.Fprintf(&s, "signature %x\n", m.Signature)
	fmt.Fprintf(&s, "nonce     %d\n", m.Nonce)
	fmt.Fprintf(&s, "work      %d\n", m.Work())
	fmt.Fprintf(&s, "size      %d\n", len(m.Bytes()))
	if digest {
		fmt.Fprintf(&s, "digest    %x\n", blake2b.Sum256(m.Bytes()))
		return s.String()
	}
	for line := range strings.SplitSeq(wrap(m.Bytes(), 40), "\n") {
		fmt.Fprintf(&s, "bytes     %s\n", line)
	}
	return s.String()
}

// wrap is b in hexadecimal with n bytes a line.
func wrap(b []byte, n int) string {
	var lines []string
	for len(b) > 0 {
		head := b[:min(n, len(b))]
		b = b[len(head):]
		lines = append(lines, hex.EncodeToString(head))
	}
	return strings.Join(lines, "\n")
}

// TestSignatureTag keeps a message signature apart from everything else that
// the key signs.
func TestSignatureTag(t *testing.T) {
	m := sign(t, testDraft(), 1)
	signed := m.SigningBytes(m.Issuer)
	want := append([]byte("tangled/message"), m.Bytes()[:len(m.Bytes())-64-8]...)
	if !bytes.Equal(signed, want) {
		t.Errorf("signed %x\n want %x", signed, want)
	}
}
