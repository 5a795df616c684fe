package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// TestLtHashKnownValue pins the hash to the value that facebook/folly's
// LtHashTest.cpp, addObjectWithKnownValue, publishes for LtHash<16, 1024>: its
// first and last 32 bytes, and the BLAKE2b-256 of its 2,048.
func TestLtHashKnownValue(t *testing.T) {
	h := newLtHash()
	h.add([]byte("a"))
	h.add([]byte("b"))
	h.add([]byte("hello"))
	h.remove([]byte("b"))
	b := h.bytes()
	if len(b) != 2048 {
		t.Fatalf("%d bytes", len(b))
	}
	digest := blake2b.Sum256(b)
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"first", b[:32], "353cae6169e519eb9cf80edd2c5b33810276227e77a09030e3ac3b00299c9716"},
		{"last", b[2048-32:], "7e945a765e2f614993f2b56055481e3702371d4eb86c872ca65269125be61d86"},
		{"all", digest[:], "944a47870b0bcb2fb2515f0c1046190ef71d80b5b55d840730a7550238c1b5f7"},
	} {
		if got := hex.EncodeToString(test.got); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// plainLtHash is the definition: a sum of 1,024 numbers of 16 bits.
func plainLtHash(t *testing.T, elements ...[]byte) [1024]uint16 {
	t.Helper()
	var sum [1024]uint16
	for _, element := range elements {
		xof, err := blake2b.NewXOF(2048, nil)
		if err != nil {
			t.Fatal(err)
		}
		var expanded [2048]byte
		if _, err := xof.Write(element); err != nil {
			t.Fatal(err)
		}
		if _, err := xof.Read(expanded[:]); err != nil {
			t.Fatal(err)
		}
		for i := range sum {
			sum[i] += binary.LittleEndian.Uint16(expanded[2*i:])
		}
	}
	return sum
}

func plainBytes(sum [1024]uint16) []byte {
	var b []byte
	for _, n := range sum {
		b = binary.LittleEndian.AppendUint16(b, n)
	}
	return b
}

// TestLtHashIsASum: after any adding and removing the hash is the plain sum over
// what is left, whatever the order it came in.
func TestLtHashIsASum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := newLtHash()
	var held [][]byte
	for range 200 {
		if len(held) > 0 && random.IntN(3) == 0 {
			i := random.IntN(len(held))
			h.remove(held[i])
			held = append(held[:i], held[i+1:]...)
		} else {
			element := binary.BigEndian.AppendUint64(nil, random.Uint64N(20)) // some are there more than once
			h.add(element)
			held = append(held, element)
		}
		random.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		if got, want := h.bytes(), plainBytes(plainLtHash(t, held...)); string(got) != string(want) {
			t.Fatalf("wrong with %d elements", len(held))
		}
	}
	for _, element := range held {
		h.remove(element)
	}
	if h.sum != [lthashNumbers]uint16{} {
		t.Error("not zero with nothing left")
	}
}

// TestLtHashMultiplicity: an element that is there twice is not there once, nor
// never.
func TestLtHashMultiplicity(t *testing.T) {
	h := newLtHash()
	h.add([]byte("a"))
	once := h.sum
	h.add([]byte("a"))
	if h.sum == once || h.sum == [lthashNumbers]uint16{} {
		t.Error("twice is like once, or like never")
	}
	h.remove([]byte("a"))
	if h.sum != once {
		t.Error("twice less once is not once")
	}
}

func BenchmarkLtHashAdd(b *testing.B) {
	h := newLtHash()
	element := make([]byte, 57)
	for b.Loop() {
		h.add(element)
	}
}
