package ledger_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"tangled/ledger"
	"tangled/message"
)

const (
	included     = ledger.Included
	applied      = ledger.Applied
	expired      = ledger.Expired
	duplicate    = ledger.Duplicate
	doubleSpend  = ledger.DoubleSpend
	nonceTooFar  = ledger.NonceTooFar
	insufficient = ledger.Insufficient
)

// anchor is one Apply and what is to become of its entries.
type anchor struct {
	time      uint64
	transfers []*message.Transfer
	want      []ledger.Outcome
}

func list(transfers ...*message.Transfer) []*message.Transfer { return transfers }

// TestOutcomes: owners 0 and 1 have 100 each, owner 2 nothing.
func TestOutcomes(t *testing.T) {
	first := pay(0, 0, 50, to(2, 10))
	type outcomes = []ledger.Outcome
	tests := []struct {
		name    string
		anchors []anchor
	}{
		{"nothing to apply", []anchor{{1, list(nil, nil), outcomes{included, included}}}},
		{"applied", []anchor{{1, list(first), outcomes{applied}}}},
		{"at the end of its validity", []anchor{{50, list(first), outcomes{applied}}}},
		{"after it", []anchor{{51, list(first), outcomes{expired}}}},
		{"all that there is", []anchor{{1, list(pay(0, 0, 50, to(2, 60, 2, 40))), outcomes{applied}}}},
		{"one too much", []anchor{{1, list(pay(0, 0, 50, to(2, 60, 2, 41))), outcomes{insufficient}}}},
		{"of an owner of nothing", []anchor{{1, list(pay(9, 0, 50, to(2, 1))), outcomes{insufficient}}}},
		{"paid on within an anchor", []anchor{{1, list(first, pay(2, 0, 50, to(1, 10))), outcomes{applied, applied}}}},
		{"paid on too early", []anchor{{1, list(pay(2, 0, 50, to(1, 10)), first), outcomes{insufficient, applied}}}},
		{"twice in an anchor", []anchor{{1, list(first, nil, first), outcomes{applied, included, duplicate}}}},
		{"twice in two", []anchor{{1, list(first), outcomes{applied}}, {50, list(first), outcomes{duplicate}}}},
		{"replayed once forgotten", []anchor{
			{1, list(first), outcomes{applied}},
			{51, list(first), outcomes{expired}},
			{52, list(first), outcomes{expired}},
		}},
		{"nonce twice, first wins", []anchor{{1, list(first, pay(0, 0, 50, to(1, 10))), outcomes{applied, doubleSpend}}}},
		{"nonce twice, other end", []anchor{{1, list(first, pay(0, 0, 51, to(2, 10))), outcomes{applied, doubleSpend}}}},
		{"same nonce of two owners", []anchor{{1, list(first, pay(1, 0, 50, to(2, 10))), outcomes{applied, applied}}}},
		{"nonce below base once forgotten", []anchor{
			{1, list(first), outcomes{applied}},
			{60, list(pay(0, 0, 99, to(2, 10))), outcomes{doubleSpend}},
		}},

		{"expired before duplicate", []anchor{{1, list(first), outcomes{applied}}, {51, list(first), outcomes{expired}}}},
		{"expired before double spend", []anchor{{20, list(first, pay(0, 0, 19, to(1, 10))), outcomes{applied, expired}}}},
		{"expired before too far", []anchor{{20, list(pay(0, 64, 19, to(1, 10))), outcomes{expired}}}},
		{"expired before insufficient", []anchor{{20, list(pay(0, 0, 19, to(1, 999))), outcomes{expired}}}},
		{"duplicate before double spend", []anchor{{1, list(first, first), outcomes{applied, duplicate}}}},
		{"duplicate before insufficient", []anchor{{
			1, list(pay(0, 0, 50, to(2, 100)), pay(0, 0, 50, to(2, 100))), outcomes{applied, duplicate},
		}}},
		{"double spend before insufficient", []anchor{{1, list(first, pay(0, 0, 50, to(1, 999))), outcomes{applied, doubleSpend}}}},
		{"bit set before insufficient", []anchor{{
			1, list(pay(0, 3, 50, to(1, 1)), pay(0, 3, 50, to(1, 999))), outcomes{applied, doubleSpend},
		}}},
		{"too far before insufficient", []anchor{{1, list(pay(0, 64, 50, to(1, 999))), outcomes{nonceTooFar}}}},

		{"insufficient, applied later", []anchor{
			{1, list(pay(2, 0, 50, to(1, 10))), outcomes{insufficient}},
			{2, list(first, pay(2, 0, 50, to(1, 10)), pay(2, 0, 50, to(1, 10))), outcomes{applied, applied, duplicate}},
		}},
		{"insufficient, cancelled", []anchor{
			{1, list(pay(2, 0, 50, to(1, 10))), outcomes{insufficient}},
			{2, list(first, pay(2, 0, 50, to(2, 1)), pay(2, 0, 50, to(1, 10))), outcomes{applied, applied, doubleSpend}},
		}},
		{"too far, applied later", []anchor{
			{1, list(pay(0, 64, 50, to(1, 1)), first, pay(0, 64, 50, to(1, 1))), outcomes{nonceTooFar, applied, applied}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t, 100, 100)
			for _, a := range test.anchors {
				wantOutcomes(t, l.Apply(a.time, entriesOf(a.transfers...)).Outcomes, a.want...)
			}
			if l.Supply() != 200 {
				t.Errorf("supply %d", l.Supply())
			}
		})
	}
}

// TestNonceWindow spends the 64 nonces from Base on in an order that moves Base
// only with the last one.
func TestNonceWindow(t *testing.T) {
	l := newLedger(t, 1000)
	var used uint64
	for i := range 63 {
		nonce := uint64(1 + (i*37)%63)
		wantOutcomes(t, l.Apply(1, entriesOf(pay(0, nonce, 50, to(1, 1)))).Outcomes, applied)
		used |= 1 << nonce
		wantAccount(t, l, 0, ledger.Account{Balance: uint64(1000 - 1 - i), Used: used})
		wantOutcomes(t, l.Apply(1, entriesOf(pay(0, nonce, 50, to(2, 1)))).Outcomes, doubleSpend)
	}
	wantOutcomes(t, l.Apply(1, entriesOf(
		pay(0, 64, 50, to(1, 1)), pay(0, math.MaxUint64, 50, to(1, 1)))).Outcomes, nonceTooFar, nonceTooFar)
	wantOutcomes(t, l.Apply(1, entriesOf(pay(0, 0, 50, to(1, 1)))).Outcomes, applied)
	wantAccount(t, l, 0, ledger.Account{Balance: 1000 - 64, Base: 64})
	for nonce := range uint64(64) {
		wantOutcomes(t, l.Apply(1, entriesOf(pay(0, nonce, 50, to(2, 1)))).Outcomes, doubleSpend)
	}
	wantOutcomes(t, l.Apply(1, entriesOf(
		pay(0, 128, 50, to(1, 1)), pay(0, 127, 50, to(1, 1)), pay(0, 64, 50, to(1, 1)))).Outcomes,
		nonceTooFar, applied, applied)
	wantAccount(t, l, 0, ledger.Account{Balance: 1000 - 66, Base: 65, Used: 1 << 62})
}

// TestBaseMovesPastGaps: only the lowest run of spent nonces is passed.
func TestBaseMovesPastGaps(t *testing.T) {
	l := newLedger(t, 1000)
	for _, step := range []struct{ nonce, base, used uint64 }{
		{1, 0, 0b10},
		{2, 0, 0b110},
		{4, 0, 0b10110},
		{0, 3, 0b10},
		{3, 5, 0},
		{5, 6, 0},
	} {
		l.Apply(1, entriesOf(pay(0, step.nonce, 50, to(0, 1))))
		wantAccount(t, l, 0, ledger.Account{Balance: 1000, Base: step.base, Used: step.used})
	}
}

// TestLastNonces: at the end of the 64 bits no sum wraps, and no nonce becomes
// spendable again.
func TestLastNonces(t *testing.T) {
	const last = math.MaxUint64
	l := restored(t, ledger.Account{Balance: 100, Base: last - 2})
	wantOutcomes(t, l.Apply(1, entriesOf(pay(0, 0, 50, to(1, 1)), pay(0, last-3, 50, to(1, 1)))).Outcomes, doubleSpend, doubleSpend)
	wantOutcomes(t, l.Apply(1, entriesOf(pay(0, last, 50, to(1, 1)), pay(0, last-1, 50, to(1, 1)))).Outcomes, applied, applied)
	wantAccount(t, l, 0, ledger.Account{Balance: 98, Base: last - 2, Used: 0b110})
	wantOutcomes(t, l.Apply(1, entriesOf(pay(0, last-2, 50, to(1, 1)))).Outcomes, applied)
	wantAccount(t, l, 0, ledger.Account{Balance: 97, Base: last, Used: 1})
	wantOutcomes(t, l.Apply(1, entriesOf(pay(0, last, 50, to(2, 1)), pay(0, 0, 50, to(2, 1)), pay(0, last-2, 50, to(2, 1)))).Outcomes,
		doubleSpend, doubleSpend, doubleSpend)

	full := restored(t, ledger.Account{Balance: 100, Base: last - 63, Used: last - 1})
	wantOutcomes(t, full.Apply(1, entriesOf(pay(0, last-63, 50, to(1, 1)), pay(0, 0, 50, to(1, 1)))).Outcomes, applied, doubleSpend)
	wantAccount(t, full, 0, ledger.Account{Balance: 99, Base: last, Used: 1})
}

func TestOutputs(t *testing.T) {
	for _, test := range []struct {
		name    string
		outputs []message.Output
		want    []uint64 // balances of the owners 0, 1, 2
	}{
		{"to another", to(1, 10), []uint64{90, 10, 0}},
		{"to oneself", to(0, 10), []uint64{100, 0, 0}},
		{"all to oneself", to(0, 60, 0, 40), []uint64{100, 0, 0}},
		{"to one twice", to(1, 10, 1, 10), []uint64{80, 20, 0}},
		{"to many", to(2, 1, 0, 2, 1, 4, 2, 8), []uint64{87, 4, 9}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t, 100)
			r := l.Apply(1, entriesOf(pay(0, 0, 50, test.outputs)))
			wantOutcomes(t, r.Outcomes, applied)
			for owner, want := range test.want {
				if got := l.Account(addressOf(owner)).Balance; got != want {
					t.Errorf("owner %d has %d, want %d", owner, got, want)
				}
			}
			for _, a := range r.Accounts {
				if !slices.Equal(a.Entries, []int{0}) {
					t.Errorf("entries %v", a.Entries)
				}
			}
		})
	}
}

// TestResult has everything that a node writes down after an anchor.
func TestResult(t *testing.T) {
	l := newLedger(t, 100, 100)
	early := []*message.Transfer{pay(0, 0, 20, to(1, 1)), pay(0, 1, 10, to(1, 1)), pay(1, 0, 20, to(0, 1)), pay(0, 2, 30, to(1, 1))}
	l.Apply(1, entriesOf(early...))

	entries := entriesOf(
		nil,
		pay(0, 3, 50, to(2, 5, 3, 5, 2, 1)),
		pay(1, 9, 50, to(1, 200)),
		pay(2, 0, 40, to(1, 2)),
		nil,
		pay(0, 3, 50, to(3, 1)),
		pay(0, 4, 60, to(0, 1)),
	)
	r := l.Apply(21, entries)
	wantOutcomes(t, r.Outcomes, included, applied, insufficient, applied, included, doubleSpend, applied)

	remembered := func(t *message.Transfer) ledger.AppliedTransfer {
		return ledger.AppliedTransfer{ID: t.ID(network), ValidUntil: t.ValidUntil}
	}
	if want := []ledger.AppliedTransfer{remembered(entries[1].Transfer), remembered(entries[3].Transfer), remembered(entries[6].Transfer)}; !slices.Equal(r.Applied, want) {
		t.Errorf("applied %v, want %v", r.Applied, want)
	}
	ended := []ledger.AppliedTransfer{remembered(early[1]), remembered(early[0]), remembered(early[2])}
	if a, b := early[0].ID(network), early[2].ID(network); slices.Compare(a[:], b[:]) > 0 {
		ended[1], ended[2] = ended[2], ended[1]
	}
	if !slices.Equal(r.Expired, ended) {
		t.Errorf("expired %v, want %v", r.Expired, ended)
	}
	want := []ledger.ChangedAccount{
		{Address: addressOf(0), Account: ledger.Account{Balance: 100 - 3 + 1 - 11, Base: 5}, Entries: []int{1, 6}},
		{Address: addressOf(1), Account: ledger.Account{Balance: 100 + 3 - 1 + 2, Base: 1}, Entries: []int{3}},
		{Address: addressOf(2), Account: ledger.Account{Balance: 6 - 2, Base: 1}, Entries: []int{1, 3}},
		{Address: addressOf(3), Account: ledger.Account{Balance: 5}, Entries: []int{1}},
	}
	slices.SortFunc(want, func(a, b ledger.ChangedAccount) int { return slices.Compare(a.Address[:], b.Address[:]) })
	if !reflect.DeepEqual(r.Accounts, want) {
		t.Errorf("changed %+v\n   want %+v", r.Accounts, want)
	}
	for _, a := range want {
		if l.Account(a.Address) != a.Account {
			t.Errorf("account %+v, want %+v", l.Account(a.Address), a.Account)
		}
	}
}

// TestApplyIsAllOfIt: what was refused leaves no trace.
func TestApplyIsAllOfIt(t *testing.T) {
	l := newLedger(t, 100)
	l.Apply(1, entriesOf(pay(0, 0, 50, to(1, 1))))
	before := l.StateHash()
	r := l.Apply(2, entriesOf(nil, pay(0, 0, 50, to(1, 1)), pay(0, 0, 50, to(2, 1)), pay(0, 1, 1, to(2, 1)),
		pay(0, 65, 50, to(2, 1)), pay(0, 1, 50, to(2, 100))))
	wantOutcomes(t, r.Outcomes, included, duplicate, doubleSpend, expired, nonceTooFar, insufficient)
	if len(r.Accounts)+len(r.Applied)+len(r.Expired) > 0 || l.StateHash() != before || l.Len() != 2 {
		t.Errorf("changed: %+v", r)
	}
}

func TestApplyPanics(t *testing.T) {
	t.Run("time goes back", func(t *testing.T) {
		l := newLedger(t, 100)
		l.Apply(10, nil)
		l.Apply(10, nil)
		wantPanic(t, func() { l.Apply(9, nil) })
	})
	// Outputs whose sum wraps are refused with their message. Here they would make
	// money.
	t.Run("value out of nothing", func(t *testing.T) {
		l := newLedger(t, 10)
		wantPanic(t, func() { l.Apply(1, entriesOf(pay(0, 0, 50, to(1, math.MaxUint64, 2, 2)))) })
	})
	t.Run("value out of nothing, sum right modulo 2^64", func(t *testing.T) {
		l := newLedger(t, 10, 5)
		wantPanic(t, func() { l.Apply(1, entriesOf(pay(0, 0, 50, to(1, math.MaxUint64, 2, 2)))) })
	})
}
