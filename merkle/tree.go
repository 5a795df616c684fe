package merkle

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// maxSize is the most leaves of a Tree.
const maxSize = 1 << 62

// Node is a complete node of a tree: it stays as it is however far the tree
// grows.
type Node struct {
	Level uint8 // 0 for a leaf
	Index uint64
	Hash  [HashSize]byte
}

// Tree is a list that only grows, known by its size and its peaks: the roots of
// the complete subtrees that cover it, from left to right, one for each bit set
// in the size. The zero value is the empty tree; a copy made by assignment is a
// tree of its own.
type Tree struct {
	size  uint64
	peaks [][HashSize]byte
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Peaks are enough, with Size, to Restore the tree. The caller owns the slice.
func (t *Tree) Peaks() [][HashSize]byte { return slices.Clone(t.peaks) }

// Restore is the tree of size leaves with these peaks, which it copies. That they
// are the peaks of the list one means, only the Root can tell.
func Restore(size uint64, peaks [][HashSize]byte) (*Tree, error) {
	if size > maxSize {
		return nil, fmt.Errorf("restore merkle tree of %d leaves, at most %d", size, uint64(maxSize))
	}
	if want := bits.OnesCount64(size); len(peaks) != want {
		return nil, fmt.Errorf("restore merkle tree of %d leaves from %d peaks, want %d", size, len(peaks), want)
	}
	return &Tree{size: size, peaks: slices.Clone(peaks)}, nil
}

// Append adds a leaf and returns the nodes that it completes, from the leaf's
// own (level 0) up. The caller owns the slice.
func (t *Tree) Append(leaf []byte) []Node {
	if t.size == maxSize {
		panic("merkle: the tree is full")
	}
	peaks := t.compact()
	hash := LeafHash(leaf)
	var added []Node
	err := peaks.Append(hash[:], func(id compact.NodeID, hash []byte) {
		added = append(added, Node{Level: uint8(id.Level), Index: id.Index, Hash: [HashSize]byte(hash)})
	})
	if err != nil {
		panic("merkle: " + err.Error())
	}
	t.size, t.peaks = peaks.End(), values(peaks.Hashes())
	return added
}

// Root is the root over all leaves so far; see Root for a list.
func (t *Tree) Root() [HashSize]byte {
	if t.size == 0 {
		return Root(nil)
	}
	root, err := t.compact().GetRootHash(nil)
	if err != nil {
		panic("merkle: " + err.Error())
	}
	return [HashSize]byte(root)
}

// compact is t as the library has it, over t's own hashes, which the library's
// hasher leaves as they are.
func (t *Tree) compact() *compact.Range {
	factory := &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	peaks, err := factory.NewRange(0, t.size, views(t.peaks))
	if err != nil {
		panic("merkle: " + err.Error()) // Restore holds as many peaks as the size says
	}
	return peaks
}
