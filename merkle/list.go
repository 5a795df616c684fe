package merkle

import (
	"fmt"
	"math/bits"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Root is the root of the tree over leaves, in their order.
func Root(leaves [][]byte) [HashSize]byte {
	if len(leaves) == 0 {
		return [HashSize]byte(rfc6962.DefaultHasher.EmptyRoot())
	}
	// The peaks lie in slots, the n-th from the left in the n-th. A leaf goes to
	// the first free slot, and two nodes that merge leave theirs to the result,
	// in the left one's place: 64 slots are enough and no node is allocated.
	var slots [64][HashSize]byte
	peaks := (&compact.RangeFactory{Hash: hashOver}).NewEmptyRange(0)
	for i, leaf := range leaves {
		slot := &slots[bits.OnesCount(uint(i))]
		*slot = LeafHash(leaf)
		if err := peaks.Append(slot[:], nil); err != nil {
			panic("merkle: " + err.Error())
		}
	}
	root, err := peaks.GetRootHash(nil)
	if err != nil {
		panic("merkle: " + err.Error())
	}
	return [HashSize]byte(root)
}

// Path is the path of leaves[index] in the tree over leaves, from the leaf's
// sibling up: PATH of RFC 6962, section 2.1.1. It hashes every leaf but the one.
func Path(leaves [][]byte, index uint64) ([][HashSize]byte, error) {
	return pathOf(index, uint64(len(leaves)), func(id compact.NodeID) ([HashSize]byte, error) {
		begin, end := id.Coverage()
		return Root(leaves[begin:end]), nil
	})
}

// PathOf is the path of leaf index in the tree of the first size leaves, made
// of the complete nodes that Tree.Append returned. It asks node for at most
// 2*log2(size) of them, and never for one that is not complete at that size.
func PathOf(index, size uint64, node func(level uint8, index uint64) ([HashSize]byte, error)) ([][HashSize]byte, error) {
	return pathOf(index, size, func(id compact.NodeID) ([HashSize]byte, error) {
		hash, err := node(uint8(id.Level), id.Index)
		if err != nil {
			return hash, fmt.Errorf("node %d of level %d: %w", id.Index, id.Level, err)
		}
		return hash, nil
	})
}

func pathOf(index, size uint64, node func(compact.NodeID) ([HashSize]byte, error)) ([][HashSize]byte, error) {
	wanted, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("merkle path: %w", err)
	}
	nodes := make([][HashSize]byte, len(wanted.IDs))
	for i, id := range wanted.IDs {
		if nodes[i], err = node(id); err != nil {
			return nil, fmt.Errorf("merkle path of leaf %d of %d: %w", index, size, err)
		}
	}
	path, err := wanted.Rehash(views(nodes), rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("merkle path of leaf %d of %d: %w", index, size, err)
	}
	return values(path), nil
}

// Verify tells whether leaf is entry index of the list of size entries that has
// root. The path alone does not prove the size (that of the first leaf is the
// same in a tree of three and of four): take size from whoever vouches for root.
func Verify(root [HashSize]byte, size, index uint64, leaf []byte, path [][HashSize]byte) error {
	hash := LeafHash(leaf)
	got, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, index, size, hash[:], views(path))
	if err != nil {
		return fmt.Errorf("merkle path: %w", err)
	}
	if [HashSize]byte(got) != root {
		return fmt.Errorf("merkle path of leaf %d of %d leads to root %x, want %x", index, size, got, root)
	}
	return nil
}
