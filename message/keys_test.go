package message

import (
	"crypto/ed25519"
	"testing"
)

// testKeys are n public keys.
func testKeys(n int) []Issuer {
	issuers := make([]Issuer, n)
	for i := range issuers {
		key := ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), byte(i)))
		issuers[i] = Issuer(key.Public().(ed25519.PublicKey))
	}
	return issuers
}

// TestKeysGenerations: as many keys as a generation holds stay while they are
// used, whatever else passes by, and never more than two generations are held.
func TestKeysGenerations(t *testing.T) {
	const limit = 4
	k := newKeys(limit)
	issuers := testKeys(40)
	regular := k.get(issuers[0])
	once := k.get(issuers[1])
	for _, stranger := range issuers[2:] {
		k.get(stranger)
		if k.get(issuers[0]) != regular {
			t.Fatal("a key in use was expanded again")
		}
		if n := len(k.new) + len(k.old); n > 2*limit {
			t.Fatalf("%d keys held, at most %d", n, 2*limit)
		}
	}
	if k.get(issuers[1]) == once {
		t.Error("a key not used any more was kept")
	}
}

// TestKeysOffCurve: a key on no point is none, and takes no room.
func TestKeysOffCurve(t *testing.T) {
	k := newKeys(4)
	offCurve := Issuer{2} // y = 2
	for range 2 {
		if k.get(offCurve) != nil {
			t.Fatal("a point for y = 2")
		}
	}
	if len(k.new)+len(k.old) > 0 {
		t.Error("a key on no point is held")
	}
}
