package main

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// TestSearch runs what is generated and compares it with the library, on
// machines too that lack the instructions: the first solution is found in every
// lane, also where nonces wrap around at 2^64, and none where there is none.
func TestSearch(t *testing.T) {
	f, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"searchAVX2", "searchAVX512"} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			const most = 3 * lanesAVX512 // nonces of a search
			found := map[uint64]int{}
			for range 400 {
				var hash [32]byte
				for i := range 4 {
					binary.LittleEndian.PutUint64(hash[8*i:], r.Uint64())
				}
				start, n, zeros := r.Uint64(), r.Uint64N(most), 1+r.IntN(7)
				if r.IntN(3) == 0 {
					start = -r.Uint64N(most)
				}
				limit := uint64(math.MaxUint64) >> zeros
				want := first(hash, start, n, limit)
				got, err := run(f, name, prepared(hash), start, n, limit)
				if err != nil {
					t.Fatal(err)
				}
				if got != want && (want < n || got < n) {
					t.Fatalf("hash %x from %d, %d nonces, %d bits: %d, want %d", hash, start, n, zeros, got, want)
				}
				if want < n {
					found[want%lanesAVX512]++
				} else {
					found[math.MaxUint64]++
				}
			}
			if len(found) != lanesAVX512+1 {
				t.Errorf("solutions in lanes %v: not in all, or no search without one", found)
			}
		})
	}
}

// first is the offset of the first solution, by the library; n if there is none.
func first(hash [32]byte, start, n, limit uint64) uint64 {
	for i := range n {
		digest := blake2b.Sum256(binary.BigEndian.AppendUint64(hash[:], start+i))
		if binary.BigEndian.Uint64(digest[:]) <= limit {
			return i
		}
	}
	return n
}

// prepared are the 20 words of a block: four of the hash, and the state after
// those mixings of the first step that the nonce does not meet.
func prepared(hash [32]byte) (words [20]uint64) {
	iv := [8]uint64{
		0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
		0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
	}
	m, v := words[:4], words[4:]
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(hash[8*i:])
	}
	copy(v, iv[:])
	copy(v[8:], iv[:])
	v[0] = h0
	v[12] ^= uint64(len(hash) + 8)
	v[14] = ^v[14]
	message := [16]uint64{m[0], m[1], m[2], m[3]}
	for q, w := range quarter[:4] {
		if q == nonceWord/2 {
			continue
		}
		a, b, c, d := &v[w[0]], &v[w[1]], &v[w[2]], &v[w[3]]
		for half, rotations := range [][2]int{{32, 24}, {16, 63}} {
			*a += *b + message[sigma[0][2*q+half]]
			*d = bits.RotateLeft64(*d^*a, -rotations[0])
			*c += *d
			*b = bits.RotateLeft64(*b^*c, -rotations[1])
		}
	}
	return words
}
