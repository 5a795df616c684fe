// Package message is the vertex of the Tangle: its types, its one binary
// encoding and the rules by which every node judges it alike.
//
// A message lives in three steps. An issuer fills a [Draft] (network,
// timestamp, parents, and a [Data], [Transfer] or [Witness] as the payload), Sign
// or Seal turns it into a [Message], and SetNonce stamps the proof of work on
// it. A receiver starts from bytes: [Decode] checks everything that the bytes
// alone can tell, [Rules.Check] adds the network and the work, a [Verifier] the
// signatures.
//
// Nothing here looks at a clock, at other messages or at the order of
// arrival: validity is the same on every node, for ever.
//
// # Layout
//
// Big-endian, no padding, canonical: one message has one encoding.
//
//	offset    size   field
//	0         1      version (1)
//	1         8      network
//	9         32     issuer, an Ed25519 public key
//	41        8      timestamp, ns since the Unix epoch, below 2^63
//	49        1      parent count n, 1..8; of a witness 1..250
//	50        40n    parents, ascending, unique
//	50+40n    1      payload kind
//	51+40n    4      payload length p
//	55+40n    p      payload
//	55+40n+p  64     signature (RFC 8032) over "tangled/message" and all before it
//	          8      nonce
//
// The payloads are drawn at their types. A transfer carries its owner's signature,
// a witness its seat's over a commitment; both are part of the message's validity.
//
// The ID is the timestamp and the BLAKE2b-256 of all but the nonce; the work
// is the leading zeros of the BLAKE2b-256 of (the ID's hash part, nonce). The
// nonce is a stamp outside identity: nobody can re-mine a signed message into
// a second ID, and a copy with a bad nonce says nothing about the ID.
//
// # Errors
//
// What the sender got wrong is an [*InvalidError] with a [Reason]. The package
// returns no other kind of error but for bad arguments of our own (a private
// key of the wrong size).
package message
