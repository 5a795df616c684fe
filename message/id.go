package message

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
)

// IDSize is the length of an ID in bytes.
const IDSize = 40

// ID names a message: its timestamp (8 bytes, big-endian nanoseconds since the
// Unix epoch) followed by the BLAKE2b-256 of its encoding without the nonce.
//
// IDs therefore sort by time, an ID is the message's storage key, and the age
// of a parent is known before the parent itself arrives. The zero ID names
// nothing.
type ID [IDSize]byte

// NewID joins a timestamp in nanoseconds and a hash.
func NewID(timestamp uint64, hash [32]byte) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], timestamp)
	copy(id[8:], hash[:])
	return id
}

// ParseID reads the 80 hexadecimal digits that String writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(IDSize) {
		return ID{}, fmt.Errorf("message ID has %d characters, want %d", len(s), hex.EncodedLen(IDSize))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("message ID: %w", err)
	}
	return id, nil
}

// Timestamp is the issuer's clock when the message was made, in nanoseconds
// since the Unix epoch.
func (id ID) Timestamp() uint64 { return binary.BigEndian.Uint64(id[:8]) }

// Time is Timestamp as a time in UTC.
func (id ID) Time() time.Time { return time.Unix(0, int64(id.Timestamp())).UTC() }

// Hash is the BLAKE2b-256 part: what proof of work is done over.
func (id ID) Hash() [32]byte { return [32]byte(id[8:]) }

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Compare orders IDs by time, then by hash.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// String is the ID in hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the form of String, so that an ID is a string in JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the form of String.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}
