// Package snapshot is the file from which a node begins at an anchor instead of
// at the genesis: what anchor j left behind, and what a reader needs to check
// every byte of it against the genesis alone.
//
// [Write] makes the file from iterators, [Read] verifies it while it streams into
// a [Sink]; neither knows a store or a node, and neither holds more than one
// block and one anchor's list in memory, but for the ledger that Read restores to
// compute the state hash. [WriteFile] puts the file on disk, whole or not at all.
// To look into a file, or to verify it, is to Read it into the zero Sink.
//
// # What it holds
//
// The cut is anchor j. Messages that it or an earlier anchor included must not be
// included again, so the file has the list (ID, outcome) of every anchor i that
// may have included one which is inside the window still: those with
// T_i >= T_j - window - 60 s, see [Since]. They are consecutive, first..j. The
// commitment before the first is there too, without its list: its ledger time
// shows that no list was left out.
//
// Then all accounts that are not all zero, and the applied transfers that have
// not expired: together they have the state hash in C_j.
//
// The tree of commitments is there as it was before the first anchor, as peaks
// over C_0..C_{first-1}: only the tree before an anchor is in its commitment. From
// there Read appends C_first..C_j itself, and hands out every node on the way.
// With these nodes alone a node can prove any message of these anchors and go on.
//
// # File
//
// All numbers are big-endian and of fixed length.
//
//	magic     8    "tangsnap"
//	version   4    1
//	frame          body blocks, one or more
//	frame          trailer
//
// and nothing behind it. A frame is
//
//	kind      1    'B' body block, 'T' trailer
//	size      4    of the content in bytes, at most 262,144
//	stored    4    of the content as stored in bytes, at most 263,168
//	checksum  4    CRC-32C of the nine bytes before and the stored bytes
//	bytes          the content, zstd
//
// Every block but the last has 262,144 bytes, whatever records it cuts through.
// A frame stands for itself and says its size beforehand, so that one which would
// grow beyond it is refused before it did.
//
// # Body
//
// The blocks' contents together are the body. It has the same bytes on every
// node; its BLAKE2b-256 is the digest. (The stored bytes are the same for one
// version of the compressor only.)
//
//	network       8
//	index         8      j
//	parameters    15     of the genesis, as its canonical encoding has them
//	committee     2+40n  likewise
//	first         8      1..j
//	before        268    preimage of C_{first-1}; absent where first is 1
//	peaks         32 each, as many as first has bits set, the largest tree first
//	records              anchors, then accounts, then transfers, then the end
//
// with these records:
//
//	anchor     1 u8   preimage of C_i 268, then as many as its count says: ID 40, outcome 1
//	account    2 u8   address 32, balance u64, base u64, used u64      ascending by address
//	transfer   3 u8   valid until u64, transfer ID 32                  ascending by both
//	end        4 u8
//
// # Trailer
//
// What proves the body, and differs from node to node:
//
//	digest      32
//	signatures  count u8, then each seat 1, signature 64; over C_j, of a quorum
//	witness     length u32, then the message A_j
//
// The round of A_j tells which waves are decided.
//
// # What is verified
//
// The signatures make C_j final; C_j has the hash of C_{j-1} and so on back to
// the commitment before the first; each has the count and the root of its list
// and the root of the tree before it; C_j has the state hash and the ID of A_j,
// the committee's and the parameters' hash. So no byte of the body is free. The
// digest names it; what it names is proven without it.
//
// The committee is the one in the genesis: a commitment of a later epoch is
// refused. Signatures say nothing about a committee whose keys were stolen, and
// there may be none for a C_j whose committee is gone. For both, a [Trust] in the
// ReadOptions has the operator's word on C_j.
//
// # Errors
//
// What is wrong with a file is an [*InvalidError] with a [Reason]: the fault of
// whoever made it, changed it or cut it short. In the last case it wraps
// io.ErrUnexpectedEOF. All other errors of Read are those of its reader, of the
// sink or of the context, and say nothing about the file. Write returns the
// errors of the writer, the iterators and the context, and refuses a source that
// Read would not take (but does not compute the state hash): that is a fault of
// our own, which also wraps an *InvalidError.
package snapshot
