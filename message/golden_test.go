package message_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
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
		if td.Cmd != "sign" {
			td.Fatalf(t, "unknown command %q", td.Cmd)
		}
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
// time and the byte that fills their hash, content as text or as a size.
func goldenDraft(t *testing.T, td *datadriven.TestData) (*message.Draft, byte) {
	var data message.Data
	var key, parents, size int
	var content, replaces string
	d := &message.Draft{Network: testNetwork, Kind: message.KindData}
	td.ScanArgs(t, "key", &key)
	td.ScanArgs(t, "time", &d.Timestamp)
	td.ScanArgs(t, "parents", &parents)
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
	for i := range parents {
		d.Parents = append(d.Parents, testID(uint64(i), byte(0xa0+i)))
	}
	d.Payload = data.Append(nil)
	return d, byte(key)
}

func describeGolden(m *message.Message, digest bool) string {
	var s strings.Builder
	fmt.Fprintf(&s, "id        %v\n", m.ID())
	fmt.Fprintf(&s, "issuer    %v\n", m.Issuer)
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
