// Package proof shows to anybody, without a node and without a network, that a
// message is in the ledger: with the genesis and one file.
//
// Every anchor A_j fixes a [Commitment], whose hash C_j stands for the whole
// ledger up to it: for the commitments before it, for the messages it included
// (each with its outcome), for the accounts. The seats of the committee sign the
// newest C_k they know. A [Finality] is a commitment with such signatures of a
// quorum: it makes C_k final, and every C_j before it, because C_k holds the root
// of a tree over them.
//
// A [Proof] leads from a message to such signatures:
//
//	message, outcome --path--> root over S_j, in C_j --path--> root over C_0..C_{k-1}, in C_k <-- signatures
//
// Where the signatures are on C_j itself, the second path is not needed. Both
// trees are those of package merkle. The leaf of a message is [Leaf]; the tree of
// commitments has C_i as its leaf i, C_0 being the hash of the genesis.
//
// # Commitment
//
// Big-endian, always 268 bytes; C_j is the BLAKE2b-256 of them:
//
//	offset  size  field
//	0       8     network
//	8       4     epoch, 0 until the committee changes
//	12      8     index j, from 1
//	20      40    anchor, the ID of A_j
//	60      8     ledger time T_j, ns since the Unix epoch
//	68      32    previous, C_{j-1}
//	100     32    tree, root over C_0..C_{j-1}
//	132     8     count of the messages that A_j included
//	140     32    included, root over them
//	172     32    state hash
//	204     32    committee hash
//	236     32    parameters hash
//
// # File
//
// JSON in one form only: these fields in this order, two spaces a level, no
// empty line, a newline at the end; bytes in lower-case hexadecimal:
//
//	{
//	  "version": 1,
//	  "message": "..",               the encoding without its nonce
//	  "outcome": 1,
//	  "index": 3,                    its place in S_j, from 0
//	  "path": [".."],                from the leaf's sibling up
//	  "commitment": "..",            of j
//	  "later": {                     absent where the signatures are on C_j
//	    "path": [".."],
//	    "commitment": ".."           of k
//	  },
//	  "signatures": [                ascending by seat
//	    {
//	      "seat": 0,
//	      "signature": ".."
//	    }
//	  ]
//	}
//
// [Decode] takes no other form, so that a proof with any byte changed is
// refused, there or by Proof.Verify. What is not proven is that a signature was
// left out: any quorum of them makes a proof.
//
// The committee is the one in the genesis: a commitment of a later epoch is
// refused.
//
// # Errors
//
// What is wrong with a proof is an [*InvalidError] with a [Reason]: the fault of
// whoever made it or changed it. There is no other kind of error.
package proof
