package ledger_test

import (
	"encoding/binary"
	"maps"
	"math"
	"math/bits"
	"slices"
	"testing"

	"golang.org/x/crypto/blake2b"

	"tangled/ledger"
	"tangled/message"
)

var network = message.NetworkID{1, 2, 3}

func ownerKey(n int) [32]byte { return [32]byte{byte(n), byte(n >> 8), 0xee} }

func addressOf(n int) message.Address { return message.AddressOf(ownerKey(n)) }

// to are the outputs of one transfer: owner, amount, owner, amount...
func to(pairs ...uint64) []message.Output {
	var out []message.Output
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, message.Output{Address: addressOf(int(pair[0])), Amount: pair[1]})
	}
	return out
}

func pay(from int, nonce, validUntil uint64, outputs []message.Output) *message.Transfer {
	return &message.Transfer{From: ownerKey(from), Nonce: nonce, ValidUntil: validUntil, Outputs: outputs}
}

func entriesOf(transfers ...*message.Transfer) []ledger.Entry {
	var out []ledger.Entry
	for _, t := range transfers {
		out = append(out, ledger.Entry{Transfer: t})
	}
	return out
}

// newLedger has balances[i] at owner i.
func newLedger(t testing.TB, balances ...uint64) *ledger.Ledger {
	t.Helper()
	l := ledger.New(network)
	for i, amount := range balances {
		if err := l.Credit(addressOf(i), amount); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// restored is the ledger of one account, that of owner 0.
func restored(t testing.TB, a ledger.Account) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Restore(network, maps.All(map[message.Address]ledger.Account{addressOf(0): a}),
		maps.All(map[message.TransferID]uint64{}))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantOutcomes(t *testing.T, got []ledger.Outcome, want ...ledger.Outcome) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

func wantAccount(t *testing.T, l *ledger.Ledger, owner int, want ledger.Account) {
	t.Helper()
	if got := l.Account(addressOf(owner)); got != want {
		t.Errorf("account of owner %d is %+v, want %+v", owner, got, want)
	}
}

func wantPanic(t *testing.T, do func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	do()
}

func TestCredit(t *testing.T) {
	l := newLedger(t, 7, 0, math.MaxInt64-10)
	if err := l.Credit(addressOf(0), 3); err != nil {
		t.Fatal(err)
	}
	wantAccount(t, l, 0, ledger.Account{Balance: 10})
	for _, amount := range []uint64{1, math.MaxInt64, math.MaxUint64, math.MaxUint64 - math.MaxInt64 + 1} {
		if err := l.Credit(addressOf(0), amount); err == nil {
			t.Errorf("credited %d above the largest supply", amount)
		}
	}
	wantAccount(t, l, 0, ledger.Account{Balance: 10})
	if l.Supply() != math.MaxInt64 || l.Len() != 2 {
		t.Errorf("supply %d, %d accounts", l.Supply(), l.Len())
	}
}

func TestRestoreRefuses(t *testing.T) {
	type account = struct {
		owner   int
		account ledger.Account
	}
	tests := []struct {
		name      string
		accounts  []account
		transfers []message.TransferID
		valid     bool
	}{
		{"nothing", nil, nil, true},
		{"two of each", []account{{1, ledger.Account{Balance: 1}}, {2, ledger.Account{Base: 1}}}, []message.TransferID{{1}, {2}}, true},
		{"largest supply", []account{{1, ledger.Account{Balance: math.MaxInt64 - 1}}, {2, ledger.Account{Balance: 1}}}, nil, true},
		{"supply too large", []account{{1, ledger.Account{Balance: math.MaxInt64}}, {2, ledger.Account{Balance: 1}}}, nil, false},
		{"supply that wraps", []account{{1, ledger.Account{Balance: 2}}, {2, ledger.Account{Balance: math.MaxUint64}}}, nil, false},
		{"account twice", []account{{1, ledger.Account{Balance: 1}}, {1, ledger.Account{Balance: 1}}}, nil, false},
		{"account all zero", []account{{1, ledger.Account{}}}, nil, false},
		{"transfer twice", nil, []message.TransferID{{1}, {1}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			accounts := func(yield func(message.Address, ledger.Account) bool) {
				for _, a := range test.accounts {
					if !yield(addressOf(a.owner), a.account) {
						return
					}
				}
			}
			transfers := func(yield func(message.TransferID, uint64) bool) {
				for i, id := range test.transfers {
					if !yield(id, uint64(i)) {
						return
					}
				}
			}
			if _, err := ledger.Restore(network, accounts, transfers); (err == nil) != test.valid {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestStateHashDefinition computes the hash from the layout in the package comment
// alone.
func TestStateHashDefinition(t *testing.T) {
	if got, want := ledger.New(network).StateHash(), blake2b.Sum256(make([]byte, 2048)); got != want {
		t.Errorf("hash of nothing %x, want %x", got, want)
	}
	l := newLedger(t, 100)
	tr := pay(0, 2, 50, to(1, 30))
	l.Apply(10, entriesOf(tr))
	first, second, id := addressOf(0), addressOf(1), tr.ID(network)
	want := naiveHash([][]byte{
		element(1, first, 70, 0, 4),
		element(1, second, 30, 0, 0),
		element(2, id, 50),
	})
	if got := l.StateHash(); got != want {
		t.Errorf("hash %x, want %x", got, want)
	}
}

func element(tag byte, name [32]byte, numbers ...uint64) []byte {
	b := append([]byte{tag}, name[:]...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func naiveHash(elements [][]byte) [32]byte {
	var sum [1024]uint16
	for _, e := range elements {
		xof, err := blake2b.NewXOF(2048, nil)
		if err != nil {
			panic(err)
		}
		var expanded [2048]byte
		xof.Write(e)
		xof.Read(expanded[:])
		for i := range sum {
			sum[i] += uint16(expanded[2*i]) | uint16(expanded[2*i+1])<<8
		}
	}
	var b []byte
	for _, n := range sum {
		b = append(b, byte(n), byte(n>>8))
	}
	return blake2b.Sum256(b)
}

// TestStateHashOfEveryField: no two of these ledgers may pass for one another.
func TestStateHashOfEveryField(t *testing.T) {
	type state struct {
		name      string
		accounts  map[message.Address]ledger.Account
		transfers map[message.TransferID]uint64
	}
	one := func(owner int, a ledger.Account) map[message.Address]ledger.Account {
		return map[message.Address]ledger.Account{addressOf(owner): a}
	}
	seen := make(map[[32]byte]string)
	for _, s := range []state{
		{"nothing", nil, nil},
		{"an account", one(1, ledger.Account{Balance: 1}), nil},
		{"of another address", one(2, ledger.Account{Balance: 1}), nil},
		{"of another balance", one(1, ledger.Account{Balance: 2}), nil},
		{"of a high balance", one(1, ledger.Account{Balance: 1 << 62}), nil},
		{"base for balance", one(1, ledger.Account{Base: 1}), nil},
		{"used for balance", one(1, ledger.Account{Used: 1}), nil},
		{"of another base", one(1, ledger.Account{Balance: 1, Base: 1}), nil},
		{"of another map", one(1, ledger.Account{Balance: 1, Used: 2}), nil},
		{"of the highest bit", one(1, ledger.Account{Balance: 1, Used: 1 << 63}), nil},
		{"two accounts", map[message.Address]ledger.Account{addressOf(1): {Balance: 1}, addressOf(2): {Balance: 1}}, nil},
		{"a transfer", nil, map[message.TransferID]uint64{message.TransferID(addressOf(1)): 1}},
		{"of another ID", nil, map[message.TransferID]uint64{message.TransferID(addressOf(2)): 1}},
		{"of another end", nil, map[message.TransferID]uint64{message.TransferID(addressOf(1)): 2}},
		{"an account and a transfer", one(1, ledger.Account{Balance: 1}), map[message.TransferID]uint64{{1}: 1}},
	} {
		l, err := ledger.Restore(network, maps.All(s.accounts), maps.All(s.transfers))
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if other, ok := seen[l.StateHash()]; ok {
			t.Errorf("%q and %q have one hash", other, s.name)
		}
		seen[l.StateHash()] = s.name
	}
}

func TestIterationOrder(t *testing.T) {
	l := newLedger(t, slices.Repeat([]uint64{1000}, 40)...)
	var transfers []*message.Transfer
	for i := range 40 {
		// Reversed bits: neither ascending nor the order of the heap's slice; some
		// end together.
		until := 100 + uint64(bits.Reverse8(uint8(i)))/8
		transfers = append(transfers, pay(i, 0, until, to(uint64(i), 1)))
	}
	l.Apply(1, entriesOf(transfers...))
	var addresses []message.Address
	for address, a := range l.Accounts() {
		if a != l.Account(address) {
			t.Errorf("account of %v is %+v", address, a)
		}
		addresses = append(addresses, address)
	}
	if len(addresses) != 40 || !slices.IsSortedFunc(addresses, func(a, b message.Address) int { return slices.Compare(a[:], b[:]) }) {
		t.Errorf("%d addresses, or not in order", len(addresses))
	}
	var keys []string
	for id, until := range l.Transfers() {
		keys = append(keys, string(binary.BigEndian.AppendUint64(nil, until))+string(id[:]))
	}
	if len(keys) != 40 || !slices.IsSorted(keys) {
		t.Errorf("%d transfers, or not in order", len(keys))
	}
	for range l.Accounts() {
		break
	}
	for range l.Transfers() {
		break
	}
}

func TestOutcomeNumbers(t *testing.T) {
	want := []string{"outcome(0)", "included", "applied", "expired", "duplicate", "double spend", "nonce too far", "insufficient", "outcome(8)"}
	for i, name := range want {
		if got := ledger.Outcome(i).String(); got != name {
			t.Errorf("outcome %d is %q, want %q", i, got, name)
		}
	}
	all := []ledger.Outcome{ledger.Included, ledger.Applied, ledger.Expired, ledger.Duplicate, ledger.DoubleSpend, ledger.NonceTooFar, ledger.Insufficient}
	for i, o := range all {
		if int(o) != i+1 {
			t.Errorf("%v has number %d, which every commitment would change with", o, o)
		}
	}
}
