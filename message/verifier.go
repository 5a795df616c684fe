package message

import (
	"errors"
	"sync"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// Verifier checks signatures by the rules of ZIP-215
// (https://zips.z.cash/zip-0215), which, unlike RFC 8032, leave no room for a
// signature that one implementation takes alone and another refuses in a
// batch. Use NewVerifier; a Verifier may be used from many goroutines.
//
// What is verified is the encoding that Message.Bytes returns, so messages must
// come from Decode, Sign or Seal.
type Verifier struct {
	keys    keys
	batches sync.Pool // of *batch
}

// NewVerifier returns a Verifier with an empty cache of keys.
func NewVerifier() *Verifier {
	v := &Verifier{keys: newKeys(keyLimit)}
	base := curve.NewExpandedEdwardsPoint(curve.ED25519_BASEPOINT_POINT)
	v.batches.New = func() any { return newBatch(&v.keys, base) }
	return v
}

var errSignature = errors.New("signature does not match issuer and content")

// Verify checks the signature of one message, and the one inside a transfer or a
// witness. The error is an *InvalidError.
func (v *Verifier) Verify(m *Message) error {
	b := v.batches.Get().(*batch)
	defer v.batches.Put(b)
	b.reset()
	if !b.addMessage(0, m) || !b.eachGood() {
		return &InvalidError{ReasonSignature, errSignature}
	}
	return nil
}

// VerifyTransfer checks the owner's signature of a transfer that is in no
// message yet. The error is an *InvalidError.
func (v *Verifier) VerifyTransfer(t *Transfer, network NetworkID) error {
	b := v.batches.Get().(*batch)
	defer v.batches.Put(b)
	b.reset()
	if !b.addTransfer(0, network, t.Append(nil)) || !b.eachGood() {
		return &InvalidError{ReasonSignature, errSignature}
	}
	return nil
}

// VerifyBatch checks many signatures at once: 64 of them in half the time of one
// by one where each is of another issuer, in a third where the issuers are few.
// From about 190 messages and issuers on it makes less garbage, too. It returns
// nil when all are good; otherwise a slice with an *InvalidError at the index of
// every bad one and nil at the others.
func (v *Verifier) VerifyBatch(messages []*Message) []error {
	if len(messages) == 1 {
		if err := v.Verify(messages[0]); err != nil {
			return []error{err}
		}
		return nil
	}
	b := v.batches.Get().(*batch)
	defer v.batches.Put(b)
	b.reset()
	valid := true
	for i, m := range messages {
		valid = b.addMessage(i, m) && valid
	}
	others := b.allGood()
	if valid && others {
		return nil
	}
	errs := make([]error, len(messages))
	for i := range b.entries {
		if !b.entries[i].valid || !others && !b.good(i) {
			errs[b.entries[i].of] = &InvalidError{ReasonSignature, errSignature}
		}
	}
	return errs
}

// addMessage adds the signatures of message i: its issuer's, a transfer's
// owner's, and that of a witness's seat over the commitment.
func (b *batch) addMessage(i int, m *Message) bool {
	ok := b.add(i, &m.Issuer, &m.Signature, signatureTag, m.raw[:len(m.raw)-trailerSize])
	switch m.Kind {
	case KindTransfer:
		return b.addTransfer(i, m.Network, m.Payload) && ok
	case KindWitness:
		signed, signature := splitCommit(m.Payload)
		return b.add(i, &m.Issuer, signature, commitTag, m.Network[:], m.Payload[:epochSize], signed) && ok
	}
	return ok
}

func (b *batch) addTransfer(i int, network NetworkID, payload []byte) bool {
	end := len(payload) - signatureSize
	return b.add(i, (*Issuer)(payload), (*[signatureSize]byte)(payload[end:]), transferTag, network[:], payload[:end])
}
