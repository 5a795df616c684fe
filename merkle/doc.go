// Package merkle is the Merkle tree of RFC 6962 (Certificate Transparency,
// section 2.1) with SHA-256: one hash stands for a list, and a path of about
// log2(n) hashes shows that an entry is in it.
//
//	leaf hash   SHA-256(0x00 || leaf data)
//	node hash   SHA-256(0x01 || left || right)
//	empty root  SHA-256 of nothing
//
// The two prefixes keep leaves and inner nodes apart: nobody can pass an inner
// node off as a leaf. A tree of n leaves has the largest power of two below n
// on its left; nothing is padded or repeated, so two different lists have two
// different roots.
//
// A list that is at hand has a [Root], and a [Path] for each of its entries. A
// list that only grows is a [Tree]: it holds no more than its peaks (the roots
// of its complete subtrees, at most 64), and hands out every node the moment it
// is complete and will never change again. Whoever stores those nodes can make
// the path of any entry in the tree of any earlier size, with [PathOf].
// [Verify] checks either kind of path.
//
// Levels count from the leaves, which are level 0; the node (level, index)
// covers the leaves index<<level up to, without, (index+1)<<level:
//
//	level 2:        ---0---
//	level 1:      -0-     -1-     -2-
//	level 0:     0   1   2   3   4   5   6      size 7, peaks (2,0) (1,2) (0,6)
//
// The algorithms are those of github.com/transparency-dev/merkle, which the
// logs of Certificate Transparency run on; here are only types that fit ours.
//
// # Errors
//
// [Verify] returns a plain error: the path is wrong, and so is whoever made it.
// [Path], [PathOf] and [Restore] return one for arguments of our own that cannot
// be (an index beyond the size, a number of peaks that no tree of the size has);
// PathOf also passes on what reading a node gave.
package merkle
