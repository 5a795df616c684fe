package genesis_test

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
)

func seats(n int) []genesis.Seat { return weighted(slices.Repeat([]uint64{1}, n)...) }

func weighted(weights ...uint64) []genesis.Seat {
	var out []genesis.Seat
	for i, weight := range weights {
		out = append(out, genesis.Seat{Key: key(byte(i)), Weight: weight})
	}
	return out
}

// TestValidateCommittee has every rule from both sides; want is a word of the
// error, and empty for what is valid.
func TestValidateCommittee(t *testing.T) {
	twice := seats(2)
	twice[1].Key = twice[0].Key
	tests := []struct {
		name  string
		seats []genesis.Seat
		want  string
	}{
		{"none", nil, ""},
		{"one", weighted(1), ""},
		{"largest", seats(31), ""},
		{"too large", seats(32), "32 seats"},
		{"key twice", twice, "seat 1 repeats"},
		{"weight zero", weighted(1, 0), "seat 1 has weight"},
		{"only weight zero", weighted(0), "seat 0 has weight"},
		{"longest cycle", weighted(3, 65_533), ""},
		{"cycle too long", weighted(3, 65_534), "65537 times"},
		{"large weights of a short cycle", weighted(3<<40, 5<<40), ""},
		{"longest cycle of large weights", weighted(3<<45, 65_533<<45), ""},
		{"large weights a step apart", weighted(1<<40, 1<<40+1), "divisor"},
		{"divisor of all but one", weighted(1<<20, 1<<20, 1), "2097153 times"},
		{"largest weight", weighted(1 << 61), ""},
		{"weight too large", weighted(1<<61 + 1), "seat 0 has weight"},
		{"largest sum", weighted(1<<60, 1<<60), ""},
		{"sum too large", weighted(1<<60, 1<<60, 1<<60), "seat 2 has weight"},
		{"weights that wrap the sum", weighted(1<<62, 1<<62, 1<<62, 1<<62), "seat 0 has weight"},
		{"weight that wraps the sum", weighted(2, math.MaxUint64-1), "seat 1 has weight"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := testGenesis()
			g.Committee = test.seats
			wantError(t, g.Validate(), test.want)
		})
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name  string
		seats []genesis.Seat
		want  []string // a word of each
	}{
		{"no seats", nil, []string{"nothing ever becomes final"}},
		{"one", seats(1), []string{"committee of 1 tolerates no fault"}},
		{"three", seats(3), []string{"committee of 3 tolerates no fault"}},
		{"four", seats(4), nil},
		{"31", seats(31), nil},
		{"just below a third", weighted(2, 2, 2, 1), nil},
		{"exactly a third", weighted(1, 1, 2, 2), []string{"seat 2 has", "seat 3 has"}},
		{"more than a third", weighted(1, 5, 2, 2, 2), []string{"seat 1 has a third of the weight or more (5 of 12)"}},
		{"of the largest sum", weighted(1<<60, 1<<58, 1<<58, 1<<58, 1<<58), []string{"seat 0 has"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := testGenesis()
			g.Committee = test.seats
			if err := g.Validate(); err != nil {
				t.Fatal(err)
			}
			got := g.Warnings()
			if !slices.EqualFunc(got, test.want, strings.Contains) {
				t.Errorf("warned of %q, want %q", got, test.want)
			}
		})
	}
}

// TestPartHashes pins what the two hashes of parts cover, byte by byte.
func TestPartHashes(t *testing.T) {
	g := testGenesis()
	for _, test := range []struct {
		name    string
		got     [32]byte
		encoded string
	}{
		{"committee", g.CommitteeHash(), "0002" +
			strings.Repeat("01", 32) + "0000000000000003" + strings.Repeat("02", 32) + "0000000000000005"},
		{"parameters", g.ParametersHash(), "000001a3185c5000" + "0a" + "0b" + "02" + "00009c40"},
	} {
		encoded, err := hex.DecodeString(test.encoded)
		if err != nil {
			t.Fatal(err)
		}
		if want := blake2b.Sum256(encoded); test.got != want {
			t.Errorf("%s: hash %x, want %x", test.name, test.got, want)
		}
		if !strings.Contains(hex.EncodeToString(g.Encode()), test.encoded) {
			t.Errorf("%s: not a part of the canonical encoding", test.name)
		}
	}
	empty := testGenesis()
	empty.Committee = nil
	if want := blake2b.Sum256([]byte{0, 0}); empty.CommitteeHash() != want {
		t.Errorf("hash of no committee %x, want %x", empty.CommitteeHash(), want)
	}
}
