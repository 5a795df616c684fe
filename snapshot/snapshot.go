package snapshot

import (
	"iter"
	"time"

	"tangled/genesis"
	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// includeAhead is how far ahead of the ledger time a message may be included.
const includeAhead = uint64(60 * time.Second)

// Since is the ledger time in ns from which on an anchor is in the snapshot of an
// anchor at ledger time now: its list may hold a message inside the window.
func Since(g *genesis.Genesis, now uint64) uint64 {
	return now - min(now, uint64(g.Window)+includeAhead)
}

// Source is what Write makes a snapshot of: the state after anchor Index. The
// iterators are ranged over once each, in this order.
type Source struct {
	Genesis *genesis.Genesis
	Index   uint64 // j
	// Before is C_{i-1}, i being the first of Anchors; unused where i is 1.
	Before proof.Commitment
	// Anchors are those from Since on, ascending to j. What is yielded may be
	// changed once the next is asked for.
	Anchors   iter.Seq2[Anchor, error]
	Accounts  iter.Seq2[Account, error]                // ascending by address, none all zero
	Transfers iter.Seq2[ledger.AppliedTransfer, error] // ascending by (ValidUntil, ID)
	// Node is a complete node of the tree over C_0..C_{i-1}. It is asked for the
	// peaks only.
	Node       func(level uint8, index uint64) ([32]byte, error)
	Signatures []proof.Signature // of a quorum over C_j, ascending by seat
	Witness    []byte            // the message A_j
}

// Anchor is one anchor with its list.
type Anchor struct {
	Commitment proof.Commitment
	Included   []Included // S_i in its order
	// Nodes are the nodes of the tree of commitments that C_i completes; with the
	// first anchor also the peaks before it. Read sets them, Write does not look.
	Nodes []merkle.Node
}

// Included is a message that an anchor included.
type Included struct {
	ID      message.ID
	Outcome uint8 // as the ledger numbers them
}

// Account is an account of the ledger.
type Account struct {
	Address message.Address
	ledger.Account
}

// Sink takes the content of a snapshot in the order of the file, while the whole
// is not known to be right: what it got is to be believed once Read returned nil,
// and to be thrown away if it did not. A nil function skips its records. An error
// ends Read, which returns it wrapped. The slices of an Anchor are valid during
// the call only.
type Sink struct {
	Anchor   func(Anchor) error
	Account  func(Account) error
	Transfer func(ledger.AppliedTransfer) error
}

// Trust is the operator's word that C_Index is Commitment.
type Trust struct {
	Index      uint64
	Commitment [32]byte
}

// ReadOptions tell Read what to hold a file against.
type ReadOptions struct {
	Genesis *genesis.Genesis // valid; required
	// Trust, if not nil, is the one commitment that the file may be of. It stands
	// in for a quorum of signatures; those that are there must be good.
	Trust *Trust
}

// Info is what a snapshot is, as Write made it or as Read found it.
type Info struct {
	Network    message.NetworkID
	Index      uint64   // j
	Time       uint64   // T_j, ns since the Unix epoch
	Commitment [32]byte // C_j
	Digest     [32]byte // BLAKE2b-256 of the body
	Round      uint64   // of A_j; wave (Round-1)/3 is decided

	First     uint64 // the first anchor there is a list of
	Anchors   uint64
	Messages  uint64 // in their lists
	Accounts  uint64
	Transfers uint64
	Body      int64 // bytes, uncompressed
	File      int64 // bytes

	Peaks      [][32]byte // of the tree over C_0..C_j, the largest tree first
	Signatures []proof.Signature
	Witness    *message.Message // A_j
	Trusted    bool             // the operator's word stood in for a quorum
}
