// Package storage keeps solid messages, and what became of them, on disk: one
// Pebble store with its write-ahead log always on. It knows bytes and IDs; what
// an outcome, an account or a commitment means is for others.
//
// There are two ways to write, each one synced batch. Commit takes messages:
// what it returned for is there after any crash; what it did not return for is
// there whole or not at all. Finalise takes all that one anchor fixes, on the
// same terms.
//
// The store holds solid messages only, so it is past-closed: whatever is in it
// has its parents in it, but for roots older than the window.
//
// # Layout, format version 1
//
// Keys begin with a byte that names the table. Numbers and IDs are big-endian
// and so sort by value and time; no integer is of variable length.
//
// Written by Commit:
//
//	table  key                     value
//	'm'    ID 40                   seen u64, message     the encoding of package message
//	't'    topic u32, ID 40        -                     messages under a topic
//	'i'    issuer u32, ID 40       -                     messages of an issuer
//	'n'    's', name bytes         number u32            's': 't' topic or 'i' issuer
//	'p'    ID 40                   -                     own messages that are not final
//	'w'    epoch u32, round u64    ID 40                 own witnesses, the newest last
//	'k'    epoch u32, round u64,   -                     all witnesses, by their rounds
//	       ID 40
//	'r'    old ID 40, issuer u32   new ID 40             what an issuer says replaces a message
//
// Written by Finalise, but for 'q', which SetSignatures writes:
//
//	's'    ID 40                            anchor u64, index u32, outcome u8   where a message became final
//	'f'    anchor u64, index u32            ID 40, outcome u8                   the order of all final messages
//	'C'    anchor u64                       preimage bytes                      of the anchor's commitment
//	'q'    anchor u64                       set bytes                           signatures over the commitment
//	'h'    level u8, index u64              hash 32                             complete nodes of the tree of commitments
//	'b'    address 32                       account bytes                       as it is now
//	'a'    address 32, anchor u64,          ID 40, outcome u8                   history of an account
//	       index u32
//	'u'    valid until u64, transfer 32     -                                   applied transfers that have not expired
//	'x'    transfer 32                      carrier ID 40, anchor u64,          what last became of a transfer
//	                                        index u32, outcome u8
//
// And by either:
//
//	'v'    name bytes              value                 "format" u32, "network" 8, "count" u64 of messages;
//	                                                     "state" bytes, which the node needs to go on
//
// seen is when this node took the message in, in nanoseconds since the Unix
// epoch. Numbers stand for names so that an index row costs 45 bytes whatever
// the topic's length; they are given in order of first use, from 1, and never
// used again. The children of a message are not stored: in the live part
// of the DAG they are in memory, and nobody asks for older ones.
//
// Anchors count from 1 without a gap, so that the last row of 'C' is the last
// anchor. (anchor, index) is the position of a message in the order that all
// nodes share. An outcome is a byte of package ledger; only one is known
// here: 2, applied, whose 'x' row no later fate of the same transfer replaces.
//
// The issuer is part of an 'r' row because anybody can claim to replace a
// message: only the claim of the issuer who signed it counts, and no other may
// overwrite it.
//
// # Errors
//
// Open returns *LockedError, *NetworkError or *FormatError for a directory it
// must not touch. Get, Commitment, Signatures and Node return ErrNotFound. A
// row that cannot be read back is a *CorruptionError that names it. Commit
// returns *WitnessError, and Finalise and SetSignatures refuse what does not fit
// what is stored, without changing anything. After a failed write there are only
// errors from every call that writes until the store is opened again: the disk
// is not to be trusted then.
package storage
