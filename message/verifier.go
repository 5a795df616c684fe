package message

import (
	"crypto/rand"
	"errors"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/cache"
)

// expandedKeys is how many issuers' keys a Verifier keeps in expanded form, at
// about 1.5 KiB each. Expansion is a third of the cost of a verification, and
// a city's nodes see the same few thousand keys all day.
const expandedKeys = 4096

// Verifier checks signatures by the rules of ZIP-215
// (https://zips.z.cash/zip-0215), which, unlike RFC 8032, leave no room for a
// signature that one implementation takes alone and another refuses in a
// batch. Use NewVerifier; a Verifier may be used from many goroutines.
type Verifier struct {
	keys *cache.Verifier
}

// NewVerifier returns a Verifier with an empty cache of keys.
func NewVerifier() *Verifier {
	return &Verifier{keys: cache.NewVerifier(cache.NewLRUCache(expandedKeys))}
}

var errSignature = errors.New("signature does not match issuer and content")

// options are fresh for every call: the library takes a pointer and makes no
// promise about it.
func options() *ed25519.Options {
	return &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}
}

// Verify checks one signature. The error is an *InvalidError.
func (v *Verifier) Verify(m *Message) error {
	if !v.keys.VerifyWithOptions(m.Issuer[:], m.SigningBytes(m.Issuer), m.Signature[:], options()) {
		return &InvalidError{ReasonSignature, errSignature}
	}
	return nil
}

// VerifyBatch checks many signatures at once, several times faster than one by
// one from 16 messages on. It returns nil when all are good; otherwise a slice
// with an *InvalidError at the index of every bad one and nil at the others.
func (v *Verifier) VerifyBatch(messages []*Message) []error {
	if len(messages) == 1 {
		if err := v.Verify(messages[0]); err != nil {
			return []error{err}
		}
		return nil
	}
	batch := ed25519.NewBatchVerifierWithCapacity(len(messages))
	for _, m := range messages {
		v.keys.AddWithOptions(batch, m.Issuer[:], m.SigningBytes(m.Issuer), m.Signature[:], options())
	}
	all, each := batch.Verify(rand.Reader)
	if all || len(messages) == 0 {
		return nil
	}
	errs := make([]error, len(messages))
	for i, ok := range each {
		if !ok {
			errs[i] = &InvalidError{ReasonSignature, errSignature}
		}
	}
	return errs
}
