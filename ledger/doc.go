// Package ledger says who owns what: it applies the transfers that an anchor
// included, in the anchor's order, and gives each an [Outcome].
//
// It is a pure state machine: no I/O, no clock, no goroutines. Every node that
// applies the same anchors holds the same ledger and the same [Ledger.StateHash].
// The signatures of transfers, that outputs are above zero and that their sum
// fits 64 bits, are rules of the message and were checked before.
//
// # Rules
//
// An account is a balance and a window of nonces: all below Base are spent, and
// of the 64 from Base on those whose bit is set in Used. So up to 64 transfers of
// one owner may be on their way at once, and arrive in any order. For a transfer
// at ledger time T the first that holds is its outcome:
//
//  1. Expired: T is after its ValidUntil.
//  2. Duplicate: the same transfer, carried by another message, was applied.
//  3. DoubleSpend: its nonce is below Base, or its bit is set.
//  4. NonceTooFar: its nonce is Base+64 or more.
//  5. Insufficient: its outputs add up to more than the balance.
//  6. Applied: the owner pays, the outputs are paid, and the nonce's bit is set;
//     Base then moves past the lowest bits that are set.
//
// Only an applied transfer spends its nonce. One that was too far or insufficient
// may be carried again by a later message until it expires; to be sure that it
// never is applied, its owner spends the nonce otherwise. IDs of applied transfers
// are remembered until they expire; from then on they expire as rule 1 says, so
// forgetting them changes no outcome.
//
// # State hash
//
// The state is a set of elements, big-endian:
//
//	account      1 u8, address 32, balance u64, base u64, used u64
//	transfer     2 u8, transfer ID 32, valid until u64
//
// one for every account that is not all zero, and for every remembered transfer.
// StateHash is BLAKE2b-256 of the 2,048 bytes of their LtHash16, a sum that costs
// as much to keep current as there were changes: see lthash.go.
//
// # Errors
//
// A transfer that cannot be applied is no error but an Outcome. Credit and Restore
// return a plain error: a genesis or a stored ledger that cannot be. Apply panics
// where the supply would not be what it was, where a balance would overflow or
// time went back: these are faults of this program, and a node that went on would
// hand out money.
package ledger
