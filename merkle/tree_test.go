package merkle_test

import (
	"errors"
	"math/bits"
	"slices"
	"testing"

	"tangled/merkle"
)

// nodeStore keeps what Append returns, as a store does.
type nodeStore map[[2]uint64][32]byte

func (s nodeStore) put(t *testing.T, nodes []merkle.Node) {
	t.Helper()
	for _, node := range nodes {
		at := [2]uint64{uint64(node.Level), node.Index}
		if _, ok := s[at]; ok {
			t.Errorf("node %d of level %d comes twice", node.Index, node.Level)
		}
		s[at] = node.Hash
	}
}

var errNoNode = errors.New("no such node")

func (s nodeStore) get(level uint8, index uint64) ([32]byte, error) {
	hash, ok := s[[2]uint64{uint64(level), index}]
	if !ok {
		return hash, errNoNode
	}
	return hash, nil
}

// TestTree grows a tree leaf by leaf, as it is and restored from its peaks at
// each step.
func TestTree(t *testing.T) {
	leaves := numbered(200, 32)
	var tree merkle.Tree
	for size := range len(leaves) + 1 {
		if tree.Size() != uint64(size) {
			t.Fatalf("size %d, want %d", tree.Size(), size)
		}
		if tree.Root() != referenceRoot(leaves[:size]) {
			t.Fatalf("root of %d leaves differs", size)
		}
		if got, want := len(tree.Peaks()), bits.OnesCount(uint(size)); got != want {
			t.Fatalf("%d peaks at size %d, want %d", got, size, want)
		}
		restored, err := merkle.Restore(tree.Size(), tree.Peaks())
		if err != nil {
			t.Fatal(err)
		}
		if restored.Root() != tree.Root() {
			t.Fatalf("the tree of %d leaves has another root when restored", size)
		}
		if size < len(leaves) {
			if got, want := restored.Append(leaves[size]), tree.Append(leaves[size]); !slices.Equal(got, want) {
				t.Fatalf("restored at %d, the next leaf gives nodes %v, want %v", size, got, want)
			}
		}
	}
}

// TestTreeNodes: every complete node comes once, with the hash of the leaves it
// covers, and no other.
func TestTreeNodes(t *testing.T) {
	leaves := numbered(100, 32)
	store := nodeStore{}
	var tree merkle.Tree
	for i, leaf := range leaves {
		added := tree.Append(leaf)
		store.put(t, added)
		if got, want := len(added), bits.TrailingZeros(uint(i+1))+1; got != want {
			t.Errorf("leaf %d completes %d nodes, want %d", i, got, want)
		}
		for level, node := range added {
			if int(node.Level) != level {
				t.Errorf("leaf %d: node of level %d at place %d", i, node.Level, level)
			}
		}
	}
	complete := 0
	for level := range 7 {
		for index := range len(leaves) >> level {
			complete++
			got, err := store.get(uint8(level), uint64(index))
			if err != nil {
				t.Fatalf("node %d of level %d: %v", index, level, err)
			}
			if want := referenceRoot(leaves[index<<level : (index+1)<<level]); got != want {
				t.Errorf("node %d of level %d differs", index, level)
			}
		}
	}
	if len(store) != complete {
		t.Errorf("%d nodes, want %d", len(store), complete)
	}
}

// TestPathOf: the nodes of a tree give the paths of each of its earlier sizes,
// and a path reads few of them.
func TestPathOf(t *testing.T) {
	leaves := numbered(70, 32)
	store := nodeStore{}
	var tree merkle.Tree
	for _, leaf := range leaves {
		store.put(t, tree.Append(leaf))
	}
	for size := 1; size <= len(leaves); size++ {
		root := merkle.Root(leaves[:size])
		for index := range size {
			reads := 0
			path, err := merkle.PathOf(uint64(index), uint64(size), func(level uint8, at uint64) ([32]byte, error) {
				if reads++; (at+1)<<level > uint64(size) {
					t.Errorf("size %d: asks for node %d of level %d", size, at, level)
				}
				return store.get(level, at)
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := referencePath(leaves[:size], index); !slices.Equal(path, want) {
				t.Errorf("path of leaf %d of %d differs", index, size)
			}
			if err := merkle.Verify(root, uint64(size), uint64(index), leaves[index], path); err != nil {
				t.Error(err)
			}
			if most := 2 * bits.Len(uint(size)); reads > most {
				t.Errorf("path of leaf %d of %d reads %d nodes, at most %d", index, size, reads, most)
			}
		}
	}
}

func TestPathOfRefuses(t *testing.T) {
	var tree merkle.Tree
	store := nodeStore{}
	for _, leaf := range numbered(5, 32) {
		store.put(t, tree.Append(leaf))
	}
	if _, err := merkle.PathOf(5, 5, store.get); err == nil {
		t.Error("there is a path for leaf 5 of 5")
	}
	if _, err := merkle.PathOf(0, 0, store.get); err == nil {
		t.Error("there is a path in an empty tree")
	}
	if _, err := merkle.PathOf(1, 8, store.get); !errors.Is(err, errNoNode) {
		t.Errorf("error %v, want that of the store", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	peaks := make([][32]byte, 64)
	for _, test := range []struct {
		name  string
		size  uint64
		peaks int
	}{
		{"a peak too few", 7, 2},
		{"a peak too many", 7, 4},
		{"a peak of nothing", 0, 1},
		{"none of something", 1, 0},
		{"too large", 1<<62 + 1, 2},
		{"larger than can be", 1<<64 - 1, 64},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := merkle.Restore(test.size, peaks[:test.peaks]); err == nil {
				t.Error("restored")
			}
		})
	}
}

// TestFullTree: the largest tree works, and there is none beyond.
func TestFullTree(t *testing.T) {
	tree, err := merkle.Restore(1<<62-1, make([][32]byte, 62))
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Append([]byte("last")); len(got) != 63 || tree.Size() != 1<<62 {
		t.Errorf("the last leaf gives %d nodes and size %d", len(got), tree.Size())
	}
	if _, err := merkle.Restore(tree.Size(), tree.Peaks()); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a full tree takes a leaf")
		}
	}()
	tree.Append([]byte("beyond"))
}

// TestTreeOwnsItsPeaks: what the tree gives and takes is a copy.
func TestTreeOwnsItsPeaks(t *testing.T) {
	var tree merkle.Tree
	for _, leaf := range numbered(7, 32) {
		tree.Append(leaf)
	}
	want := tree.Root()
	given := tree.Peaks()
	restored, err := merkle.Restore(7, given)
	if err != nil {
		t.Fatal(err)
	}
	given[0][0] ^= 1
	tree.Peaks()[1][0] ^= 1
	if tree.Root() != want || restored.Root() != want {
		t.Error("the root changed with a slice of the caller")
	}
}

// TestTreeCopy: a Tree is copied by assignment, as by a caller that may have to
// go back when its commit fails.
func TestTreeCopy(t *testing.T) {
	leaves := numbered(12, 32)
	var tree merkle.Tree
	for size, leaf := range leaves {
		before := tree
		tree.Append(leaf)
		if before.Root() != referenceRoot(leaves[:size]) {
			t.Errorf("the copy of %d leaves changed", size)
		}
		before.Append([]byte("another"))
		if tree.Root() != referenceRoot(leaves[:size+1]) {
			t.Errorf("the tree of %d leaves changed with its copy", size+1)
		}
	}
}

func BenchmarkTreeAppend(b *testing.B) {
	var tree merkle.Tree
	leaf := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		tree.Append(leaf)
	}
}
