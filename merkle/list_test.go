package merkle_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"

	"tangled/merkle"
)

// TestRootVectors pins the roots that every implementation of RFC 6962 gives
// for these leaves; they are in the tests of Certificate Transparency's logs.
func TestRootVectors(t *testing.T) {
	var leaves [][]byte
	for _, leaf := range []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	} {
		leaves = append(leaves, unhex(t, leaf))
	}
	for size, want := range []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	} {
		if got := merkle.Root(leaves[:size]); hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d leaves is %x, want %s", size, got, want)
		}
	}
}

// TestLeafHash crosses the size up to which a leaf is hashed on the stack.
func TestLeafHash(t *testing.T) {
	for _, size := range []int{0, 1, 41, 126, 127, 128, 129, 5000} {
		leaf := bytes.Repeat([]byte{0xa5}, size)
		if merkle.LeafHash(leaf) != referenceRoot([][]byte{leaf}) {
			t.Errorf("hash of a leaf of %d bytes differs", size)
		}
	}
}

func TestRoot(t *testing.T) {
	leaves := numbered(300, 41)
	for size := range len(leaves) + 1 {
		if merkle.Root(leaves[:size]) != referenceRoot(leaves[:size]) {
			t.Errorf("root of %d leaves differs", size)
		}
	}
}

func TestPath(t *testing.T) {
	leaves := numbered(70, 41)
	for size := 1; size <= len(leaves); size++ {
		root := merkle.Root(leaves[:size])
		for index := range size {
			path, err := merkle.Path(leaves[:size], uint64(index))
			if err != nil {
				t.Fatal(err)
			}
			if want := referencePath(leaves[:size], index); !slices.Equal(path, want) {
				t.Errorf("path of leaf %d of %d is %x, want %x", index, size, path, want)
			}
			if err := merkle.Verify(root, uint64(size), uint64(index), leaves[index], path); err != nil {
				t.Errorf("leaf %d of %d: %v", index, size, err)
			}
		}
	}
}

func TestPathRefuses(t *testing.T) {
	leaves := numbered(5, 41)
	for _, index := range []uint64{5, 6, 1 << 63} {
		if _, err := merkle.Path(leaves, index); err == nil {
			t.Errorf("there is a path for leaf %d of 5", index)
		}
	}
	if _, err := merkle.Path(nil, 0); err == nil {
		t.Error("there is a path in no leaves")
	}
}

// TestVerifyRefuses changes, for every leaf of some trees, one thing at a time.
func TestVerifyRefuses(t *testing.T) {
	all := numbered(21, 41)
	for size := 1; size <= len(all); size++ {
		leaves := all[:size]
		root := merkle.Root(leaves)
		for index := range leaves {
			path := referencePath(leaves, index)
			refuse := func(what string, root [32]byte, size, index uint64, leaf []byte, path [][32]byte) {
				t.Helper()
				if merkle.Verify(root, size, index, leaf, path) == nil {
					t.Errorf("leaf %d of %d: %s goes through", index, size, what)
				}
			}
			n, i, leaf := uint64(size), uint64(index), leaves[index]
			for at := range 32 {
				refuse("another root", flip(root, at), n, i, leaf, path)
			}
			for at := range leaf {
				other := slices.Clone(leaf)
				other[at] ^= 1 << (at % 8)
				refuse("another leaf", root, n, i, other, path)
			}
			for step := range path {
				for at := range 32 {
					other := slices.Clone(path)
					other[step] = flip(other[step], at)
					refuse("another path", root, n, i, leaf, other)
				}
				refuse("a path with a step missing", root, n, i, leaf, slices.Delete(slices.Clone(path), step, step+1))
			}
			for step := range len(path) + 1 {
				refuse("a path with a step more", root, n, i, leaf, slices.Insert(slices.Clone(path), step, root))
			}
			for other := range n + 3 {
				if other != i {
					refuse("another index", root, n, other, leaf, path)
				}
			}
			refuse("an index beyond", root, n, i+1<<63, leaf, path)
			refuse("a size of zero", root, 0, i, leaf, path)
			refuse("twice the size", root, 2*n, i, leaf, path)
		}
	}
}

// TestVerifyInnerNode: the hash of an inner node is made of 64 bytes that look
// like a leaf. Without the prefixes they would pass for one in a shorter tree.
func TestVerifyInnerNode(t *testing.T) {
	leaves := numbered(4, 41)
	var hashes [4][32]byte
	for i, leaf := range leaves {
		hashes[i] = merkle.LeafHash(leaf)
	}
	root := merkle.Root(leaves)
	right := referenceNode(hashes[2], hashes[3])
	inner := slices.Concat(hashes[0][:], hashes[1][:])
	if merkle.Verify(root, 2, 0, inner, [][32]byte{right}) == nil {
		t.Error("an inner node goes through as a leaf")
	}
	if merkle.Verify(root, 2, 0, slices.Concat([]byte{1}, inner), [][32]byte{right}) == nil {
		t.Error("an inner node with its prefix goes through as a leaf")
	}
	left := referenceNode(hashes[0], hashes[1])
	top := slices.Concat(left[:], right[:])
	if merkle.Verify(root, 1, 0, top, nil) == nil {
		t.Error("the two halves go through as the only leaf")
	}
}

// TestRootAllocations: a root costs the same few allocations however long the
// list is.
func TestRootAllocations(t *testing.T) {
	few := testing.AllocsPerRun(10, func() { merkle.Root(numberedSmall) })
	many := testing.AllocsPerRun(10, func() { merkle.Root(numberedLarge) })
	if many > few+10 {
		t.Errorf("%v allocations for %d leaves, %v for %d", few, len(numberedSmall), many, len(numberedLarge))
	}
}

var (
	numberedSmall = numbered(100, 41)
	numberedLarge = numbered(10_000, 41)
)

// flip changes a bit of the byte at.
func flip(hash [32]byte, at int) [32]byte {
	hash[at] ^= 1 << (at % 8)
	return hash
}

func BenchmarkRoot(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		merkle.Root(numberedLarge)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(numberedLarge)), "ns/leaf")
}

func BenchmarkPath(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := merkle.Path(numberedLarge, 4321); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	root := merkle.Root(numberedLarge)
	path, err := merkle.Path(numberedLarge, 4321)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := merkle.Verify(root, uint64(len(numberedLarge)), 4321, numberedLarge[4321], path); err != nil {
			b.Fatal(err)
		}
	}
}
