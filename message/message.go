package message

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"golang.org/x/crypto/blake2b"
)

const (
	// Version is the encoding this package reads and writes.
	Version = 1
	// MaxSize is the largest encoded message in bytes.
	MaxSize = 32 << 10
	// MinParents and MaxParents bound the parents of an ordinary message;
	// one parent is allowed where it is the genesis. A witness has 1 to
	// MaxWitnessParents.
	MinParents = 2
	MaxParents = 8
	// MaxPayloadSize is the room for a payload beside the most parents, so
	// that a payload which fits once fits whatever tips are selected.
	MaxPayloadSize = MaxSize - headerSize - MaxParents*IDSize - trailerSize

	headerSize    = 1 + 8 + 32 + 8 + 1 + 1 + 4
	signatureSize = ed25519.SignatureSize
	nonceSize     = 8
	trailerSize   = signatureSize + nonceSize

	// signatureTag separates message signatures from every other thing that
	// the same key signs.
	signatureTag = "tangled/message"
)

// NetworkID is the first 8 bytes of the genesis hash.
type NetworkID [8]byte

// String is the network id in hexadecimal.
func (n NetworkID) String() string { return hex.EncodeToString(n[:]) }

// Issuer is the Ed25519 public key that signed a message.
type Issuer [ed25519.PublicKeySize]byte

// String is the key in hexadecimal.
func (i Issuer) String() string { return hex.EncodeToString(i[:]) }

// Kind tells what a payload is.
type Kind uint8

// The kinds of payload.
const (
	KindData     Kind = 1 // a reading under a topic: see Data
	KindTransfer Kind = 2 // a payment: see Transfer
	KindWitness  Kind = 3 // a seat's message for a round: see Witness
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case KindData:
		return "data"
	case KindTransfer:
		return "transfer"
	case KindWitness:
		return "witness"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Draft is what an issuer decides about a message before it is signed.
type Draft struct {
	Network   NetworkID
	Timestamp uint64 // ns since the Unix epoch, below 2^63, after every parent's
	Parents   []ID   // ascending, unique
	Kind      Kind
	Payload   []byte
}

// Message is one signed vertex of the DAG. The values that Decode, Sign and
// Seal return are never changed afterwards, but for SetNonce before the
// message is shared; they may then be read from many goroutines.
type Message struct {
	Draft
	Issuer    Issuer
	Signature [signatureSize]byte
	Nonce     uint64

	id    ID
	raw   []byte
	edges []ID // of a witness; nil where they are the parents
}

// ID names the message.
func (m *Message) ID() ID { return m.id }

// Bytes is the encoding. The caller must not change it.
func (m *Message) Bytes() []byte { return m.raw }

// SetNonce stamps the work found on a message that is not shared yet.
func (m *Message) SetNonce(nonce uint64) {
	m.Nonce = nonce
	binary.BigEndian.PutUint64(m.raw[len(m.raw)-nonceSize:], nonce)
}

// Data decodes the payload of a data message. The error is an *InvalidError.
func (m *Message) Data() (Data, error) {
	if m.Kind != KindData {
		return Data{}, invalidf(ReasonKind, "a %v message carries no data", m.Kind)
	}
	return DecodeData(m.Payload)
}

// Transfer decodes the payload of a transfer. The error is an *InvalidError.
func (m *Message) Transfer() (Transfer, error) {
	if m.Kind != KindTransfer {
		return Transfer{}, invalidf(ReasonKind, "a %v message carries no transfer", m.Kind)
	}
	return DecodeTransfer(m.Payload)
}

// Witness decodes the payload of a witness. The error is an *InvalidError.
func (m *Message) Witness() (Witness, error) {
	if m.Kind != KindWitness {
		return Witness{}, invalidf(ReasonKind, "a %v message is no witness", m.Kind)
	}
	return DecodeWitness(m.Payload)
}

// newMessage returns a message and room for the usual two parents, in one
// allocation.
func newMessage() (m *Message, room []ID) {
	both := new(struct {
		Message
		parents [MinParents]ID
	})
	return &both.Message, both.parents[:0]
}

// SigningBytes is what the key of issuer signs for d. The caller owns it.
func (d *Draft) SigningBytes(issuer Issuer) []byte {
	// With room for what follows it in the encoding.
	b := make([]byte, 0, len(signatureTag)+headerSize+len(d.Parents)*IDSize+len(d.Payload)+trailerSize)
	return d.appendUnsigned(append(b, signatureTag...), issuer)
}

func (d *Draft) appendUnsigned(b []byte, issuer Issuer) []byte {
	b = append(b, Version)
	b = append(b, d.Network[:]...)
	b = append(b, issuer[:]...)
	b = binary.BigEndian.AppendUint64(b, d.Timestamp)
	b = append(b, byte(len(d.Parents)))
	for i := range d.Parents {
		b = append(b, d.Parents[i][:]...)
	}
	b = append(b, byte(d.Kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(d.Payload)))
	return append(b, d.Payload...)
}

// Sign makes the message of d with key, nonce zero. It refuses a draft that no
// node would take: the error is then an *InvalidError.
func (d *Draft) Sign(key ed25519.PrivateKey) (*Message, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("sign message: private key of %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	issuer := Issuer(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
	w, err := d.validate()
	if err != nil {
		return nil, err
	}
	signing := d.SigningBytes(issuer)
	// The same signature as the standard library's, in two thirds of the time.
	signature := voi.Sign(voi.PrivateKey(key), signing)
	return d.seal(signing, issuer, [signatureSize]byte(signature), w), nil
}

// Seal makes the message of d with a signature made elsewhere, over
// SigningBytes; the signature is not verified here. Nonce zero. The error is an
// *InvalidError.
func (d *Draft) Seal(issuer Issuer, signature [64]byte) (*Message, error) {
	w, err := d.validate()
	if err != nil {
		return nil, err
	}
	return d.seal(d.SigningBytes(issuer), issuer, signature, w), nil
}

// seal makes the message in the memory of its signing bytes. w is the payload
// where that is a witness.
func (d *Draft) seal(signing []byte, issuer Issuer, signature [signatureSize]byte, w *Witness) *Message {
	raw := append(signing[len(signatureTag):], signature[:]...)
	id := NewID(d.Timestamp, blake2b.Sum256(raw))
	raw = append(raw, make([]byte, nonceSize)...)
	m, room := newMessage()
	m.Draft, m.Issuer, m.Signature, m.id, m.raw = *d, issuer, signature, id, raw
	// The draft stays the caller's to change.
	m.Parents = slices.Clip(append(room, d.Parents...))
	end := len(raw) - trailerSize
	m.Payload = raw[end-len(d.Payload) : end : end]
	m.join(w)
	return m
}

// validate holds the rules that the fields alone decide. The number of parents
// is bounded here; that a single parent is the genesis is for Rules.Check.
// It returns the payload where that is a witness.
func (d *Draft) validate() (*Witness, error) {
	if n := len(d.Parents); n < 1 || n > maxParents(d.Kind) {
		return nil, invalidf(ReasonParents, "%d parents, want %d..%d", n, minParents(d.Kind), maxParents(d.Kind))
	}
	if d.Timestamp > math.MaxInt64 {
		return nil, invalidf(ReasonTimestamp, "timestamp %d is after the year 2262", d.Timestamp)
	}
	for i, parent := range d.Parents {
		if i > 0 && d.Parents[i-1].Compare(parent) >= 0 {
			return nil, &InvalidError{ReasonParentOrder, errors.New("parents are not ascending and unique")}
		}
		if parent.Timestamp() >= d.Timestamp {
			return nil, invalidf(ReasonTimestamp, "parent %d is not older than the message", i)
		}
	}
	if len(d.Payload) > MaxPayloadSize {
		return nil, invalidf(ReasonTooLarge, "payload of %d bytes, at most %d", len(d.Payload), MaxPayloadSize)
	}
	switch d.Kind {
	case KindData:
		_, err := splitData(d.Payload)
		return nil, err
	case KindTransfer:
		return nil, d.validateTransfer()
	case KindWitness:
		return d.validateWitness()
	}
	return nil, invalidf(ReasonKind, "unknown payload %v", d.Kind)
}

func minParents(k Kind) int {
	if k == KindWitness {
		return 1
	}
	return MinParents
}

func maxParents(k Kind) int {
	if k == KindWitness {
		return MaxWitnessParents
	}
	return MaxParents
}

func (d *Draft) validateTransfer() error {
	t, err := DecodeTransfer(d.Payload)
	if err != nil {
		return err
	}
	if t.ValidUntil > d.Timestamp && t.ValidUntil-d.Timestamp > uint64(MaxValidity) {
		return invalidf(ReasonTransfer, "valid for more than %v after the message", MaxValidity)
	}
	return nil
}

func (d *Draft) validateWitness() (*Witness, error) {
	w, err := DecodeWitness(d.Payload)
	if err != nil {
		return nil, err
	}
	if w.Previous.Timestamp() >= d.Timestamp {
		return nil, invalidf(ReasonTimestamp, "the witness before is not older than the message")
	}
	for i, ref := range w.Refs {
		if ref.ID.Timestamp() >= d.Timestamp {
			return nil, invalidf(ReasonTimestamp, "ref %d is not older than the message", i)
		}
	}
	return &w, nil
}

// Decode reads one whole message and checks what its bytes alone can tell:
// version, sizes, order and age of parents, payload. It checks neither
// network, work nor signature: see Rules and Verifier. The message keeps a
// copy of b. The error is an *InvalidError.
func Decode(b []byte) (*Message, error) {
	if len(b) > MaxSize {
		return nil, invalidf(ReasonTooLarge, "message of %d bytes, at most %d", len(b), MaxSize)
	}
	raw := slices.Clone(b)
	r := reader{b: raw}
	m, room := newMessage()
	m.raw = raw
	if v := r.uint8(); v != Version && !r.short {
		return nil, invalidf(ReasonVersion, "message version %d, want %d", v, Version)
	}
	r.fill(m.Network[:])
	r.fill(m.Issuer[:])
	m.Timestamp = r.uint64()
	n := int(r.uint8())
	if n > MaxWitnessParents {
		return nil, invalidf(ReasonParents, "%d parents, at most %d", n, MaxWitnessParents)
	}
	m.Parents = slices.Grow(room, n)[:n:n]
	for i := range m.Parents {
		m.Parents[i] = r.id()
	}
	m.Kind = Kind(r.uint8())
	m.Payload = r.take(int(r.uint32()))
	r.fill(m.Signature[:])
	m.Nonce = r.uint64()
	if r.short {
		return nil, invalidf(ReasonTruncated, "message ends within a field")
	}
	if len(r.b) > 0 {
		return nil, invalidf(ReasonTrailing, "%d bytes after the message", len(r.b))
	}
	w, err := m.validate()
	if err != nil {
		return nil, err
	}
	m.join(w)
	m.id = NewID(m.Timestamp, blake2b.Sum256(raw[:len(raw)-nonceSize]))
	return m, nil
}
