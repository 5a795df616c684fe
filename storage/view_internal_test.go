package storage

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/message"
)

// TestFollower: whatever is asked for in order, near and far from each other, is found
// where it is, and only there.
func TestFollower(t *testing.T) {
	db, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: pebbleLogger{log: slog.New(slog.DiscardHandler)}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const ids = 3_000
	rng := rand.New(rand.NewPCG(1, 2))
	key := func(i int) []byte { return idKey(tableFinal, message.NewID(uint64(i), [32]byte{})) }
	var here [ids]bool
	for i := range ids {
		if here[i] = rng.IntN(10) > 0; here[i] {
			if err := db.Set(key(i), binary.BigEndian.AppendUint32(nil, uint32(i)), pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 200 {
		var asked []int
		for i := rng.IntN(ids); i < ids; {
			asked = append(asked, i)
			// Stretches of neighbours, with jumps of any width between them.
			if rng.IntN(12) > 0 {
				i += rng.IntN(3)
			} else {
				i += rng.IntN(100)
			}
		}
		for _, descending := range []bool{false, true} {
			if descending {
				slices.Reverse(asked)
			}
			f := newFollower(db, tableFinal, descending)
			for _, i := range asked {
				value, ok, err := at(f, key(i), decodeBytes)
				if err != nil {
					t.Fatal(err)
				}
				if ok != here[i] || ok && int(binary.BigEndian.Uint32(value)) != i {
					t.Fatalf("row %d, descending %v: %x, %v; want %v", i, descending, value, ok, here[i])
				}
			}
			f.close()
		}
	}
}
