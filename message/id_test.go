package message_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tangled/message"
)

// TestIDSortsByTime: the byte order of IDs, which is the storage's key order,
// is the order of time.
func TestIDSortsByTime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var ids []message.ID
	for range 1000 {
		// Shifts spread the times over all lengths of numbers.
		ids = append(ids, testID(rng.Uint64()>>rng.UintN(64), byte(rng.Uint32())))
	}
	slices.SortFunc(ids, message.ID.Compare)
	for i := 1; i < len(ids); i++ {
		a, b := ids[i-1], ids[i]
		if a.Timestamp() > b.Timestamp() {
			t.Fatalf("%v sorts before %v", a, b)
		}
		if bytes.Compare(a[:], b[:]) > 0 {
			t.Fatalf("order of %v and %v is not that of their bytes", a, b)
		}
	}
}

func TestIDFields(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC)
	id := testID(uint64(at.UnixNano()), 9)
	if !id.Time().Equal(at) || id.Time().Location() != time.UTC {
		t.Errorf("time is %v, want %v", id.Time(), at)
	}
	if id.Timestamp() != uint64(at.UnixNano()) {
		t.Errorf("timestamp is %d", id.Timestamp())
	}
	if id.Hash() != [32]byte(bytes.Repeat([]byte{9}, 32)) {
		t.Errorf("hash is %x", id.Hash())
	}
	if id.IsZero() || !(message.ID{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	for i := range id {
		var one message.ID
		if one[i] = 1; one.IsZero() {
			t.Errorf("an ID with byte %d set counts as zero", i)
		}
	}
}

func TestIDText(t *testing.T) {
	id := testID(0x0102030405060708, 0xab)
	want := "0102030405060708" + strings.Repeat("ab", 32)
	if id.String() != want {
		t.Errorf("String is %s", id)
	}
	text, err := json.Marshal(map[message.ID]message.ID{id: id})
	if err != nil || string(text) != `{"`+want+`":"`+want+`"}` {
		t.Errorf("JSON is %s, %v", text, err)
	}
	var back map[message.ID]message.ID
	if err := json.Unmarshal(text, &back); err != nil || back[id] != id {
		t.Errorf("from JSON: %v, %v", back, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := testID(1, 2).String()
	for _, s := range []string{"", good[1:], good + "0", good + "00", "g" + good[1:], " " + good[1:]} {
		if id, err := message.ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("ParseID(%q) = %v, %v", s, id, err)
		}
		id := testID(3, 4)
		if err := id.UnmarshalText([]byte(s)); err == nil || id != testID(3, 4) {
			t.Errorf("UnmarshalText(%q) = %v, left %v", s, err, id)
		}
	}
}
