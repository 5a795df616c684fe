package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"golang.org/x/crypto/blake2b"

	"tangled/message"
)

const (
	pageTokenVersion = 1
	selectionSize    = 16
	pageTokenSize    = 1 + selectionSize + message.IDSize
)

// pageToken is where a page of a query ended. As a string it is the unpadded
// base64 (RFC 4648, section 5) of
//
//	version u8 (1) | selection [16] | last ID [40]
//
// The selection is a hash of what the query selects, so that a token is not
// taken for a place in another query. It keeps off mistakes, not forgery: who
// makes one up sees no more than a query shows.
type pageToken [pageTokenSize]byte

// newPageToken begins the tokens of q; only the ID differs between them.
func newPageToken(genesis message.ID, q selection) pageToken {
	hash := selectionHash(genesis, q)
	var t pageToken
	t[0] = pageTokenVersion
	copy(t[1:], hash[:selectionSize])
	return t
}

// selectionHash covers what q selects and in which order. Data alone, the default,
// is not said in it: tokens are older than the other kinds.
func selectionHash(genesis message.ID, q selection) [32]byte {
	b := append([]byte("tangled/page"), genesis[:]...)
	topic := q.Topics.String()
	b = binary.BigEndian.AppendUint16(b, uint16(len(topic)))
	b = append(b, topic...)
	if q.Issuer != nil {
		b = append(b, 1)
		b = append(b, q.Issuer[:]...)
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint64(b, q.From)
	b = binary.BigEndian.AppendUint64(b, q.To)
	if q.Descending {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	if q.kinds != dataOnly {
		b = append(b, byte(q.kinds))
	}
	return blake2b.Sum256(b)
}

// at is the token of the place behind id.
func (t pageToken) at(id message.ID) string {
	copy(t[1+selectionSize:], id[:])
	return base64.RawURLEncoding.EncodeToString(t[:])
}

// parsePageToken returns the ID that token names in q.
func parsePageToken(token string, genesis message.ID, q selection) (message.ID, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	want := newPageToken(genesis, q)
	switch {
	case err != nil:
		return message.ID{}, argumentf("PAGE_TOKEN", "page token: %w", err)
	case len(b) > 0 && b[0] != pageTokenVersion:
		return message.ID{}, argumentf("PAGE_TOKEN", "page token of version %d, want %d", b[0], pageTokenVersion)
	case len(b) != pageTokenSize:
		return message.ID{}, argumentf("PAGE_TOKEN", "page token of %d bytes, want %d", len(b), pageTokenSize)
	case !bytes.Equal(b[:1+selectionSize], want[:1+selectionSize]):
		return message.ID{}, argumentf("PAGE_TOKEN", "page token of another query")
	}
	id := message.ID(b[1+selectionSize:])
	if id.IsZero() || id.Timestamp() < q.From || q.To != 0 && id.Timestamp() >= q.To {
		return message.ID{}, argumentf("PAGE_TOKEN", "page token names a place outside the query")
	}
	return id, nil
}
