package message_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"math/bits"
	"testing"

	"golang.org/x/crypto/blake2b"

	"tangled/message"
)

// wire is a message as the layout in the package comment draws it, written and
// read here without the package's own codec, so that a mistake there cannot
// agree with itself. The lengths are fields of their own: a test may lie.
type wire struct {
	version       byte
	network       [8]byte
	issuer        [32]byte
	timestamp     uint64
	count         byte
	parents       [][40]byte
	kind          byte
	payloadLength uint32
	payload       []byte
	signature     [64]byte
	nonce         uint64
}

func (w wire) bytes() []byte {
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) }
	put(w.version)
	put(w.network)
	put(w.issuer)
	put(w.timestamp)
	put(w.count)
	put(w.parents)
	put(w.kind)
	put(w.payloadLength)
	put(w.payload)
	put(w.signature)
	put(w.nonce)
	return b.Bytes()
}

// readWire reads a message that is known to be whole by the offsets of the
// layout. It fails where the bytes do not fill it exactly.
func readWire(b []byte) (wire, error) {
	if len(b) < 50 {
		return wire{}, errors.New("no room for the parent count")
	}
	n := int(b[49])
	if len(b) < 55+40*n {
		return wire{}, errors.New("no room for the payload length")
	}
	p := int(binary.BigEndian.Uint32(b[51+40*n:]))
	if len(b) != 55+40*n+p+64+8 {
		return wire{}, errors.New("size differs from the fields'")
	}
	w := wire{
		version:       b[0],
		network:       [8]byte(b[1:]),
		issuer:        [32]byte(b[9:]),
		timestamp:     binary.BigEndian.Uint64(b[41:]),
		count:         b[49],
		kind:          b[50+40*n],
		payloadLength: uint32(p),
		payload:       b[55+40*n : 55+40*n+p],
		signature:     [64]byte(b[55+40*n+p:]),
		nonce:         binary.BigEndian.Uint64(b[55+40*n+p+64:]),
	}
	for i := range n {
		w.parents = append(w.parents, [40]byte(b[50+40*i:]))
	}
	return w, nil
}

// wireID is the ID of an encoded message.
func wireID(b []byte) [40]byte {
	hash := blake2b.Sum256(b[:len(b)-8])
	return [40]byte(append(bytes.Clone(b[41:49]), hash[:]...))
}

// wireWork is the work of an encoded message: its last 8 bytes are the nonce.
func wireWork(b []byte) int {
	id := wireID(b)
	sum := blake2b.Sum256(append(bytes.Clone(id[8:]), b[len(b)-8:]...))
	zeros := 0
	for i := 0; i < len(sum) && zeros == 8*i; i++ {
		zeros += bits.LeadingZeros8(sum[i])
	}
	return zeros
}

// wireSigned tells by the standard library whether an encoded message is
// signed, over the tag and all that stands before the signature, and so is what
// its payload carries: a transfer by its owner, a commitment by the issuer.
func wireSigned(b []byte) bool {
	signed := append([]byte("tangled/message"), b[:len(b)-64-8]...)
	w, err := readWire(b)
	if err != nil || !ed25519.Verify(b[9:41], signed, w.signature[:]) {
		return false
	}
	switch p := w.payload; w.kind {
	case 2:
		return ed25519.Verify(p[:32], wireTransferSigned(p, w.network), p[len(p)-64:])
	case 3:
		return ed25519.Verify(w.issuer[:], wireCommitSigned(p, w.network), p[93:157])
	}
	return true
}

// sameAsWire compares a message with an independent reading of its bytes.
func sameAsWire(t testing.TB, m *message.Message, b []byte) {
	t.Helper()
	w, err := readWire(b)
	if err != nil {
		t.Fatalf("reading by offsets: %v", err)
	}
	if w.version != 1 {
		t.Errorf("version %d", w.version)
	}
	if m.Network != w.network || m.Issuer != w.issuer || m.Timestamp != w.timestamp {
		t.Errorf("network, issuer, timestamp %v %v %d, by offsets %x %x %d",
			m.Network, m.Issuer, m.Timestamp, w.network, w.issuer, w.timestamp)
	}
	if len(m.Parents) != len(w.parents) {
		t.Fatalf("%d parents, by offsets %d", len(m.Parents), len(w.parents))
	}
	for i := range w.parents {
		if m.Parents[i] != w.parents[i] {
			t.Errorf("parent %d is %v, by offsets %x", i, m.Parents[i], w.parents[i])
		}
	}
	if byte(m.Kind) != w.kind || !bytes.Equal(m.Payload, w.payload) {
		t.Errorf("kind %d payload %x, by offsets %d %x", m.Kind, m.Payload, w.kind, w.payload)
	}
	if m.Signature != w.signature || m.Nonce != w.nonce {
		t.Errorf("signature %x nonce %d, by offsets %x %d", m.Signature, m.Nonce, w.signature, w.nonce)
	}
	if m.ID() != wireID(b) {
		t.Errorf("ID %v, by offsets %x", m.ID(), wireID(b))
	}
	if m.Work() != wireWork(b) {
		t.Errorf("work %d, by offsets %d", m.Work(), wireWork(b))
	}
	if !bytes.Equal(m.Bytes(), b) {
		t.Errorf("Bytes differ from what was read")
	}
	sameAsWireEdges(t, m, w)
	switch w.kind {
	case 2:
		transfer, err := m.Transfer()
		if err != nil {
			t.Fatal(err)
		}
		sameAsWireTransfer(t, transfer, w.payload, w.network)
	case 3:
		witness, err := m.Witness()
		if err != nil {
			t.Fatal(err)
		}
		sameAsWireWitness(t, witness, w.payload, w.network)
	}
}

// testKey is the key whose seed is 32 times n.
func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func testIssuer(n byte) message.Issuer {
	return message.Issuer(testKey(n).Public().(ed25519.PublicKey))
}

// testID is an ID with the given time and a hash of 32 times n.
func testID(timestamp uint64, n byte) message.ID {
	return message.NewID(timestamp, [32]byte(bytes.Repeat([]byte{n}, 32)))
}

var testNetwork = message.NetworkID{'t', 'e', 's', 't', 'n', 'e', 't', '1'}

// testDraft is a valid draft with two parents.
func testDraft() *message.Draft {
	data := message.Data{Topic: "city/device/north/7/air", ContentType: "text/plain", Content: []byte("pm10=17")}
	return &message.Draft{
		Network:   testNetwork,
		Timestamp: 1000,
		Parents:   []message.ID{testID(10, 1), testID(20, 2)},
		Kind:      message.KindData,
		Payload:   data.Append(nil),
	}
}

func sign(t testing.TB, d *message.Draft, key byte) *message.Message {
	t.Helper()
	m, err := d.Sign(testKey(key))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wantReason fails the test unless err is an InvalidError for that reason.
func wantReason(t testing.TB, err error, want message.Reason) {
	t.Helper()
	var invalid *message.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("error %v, want an InvalidError with reason %q", err, want)
	}
	if invalid.Reason != want {
		t.Fatalf("reason %q (%v), want %q", invalid.Reason, err, want)
	}
}
