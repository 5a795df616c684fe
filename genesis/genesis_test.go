package genesis_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
)

func key(n byte) [32]byte { return [32]byte(bytes.Repeat([]byte{n}, 32)) }

// testGenesis is a valid genesis with every field set.
func testGenesis() *genesis.Genesis {
	return &genesis.Genesis{
		Name:         "city-1",
		Start:        time.Date(2026, 1, 2, 3, 4, 5, 600_000_007, time.UTC),
		Window:       30 * time.Minute,
		DataBits:     10,
		TransferBits: 11,
		WitnessBits:  2,
		MaxIncluded:  40_000,
		Committee:    []genesis.Seat{{Key: key(1), Weight: 3}, {Key: key(2), Weight: 5}},
		Balances:     []genesis.Balance{{Address: key(3), Amount: 7}, {Address: key(4), Amount: 0}},
	}
}

// TestEncodeGolden pins the encoding byte by byte: a difference would put every
// network that exists into another one.
func TestEncodeGolden(t *testing.T) {
	tests := []struct {
		name    string
		genesis *genesis.Genesis
		encoded string
		hash    string
	}{
		{
			name:    "every field",
			genesis: testGenesis(),
			encoded: "01" + "06" + hex.EncodeToString([]byte("city-1")) +
				"1886caf240597807" + // 1,767,323,045,600,000,007 ns
				"000001a3185c5000" + // 1,800 s
				"0a" + "0b" + "02" +
				"00009c40" + // 40,000
				"0002" + strings.Repeat("01", 32) + "0000000000000003" + strings.Repeat("02", 32) + "0000000000000005" +
				"00000002" + strings.Repeat("03", 32) + "0000000000000007" + strings.Repeat("04", 32) + "0000000000000000",
			hash: "399f67ac24b2e199f07866c72e7ccb558b3a1bd4430b910d83b5e7268e50aecc",
		},
		{
			name:    "smallest",
			genesis: &genesis.Genesis{Name: "a", Start: time.Unix(0, 1), Window: 10 * time.Second, MaxIncluded: 1},
			encoded: "01" + "01" + "61" + "0000000000000001" + "00000002540be400" + "00" + "00" + "00" + "00000001" + "0000" + "00000000",
			hash:    "2fe737864b1d63aee205339ef40c11c6ffdd529e32bf24889a4c9982c9c0fbe5",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.genesis.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(test.genesis.Encode()); got != test.encoded {
				t.Errorf("encoded %s\n   want %s", got, test.encoded)
			}
			hash := test.genesis.Hash()
			if got := hex.EncodeToString(hash[:]); got != test.hash {
				t.Errorf("hash %s\nwant %s", got, test.hash)
			}
			if want := blake2b.Sum256(test.genesis.Encode()); hash != want {
				t.Errorf("hash is not that of the encoding, %x", want)
			}
			if network := test.genesis.Network(); !bytes.Equal(network[:], hash[:8]) {
				t.Errorf("network is %x", network)
			}
			id := test.genesis.ID()
			if at := binary.BigEndian.Uint64(id[:]); at != uint64(test.genesis.Start.UnixNano()) || !bytes.Equal(id[8:], hash[:]) {
				t.Errorf("ID is %x", id)
			}
		})
	}
}

// oneFieldChanged has the fields that two networks can differ in, one a line.
var oneFieldChanged = []struct {
	name   string
	change func(g *genesis.Genesis)
}{
	{"nothing", func(*genesis.Genesis) {}},
	{"name", func(g *genesis.Genesis) { g.Name = "city-2" }},
	{"name and what follows it", func(g *genesis.Genesis) { g.Name = "city-10" }},
	{"start", func(g *genesis.Genesis) { g.Start = g.Start.Add(1) }},
	{"window", func(g *genesis.Genesis) { g.Window++ }},
	{"data bits", func(g *genesis.Genesis) { g.DataBits++ }},
	{"transfer bits", func(g *genesis.Genesis) { g.TransferBits++ }},
	{"witness bits", func(g *genesis.Genesis) { g.WitnessBits++ }},
	{"data bits for transfer bits", func(g *genesis.Genesis) { g.DataBits, g.TransferBits = g.TransferBits, g.DataBits }},
	{"max included", func(g *genesis.Genesis) { g.MaxIncluded++ }},
	{"high byte of max included", func(g *genesis.Genesis) { g.MaxIncluded += 1 << 16 }},
	{"key of a seat", func(g *genesis.Genesis) { g.Committee[1].Key[31]++ }},
	{"weight of a seat", func(g *genesis.Genesis) { g.Committee[1].Weight++ }},
	{"order of seats", func(g *genesis.Genesis) {
		g.Committee[0], g.Committee[1] = g.Committee[1], g.Committee[0]
	}},
	{"one seat more", func(g *genesis.Genesis) {
		g.Committee = append(g.Committee, genesis.Seat{Key: key(9), Weight: 1})
	}},
	{"one seat less", func(g *genesis.Genesis) { g.Committee = g.Committee[:1] }},
	{"address of a balance", func(g *genesis.Genesis) { g.Balances[1].Address[31]++ }},
	{"amount of a balance", func(g *genesis.Genesis) { g.Balances[1].Amount++ }},
	{"order of balances", func(g *genesis.Genesis) {
		g.Balances[0], g.Balances[1] = g.Balances[1], g.Balances[0]
	}},
	{"one balance more", func(g *genesis.Genesis) {
		g.Balances = append(g.Balances, genesis.Balance{Address: key(9)})
	}},
	{"one balance less", func(g *genesis.Genesis) { g.Balances = g.Balances[:1] }},
	{"a seat made a balance", func(g *genesis.Genesis) {
		g.Committee = g.Committee[:1]
		g.Balances = append([]genesis.Balance{{Address: key(2), Amount: 5}}, g.Balances...)
	}},
}

func TestEveryFieldInHash(t *testing.T) {
	seen := make(map[[32]byte]string)
	for _, test := range oneFieldChanged {
		g := testGenesis()
		test.change(g)
		if err := g.Validate(); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		if other, ok := seen[g.Hash()]; ok {
			t.Errorf("%q and %q give one network", other, test.name)
		}
		seen[g.Hash()] = test.name
	}
}

// TestValidate has every rule from both sides; want is a word of the error, and
// empty for what is valid.
func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(g *genesis.Genesis)
		want   string
	}{
		{"as it is", func(*genesis.Genesis) {}, ""},
		{"no name", func(g *genesis.Genesis) { g.Name = "" }, "name"},
		{"longest name", func(g *genesis.Genesis) { g.Name = strings.Repeat("a", 64) }, ""},
		{"name too long", func(g *genesis.Genesis) { g.Name = strings.Repeat("a", 65) }, "name"},
		{"name of the outermost characters", func(g *genesis.Genesis) { g.Name = "az09-" }, ""},
		{"name in capitals", func(g *genesis.Genesis) { g.Name = "City" }, "name"},
		{"name with a space", func(g *genesis.Genesis) { g.Name = "a b" }, "name"},
		{"name with a dot", func(g *genesis.Genesis) { g.Name = "a.b" }, "name"},
		{"name with a slash", func(g *genesis.Genesis) { g.Name = "../a" }, "name"},
		{"name not ASCII", func(g *genesis.Genesis) { g.Name = "süd" }, "name"},
		{"name not UTF-8", func(g *genesis.Genesis) { g.Name = "a\xff" }, "name"},
		{"no start", func(g *genesis.Genesis) { g.Start = time.Time{} }, "start"},
		{"start in 1970", func(g *genesis.Genesis) { g.Start = time.Unix(0, 0) }, "start"},
		{"start 1 ns into 1970", func(g *genesis.Genesis) { g.Start = time.Unix(0, 1) }, ""},
		{"start before 1970", func(g *genesis.Genesis) { g.Start = time.Unix(-1, 0) }, "start"},
		{"latest start", func(g *genesis.Genesis) { g.Start = time.Unix(0, math.MaxInt64) }, ""},
		{"shortest window", func(g *genesis.Genesis) { g.Window = 10 * time.Second }, ""},
		{"window too short", func(g *genesis.Genesis) { g.Window = 10*time.Second - 1 }, "window"},
		{"negative window", func(g *genesis.Genesis) { g.Window = -time.Hour }, "window"},
		{"no work", func(g *genesis.Genesis) { g.DataBits = 0 }, ""},
		{"most work", func(g *genesis.Genesis) { g.DataBits = 40 }, ""},
		{"too much work", func(g *genesis.Genesis) { g.DataBits = 41 }, "data bits"},
		{"negative work", func(g *genesis.Genesis) { g.DataBits = -1 }, "data bits"},
		{"no work of a transfer", func(g *genesis.Genesis) { g.TransferBits = 0 }, ""},
		{"most work of a transfer", func(g *genesis.Genesis) { g.TransferBits = 40 }, ""},
		{"too much work of a transfer", func(g *genesis.Genesis) { g.TransferBits = 41 }, "transfer bits"},
		{"negative work of a transfer", func(g *genesis.Genesis) { g.TransferBits = -1 }, "transfer bits"},
		{"no work of a witness", func(g *genesis.Genesis) { g.WitnessBits = 0 }, ""},
		{"most work of a witness", func(g *genesis.Genesis) { g.WitnessBits = 40 }, ""},
		{"too much work of a witness", func(g *genesis.Genesis) { g.WitnessBits = 41 }, "witness bits"},
		{"negative work of a witness", func(g *genesis.Genesis) { g.WitnessBits = -1 }, "witness bits"},
		{"smallest anchor", func(g *genesis.Genesis) { g.MaxIncluded = 1 }, ""},
		{"empty anchor", func(g *genesis.Genesis) { g.MaxIncluded = 0 }, "max included"},
		{"largest anchor", func(g *genesis.Genesis) { g.MaxIncluded = 1_000_000 }, ""},
		{"anchor too large", func(g *genesis.Genesis) { g.MaxIncluded = 1_000_001 }, "max included"},
		{"no balances", func(g *genesis.Genesis) { g.Balances = nil }, ""},
		{"address twice", func(g *genesis.Genesis) { g.Balances[1].Address = g.Balances[0].Address }, "balance 1 repeats"},
		{"largest supply", func(g *genesis.Genesis) { g.Balances[1].Amount = math.MaxInt64 - 7 }, ""},
		{"supply too large", func(g *genesis.Genesis) { g.Balances[1].Amount = math.MaxInt64 - 6 }, "balances"},
		{"amount that wraps the supply", func(g *genesis.Genesis) { g.Balances[1].Amount = math.MaxUint64 }, "balances"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := testGenesis()
			test.change(g)
			wantError(t, g.Validate(), test.want)
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Error(err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one about %q", err, want)
	}
}

// TestValidateStartFitsEncoding: a start whose nanoseconds do not fit 64 bits
// wraps to the encoding of another time, and so to another network's hash.
func TestValidateStartFitsEncoding(t *testing.T) {
	for _, start := range []time.Time{
		time.Date(1400, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2263, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2600, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		g := testGenesis()
		g.Start = start
		if err := g.Validate(); err == nil {
			t.Errorf("start %v is valid, and encoded as %v", start, time.Unix(0, start.UnixNano()).UTC())
		}
	}
}
