package message

import (
	"crypto/rand"
	"crypto/sha512"
	"hash"
	"slices"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/curve/scalar"
)

// weightSize is the length of a random weight in bytes: a batch with a bad
// signature passes with a probability of 2^-128.
const weightSize = 16

// batch checks Ed25519 signatures, alone or many by one equation. With A_i the
// key, (R_i, s_i) the signature and k_i = SHA-512(R_i, A_i, signed), each is
// good if
//
//	[8]([s_i]B - R_i - [k_i]A_i) = 0                               (ZIP-215)
//
// and all are good if for random 128-bit weights z_i
//
//	[8]([-sum z_i s_i]B + sum [z_i]R_i + sum [z_i k_i]A_i) = 0
//
// (Bernstein et al., High-speed high-security signatures, 2012, section 5). The
// factor 8 removes the parts of small order, so that the two agree on every
// input, and lets coefficients be added modulo the group's order.
//
// The terms of one issuer are one term here: multiplication by A_i is a third of
// the cost of a signature, and a node's peers send long runs of their own
// messages.
//
// A batch is used again and again, because the garbage of verification was a
// quarter of all that a node makes. It keeps nothing of what it was given
// beyond the next reset, but points of keys.
type batch struct {
	keys    *keys
	base    *curve.ExpandedEdwardsPoint // B
	entries []entry
	terms   []term         // of B, then of each issuer
	issuers map[Issuer]int // where an issuer's term is

	// What the steps need for a moment, kept for its memory.
	hash    hash.Hash
	head    []byte // R, A and tag: what is hashed before the content
	digest  []byte
	random  []byte
	statics []*scalar.Scalar // of terms
	points  []*curve.ExpandedEdwardsPoint
	weights []*scalar.Scalar // of entries
	rs      []*curve.EdwardsPoint
}

// entry is one signature.
type entry struct {
	valid bool // key, R and s are what they should be: the rest is set
	of    int  // the message that the signature belongs to
	term  int  // of its issuer
	r     curve.EdwardsPoint
	s, k  scalar.Scalar
	z     scalar.Scalar
}

// term is a point of the equation with its coefficient.
type term struct {
	point *curve.ExpandedEdwardsPoint
	sum   scalar.Scalar
}

func newBatch(keys *keys, base *curve.ExpandedEdwardsPoint) *batch {
	return &batch{keys: keys, base: base, issuers: make(map[Issuer]int), hash: sha512.New()}
}

// reset empties b.
func (b *batch) reset() {
	b.entries = b.entries[:0]
	clear(b.issuers)
	b.terms = append(b.terms[:0], term{point: b.base})
}

// add takes in a signature of message i over the tag and the parts of the
// content. It reports false where the signature is bad whatever was signed: the
// key or R is on no point of the curve, or s is not below the group's order.
func (b *batch) add(i int, key *Issuer, signature *[signatureSize]byte, tag string, content ...[]byte) bool {
	b.entries = slices.Grow(b.entries, 1)[:len(b.entries)+1]
	e := &b.entries[len(b.entries)-1]
	e.of = i
	e.valid = b.read(e, key, signature)
	if !e.valid {
		return false
	}
	b.head = append(b.head[:0], signature[:32]...)
	b.head = append(b.head, key[:]...)
	b.head = append(b.head, tag...)
	b.hash.Reset()
	b.hash.Write(b.head)
	for _, part := range content {
		b.hash.Write(part)
	}
	b.digest = b.hash.Sum(b.digest[:0])
	_, _ = e.k.SetBytesModOrderWide(b.digest) // refuses other lengths only
	return true
}

// read sets the parts of e that are points and numbers as they stand.
func (b *batch) read(e *entry, key *Issuer, signature *[signatureSize]byte) bool {
	if _, err := e.s.SetCanonicalBytes(signature[32:]); err != nil {
		return false
	}
	r := curve.CompressedEdwardsY(signature[:32])
	if _, err := e.r.SetCompressedY(&r); err != nil {
		return false
	}
	at, ok := b.issuers[*key]
	if !ok {
		point := b.keys.get(*key)
		if point == nil {
			return false
		}
		at = len(b.terms)
		b.terms = append(b.terms, term{point: point})
		b.issuers[*key] = at
	}
	e.term = at
	return true
}

// good tells whether signature i, which add did not refuse, is good by its own
// equation.
func (b *batch) good(i int) bool {
	e := &b.entries[i]
	var minusK scalar.Scalar
	var sum curve.EdwardsPoint
	// [-k]A + [s]B - R, times a number that the group's order does not divide.
	sum.ExpandedTripleScalarMulBasepointVartime(minusK.Neg(&e.k), b.terms[e.term].point, &e.s, &e.r)
	return sum.IsSmallOrder()
}

// eachGood tells whether all signatures, none of which add refused, are good by
// equations of their own.
func (b *batch) eachGood() bool {
	for i := range b.entries {
		if !b.good(i) {
			return false
		}
	}
	return true
}

// allGood tells whether all signatures that add did not refuse are good, by the
// one equation. It may be asked once between resets.
func (b *batch) allGood() bool {
	b.drawWeights()
	b.statics, b.points = b.statics[:0], b.points[:0]
	b.weights, b.rs = b.weights[:0], b.rs[:0]
	var product scalar.Scalar
	base := &b.terms[0].sum
	for i := range b.entries {
		e := &b.entries[i]
		if !e.valid {
			continue
		}
		base.Sub(base, product.Mul(&e.z, &e.s))
		issuer := &b.terms[e.term].sum
		issuer.Add(issuer, product.Mul(&e.z, &e.k))
		b.weights = append(b.weights, &e.z)
		b.rs = append(b.rs, &e.r)
	}
	for i := range b.terms {
		b.statics = append(b.statics, &b.terms[i].sum)
		b.points = append(b.points, b.terms[i].point)
	}
	var sum curve.EdwardsPoint
	return sum.ExpandedMultiscalarMulVartime(b.statics, b.points, b.weights, b.rs).IsSmallOrder()
}

// drawWeights gives every entry a new weight. Whoever could foresee the weights
// could make bad signatures that cancel each other.
func (b *batch) drawWeights() {
	b.random = slices.Grow(b.random[:0], weightSize*len(b.entries))[:weightSize*len(b.entries)]
	_, _ = rand.Read(b.random) // never fails
	var wide [scalar.ScalarSize]byte
	for i := range b.entries {
		copy(wide[:weightSize], b.random[weightSize*i:])
		_, _ = b.entries[i].z.SetBits(wide[:]) // refuses other lengths only
	}
}
