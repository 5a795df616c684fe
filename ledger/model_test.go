package ledger_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"tangled/ledger"
	"tangled/message"
)

// model is the ledger in its plainest form: it keeps every nonce and every transfer
// for ever, and computes everything anew.
type model struct {
	balances map[message.Address]uint64
	spent    map[message.Address]map[uint64]bool
	applied  map[message.TransferID]uint64 // valid until
}

func (m *model) base(a message.Address) uint64 {
	var base uint64
	for m.spent[a][base] {
		base++
	}
	return base
}

func (m *model) apply(time uint64, t *message.Transfer) ledger.Outcome {
	if t == nil {
		return ledger.Included
	}
	from := message.AddressOf(t.From)
	_, known := m.applied[t.ID(network)]
	var sum uint64
	for _, out := range t.Outputs {
		sum += out.Amount
	}
	switch {
	case time > t.ValidUntil:
		return ledger.Expired
	case known:
		return ledger.Duplicate
	case m.spent[from][t.Nonce]:
		return ledger.DoubleSpend
	case t.Nonce > m.base(from)+63:
		return ledger.NonceTooFar
	case m.balances[from] < sum:
		return ledger.Insufficient
	}
	m.balances[from] -= sum
	for _, out := range t.Outputs {
		m.balances[out.Address] += out.Amount
	}
	if m.spent[from] == nil {
		m.spent[from] = make(map[uint64]bool)
	}
	m.spent[from][t.Nonce] = true
	m.applied[t.ID(network)] = t.ValidUntil
	return ledger.Applied
}

func (m *model) accounts() map[message.Address]ledger.Account {
	out := make(map[message.Address]ledger.Account)
	for address, balance := range m.balances {
		a := ledger.Account{Balance: balance, Base: m.base(address)}
		for i := range uint64(64) {
			if m.spent[address][a.Base+i] {
				a.Used |= 1 << i
			}
		}
		if a != (ledger.Account{}) {
			out[address] = a
		}
	}
	return out
}

func (m *model) unexpired(time uint64) map[message.TransferID]uint64 {
	out := make(map[message.TransferID]uint64)
	for id, until := range m.applied {
		if until >= time {
			out[id] = until
		}
	}
	return out
}

func (m *model) hash(time uint64) [32]byte {
	var elements [][]byte
	for address, a := range m.accounts() {
		elements = append(elements, element(1, address, a.Balance, a.Base, a.Used))
	}
	for id, until := range m.unexpired(time) {
		elements = append(elements, element(2, id, until))
	}
	return naiveHash(elements)
}

// traffic makes random transfers of a few owners, so that every outcome happens.
type traffic struct {
	*rand.Rand
	model *model
	sent  []*message.Transfer
}

func (r *traffic) transfer(time uint64) *message.Transfer {
	switch n := r.IntN(10); {
	case n == 0:
		return nil
	case n == 1 && len(r.sent) > 0:
		return r.sent[max(0, len(r.sent)-1-r.IntN(60))]
	}
	from := r.IntN(6)
	nonce := r.model.base(addressOf(from)) + r.Uint64N(4)
	switch r.IntN(8) {
	case 0:
		nonce += r.Uint64N(70)
	case 1:
		nonce -= min(nonce, r.Uint64N(6))
	}
	var outputs []message.Output
	for range 1 + r.IntN(3) {
		outputs = append(outputs, to(r.Uint64N(8), 1+r.Uint64N(30))...)
	}
	t := pay(from, nonce, time+r.Uint64N(20)-min(time, 3), outputs)
	r.sent = append(r.sent, t)
	return t
}

// TestAgainstModel: whatever comes, outcomes, accounts, remembered transfers, state
// hash and what Apply reports are those of the model; and a node that restored its
// ledger from what was reported is no different from one that never stopped.
func TestAgainstModel(t *testing.T) {
	seen := make(map[ledger.Outcome]int)
	for seed := range uint64(4) {
		r := &traffic{Rand: rand.New(rand.NewPCG(seed, 7))}
		r.model = &model{
			balances: map[message.Address]uint64{addressOf(0): 200, addressOf(1): 100, addressOf(2): 1},
			spent:    make(map[message.Address]map[uint64]bool),
			applied:  make(map[message.TransferID]uint64),
		}
		live := newLedger(t, 200, 100, 1)
		stored := &tables{maps.Clone(r.model.accounts()), make(map[message.TransferID]uint64)}
		time := uint64(5)
		for step := range 60 {
			entries := make([]ledger.Entry, r.IntN(25))
			for i := range entries {
				entries[i].Transfer = r.transfer(time)
			}
			other := stored.restore(t)
			result := live.Apply(time, entries)
			for i, e := range entries {
				want := r.model.apply(time, e.Transfer)
				if result.Outcomes[i] != want {
					t.Fatalf("seed %d, step %d, entry %d: %v, want %v", seed, step, i, result.Outcomes[i], want)
				}
				seen[want]++
			}
			stored.write(t, result)
			compare(t, live, r.model, stored, time)
			other.Apply(time, entries)
			if other.StateHash() != live.StateHash() || stored.restore(t).StateHash() != live.StateHash() {
				t.Fatalf("seed %d, step %d: the restored ledger differs", seed, step)
			}
			time += r.Uint64N(4)
		}
	}
	for outcome := ledger.Included; outcome <= ledger.Insufficient; outcome++ {
		if seen[outcome] < 20 {
			t.Errorf("%v happened %d times only", outcome, seen[outcome])
		}
	}
}

func compare(t *testing.T, l *ledger.Ledger, m *model, stored *tables, time uint64) {
	t.Helper()
	accounts, transfers := m.accounts(), m.unexpired(time)
	if got := maps.Collect(l.Accounts()); !maps.Equal(got, accounts) || l.Len() != len(accounts) {
		t.Fatalf("accounts %v, want %v", got, accounts)
	}
	if got := maps.Collect(l.Transfers()); !maps.Equal(got, transfers) {
		t.Fatalf("transfers %v, want %v", got, transfers)
	}
	if !maps.Equal(stored.accounts, accounts) || !maps.Equal(stored.transfers, transfers) {
		t.Fatal("what Apply reported does not add up to the ledger")
	}
	var total uint64
	for _, a := range l.Accounts() {
		total += a.Balance
	}
	if total != 301 || l.Supply() != 301 {
		t.Fatalf("balances add up to %d, supply %d", total, l.Supply())
	}
	if l.StateHash() != m.hash(time) {
		t.Fatal("state hash is not that of the state")
	}
}

// tables is what a node stores: it knows only what Apply reports.
type tables struct {
	accounts  map[message.Address]ledger.Account
	transfers map[message.TransferID]uint64
}

func (s *tables) write(t *testing.T, r ledger.Result) {
	t.Helper()
	for _, a := range r.Accounts {
		if s.accounts[a.Address] == a.Account {
			t.Fatalf("%v is reported and did not change", a.Address)
		}
		s.accounts[a.Address] = a.Account
	}
	if !slices.IsSortedFunc(r.Accounts, func(a, b ledger.ChangedAccount) int { return bytes.Compare(a.Address[:], b.Address[:]) }) {
		t.Fatal("accounts are not in order")
	}
	for _, e := range r.Expired {
		if until, ok := s.transfers[e.ID]; !ok || until != e.ValidUntil {
			t.Fatalf("%v was not remembered until %d", e.ID, e.ValidUntil)
		}
		delete(s.transfers, e.ID)
	}
	for _, a := range r.Applied {
		s.transfers[a.ID] = a.ValidUntil
	}
}

func (s *tables) restore(t *testing.T) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Restore(network, maps.All(s.accounts), maps.All(s.transfers))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
