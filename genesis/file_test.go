package genesis_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"tangled/genesis"
)

func TestFormatParse(t *testing.T) {
	for _, test := range oneFieldChanged {
		t.Run(test.name, func(t *testing.T) {
			g := testGenesis()
			test.change(g)
			roundTrip(t, g)
		})
	}
	t.Run("smallest", func(t *testing.T) {
		roundTrip(t, &genesis.Genesis{Name: "a", Start: time.Unix(0, 1).UTC(), Window: genesis.MinWindow, MaxIncluded: 1})
	})
	t.Run("largest", func(t *testing.T) {
		g := testGenesis()
		g.Name = strings.Repeat("z", genesis.MaxNameSize)
		g.Start = time.Unix(0, math.MaxInt64).UTC()
		g.Window = math.MaxInt64
		g.DataBits, g.TransferBits, g.WitnessBits = genesis.MaxBits, genesis.MaxBits, genesis.MaxBits
		g.MaxIncluded = genesis.MaxMaxIncluded
		g.Committee = seats(genesis.MaxSeats)
		for i := range g.Committee {
			g.Committee[i].Weight = 1 << 45
		}
		g.Committee[0].Weight = (genesis.MaxCycle - 30) << 45
		g.Balances[0].Amount = math.MaxInt64
		roundTrip(t, g)
	})
}

func roundTrip(t *testing.T, g *genesis.Genesis) {
	t.Helper()
	text, err := genesis.Format(g)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := genesis.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(parsed, g) {
		t.Errorf("parsed %+v\n  want %+v", parsed, g)
	}
	if parsed.Hash() != g.Hash() {
		t.Error("the hash changed on the way")
	}
}

// TestFormatZone: the zone of the operator's clock is not part of the network.
func TestFormatZone(t *testing.T) {
	g := testGenesis()
	g.Start = g.Start.In(time.FixedZone("", 2*60*60))
	text, err := genesis.Format(g)
	if err != nil {
		t.Fatal(err)
	}
	want, err := genesis.Format(testGenesis())
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(want) {
		t.Errorf("formatted\n%s\nwant\n%s", text, want)
	}
}

const testFile = `
name = "city-1"
start = "2026-01-02T03:04:05.600000007Z"
window = "30m"
data_bits = 10
transfer_bits = 11
witness_bits = 2
max_included = 40000

[[committee]]
key = "0101010101010101010101010101010101010101010101010101010101010101"
weight = 3

[[committee]]
key = "0202020202020202020202020202020202020202020202020202020202020202"
weight = 5

[[balances]]
address = "0303030303030303030303030303030303030303030303030303030303030303"
amount = 7

[[balances]]
address = "0404040404040404040404040404040404040404040404040404040404040404"
amount = 0
`

// TestParseFile reads what people wrote, not what Format did.
func TestParseFile(t *testing.T) {
	for name, text := range map[string]string{
		"as it is":      testFile,
		"other zone":    strings.Replace(testFile, "03:04:05.600000007Z", "05:04:05.600000007+02:00", 1),
		"other unit":    strings.Replace(testFile, `"30m"`, `"1800s"`, 1),
		"with a remark": "# ours\n" + testFile,
	} {
		t.Run(name, func(t *testing.T) {
			g, err := genesis.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(g, testGenesis()) || g.Hash() != testGenesis().Hash() {
				t.Errorf("parsed %+v", g)
			}
		})
	}
}

// TestParseDefaults: what is left out is the default, and part of the network's
// hash as if it had been written.
func TestParseDefaults(t *testing.T) {
	short := testFile
	for _, line := range []string{"transfer_bits = 11\n", "witness_bits = 2\n", "max_included = 40000\n"} {
		short = strings.Replace(short, line, "", 1)
	}
	want := testGenesis()
	want.TransferBits, want.WitnessBits, want.MaxIncluded = 10, 0, 50_000
	g, err := genesis.Parse([]byte(short))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, want) || g.Hash() != want.Hash() {
		t.Errorf("parsed %+v", g)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		want     string // in the error
	}{
		{"unknown key", "data_bits = 10", "data_bits = 10\ndata_bitz = 11", "data_bitz"},
		{"unknown key in a seat", "weight = 3", "weight = 3\nwait = 3", "wait"},
		{"unknown table", "[[balances]]", "[[balance]]", "balance"},
		{"key twice", "data_bits = 10", "data_bits = 10\ndata_bits = 10", "data_bits"},
		{"no TOML", "name =", "name", "genesis: "},
		{"data bits as text", "data_bits = 10", `data_bits = "10"`, "genesis: "},
		{"start missing", `start = "2026-01-02T03:04:05.600000007Z"`, "", "start"},
		{"start without a zone", "007Z", "007", "start"},
		{"window missing", `window = "30m"`, "", "window"},
		{"window without a unit", `"30m"`, `"30"`, "window"},
		{"seat's key too short", "0101\"", "01\"", "key of seat 0"},
		{"seat's key too long", "0202\"", "020202\"", "key of seat 1"},
		{"seat's key not hexadecimal", "0202\"", "020x\"", "key of seat 1"},
		{"address too short", "0303\"", "03\"", "address of balance 0"},
		{"address not hexadecimal", "0404\"", "04zz\"", "address of balance 1"},
		{"negative weight", "weight = 3", "weight = -3", "genesis: "},
		{"negative amount", "amount = 7", "amount = -7", "genesis: "},
		{"amount of 2^63", "amount = 7", "amount = 9223372036854775808", "genesis: "},
		// The rules of Validate hold for a file too.
		{"window too short", `"30m"`, `"9s"`, "window"},
		{"empty anchor", "max_included = 40000", "max_included = 0", "max included"},
		{"repeated seat", strings.Repeat("02", 32), strings.Repeat("01", 32), "seat 1 repeats"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(testFile, test.old, test.new, 1)
			if text == testFile {
				t.Fatal("nothing was replaced")
			}
			_, err := genesis.Parse([]byte(text))
			wantError(t, err, test.want)
		})
	}
}

// FuzzParse: whatever is taken is valid, survives Format, and stays the same
// network.
func FuzzParse(f *testing.F) {
	f.Add([]byte(testFile))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := genesis.Parse(b)
		if err != nil {
			return
		}
		if err := g.Validate(); err != nil {
			t.Fatalf("parsed, but %v", err)
		}
		roundTrip(t, g)
	})
}
