package message

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"golang.org/x/crypto/blake2b"
)

const (
	// MaxOutputs is the most outputs of one transfer.
	MaxOutputs = 255
	// MaxValidity is how far after its carrier's timestamp a transfer may stay
	// valid.
	MaxValidity = 24 * time.Hour

	outputSize  = AddressSize + 8
	transferTag = "tangled/transfer"
)

// AddressSize is the length of an Address in bytes.
const AddressSize = 32

// Address names an account: BLAKE2b-256 of its owner's Ed25519 public key.
type Address [AddressSize]byte

// AddressOf is the address of the account that key owns.
func AddressOf(key [ed25519.PublicKeySize]byte) Address { return blake2b.Sum256(key[:]) }

// String is the address in hexadecimal.
func (a Address) String() string { return hex.EncodeToString(a[:]) }

// ParseAddress reads the 64 hexadecimal digits that String writes.
func ParseAddress(s string) (Address, error) {
	b, err := hex.DecodeString(s)
	if err != nil {
		return Address{}, fmt.Errorf("address: %w", err)
	}
	if len(b) != AddressSize {
		return Address{}, fmt.Errorf("address has %d bytes, want %d", len(b), AddressSize)
	}
	return Address(b), nil
}

// TransferID names a transfer: BLAKE2b-256 of what its owner signed. It is the
// same whichever message carries the transfer.
type TransferID [32]byte

// String is the ID in hexadecimal.
func (id TransferID) String() string { return hex.EncodeToString(id[:]) }

// Output is an amount that goes to an address.
type Output struct {
	Address Address
	Amount  uint64 // above zero
}

// Transfer is the payload that moves value from one account to others. Any node
// may carry it; only the owner's key can make it.
//
// Its encoding, big-endian and canonical:
//
//	from 32              the owner's Ed25519 key
//	nonce u64
//	valid until u64      ns since the Unix epoch, at most 24 h after the message
//	output count u8      1..255
//	outputs              each address 32, amount u64 above zero; the sum fits u64
//	signature 64         over "tangled/transfer", network 8 and all before
type Transfer struct {
	From       [ed25519.PublicKeySize]byte
	Nonce      uint64
	ValidUntil uint64
	Outputs    []Output
	Signature  [signatureSize]byte
}

// Validate tells whether t can be encoded; it does not look at the signature.
// The error is an *InvalidError.
func (t *Transfer) Validate() error {
	if n := len(t.Outputs); n < 1 || n > MaxOutputs {
		return invalidf(ReasonTransfer, "transfer with %d outputs, want 1..%d", n, MaxOutputs)
	}
	if t.ValidUntil > math.MaxInt64 {
		return invalidf(ReasonTransfer, "valid until %d, which is after the year 2262", t.ValidUntil)
	}
	var sum uint64
	for i, out := range t.Outputs {
		if out.Amount == 0 {
			return invalidf(ReasonTransfer, "output %d is zero", i)
		}
		if sum += out.Amount; sum < out.Amount {
			return &InvalidError{ReasonTransfer, errors.New("the outputs add up to more than 2^64-1")}
		}
	}
	return nil
}

// Sum is what a valid transfer takes from its account.
func (t *Transfer) Sum() uint64 {
	var sum uint64
	for _, out := range t.Outputs {
		sum += out.Amount
	}
	return sum
}

// SigningBytes is what the owner signs.
func (t *Transfer) SigningBytes(network NetworkID) []byte {
	b := make([]byte, 0, len(transferTag)+len(network)+ed25519.PublicKeySize+17+len(t.Outputs)*outputSize)
	b = append(b, transferTag...)
	b = append(b, network[:]...)
	return t.appendUnsigned(b)
}

// ID names t in a network.
func (t *Transfer) ID(network NetworkID) TransferID {
	return blake2b.Sum256(t.SigningBytes(network))
}

// Sign sets From and Signature with the owner's key.
func (t *Transfer) Sign(network NetworkID, key ed25519.PrivateKey) {
	t.From = [ed25519.PublicKeySize]byte(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
	t.Signature = [signatureSize]byte(voi.Sign(voi.PrivateKey(key), t.SigningBytes(network)))
}

func (t *Transfer) appendUnsigned(b []byte) []byte {
	b = append(b, t.From[:]...)
	b = binary.BigEndian.AppendUint64(b, t.Nonce)
	b = binary.BigEndian.AppendUint64(b, t.ValidUntil)
	b = append(b, byte(len(t.Outputs)))
	for i := range t.Outputs {
		b = append(b, t.Outputs[i].Address[:]...)
		b = binary.BigEndian.AppendUint64(b, t.Outputs[i].Amount)
	}
	return b
}

// Append appends the encoding of t to b. It does not validate.
func (t *Transfer) Append(b []byte) []byte {
	return append(t.appendUnsigned(b), t.Signature[:]...)
}

// DecodeTransfer reads a transfer payload and validates it, but for the
// owner's signature: see Verifier. The error is an *InvalidError.
func DecodeTransfer(b []byte) (Transfer, error) {
	var t Transfer
	r := reader{b: b}
	r.fill(t.From[:])
	t.Nonce = r.uint64()
	t.ValidUntil = r.uint64()
	n := int(r.uint8())
	if r.short || len(r.b) < n*outputSize+signatureSize {
		return Transfer{}, invalidf(ReasonTruncated, "transfer ends within a field")
	}
	t.Outputs = make([]Output, n)
	for i := range t.Outputs {
		r.fill(t.Outputs[i].Address[:])
		t.Outputs[i].Amount = r.uint64()
	}
	r.fill(t.Signature[:])
	if len(r.b) > 0 {
		return Transfer{}, invalidf(ReasonTrailing, "%d bytes after the transfer", len(r.b))
	}
	return t, t.Validate()
}
