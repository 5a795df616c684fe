package ledger

import (
	"fmt"
	"math/bits"
	"slices"

	"tangled/message"
)

// Entry is one message that an anchor included.
type Entry struct {
	ID       message.ID        // for the caller: the ledger does not look at it
	Transfer *message.Transfer // nil for data and witnesses; valid, and not changed
}

// Result is what one Apply changed: all that a node needs to make it durable. The
// caller owns it.
type Result struct {
	Outcomes []Outcome         // of each entry, in their order
	Accounts []ChangedAccount  // ascending by address
	Applied  []AppliedTransfer // to be remembered; in the order of the entries
	Expired  []AppliedTransfer // no longer remembered; by expiry, then by ID
}

// ChangedAccount is an account that applied transfers changed.
type ChangedAccount struct {
	Address message.Address
	Account Account // as it is now
	Entries []int   // the indices of those transfers, ascending: each paid or was paid by the address
}

// Apply applies the transfers among entries, in their order, at the ledger time of
// their anchor in ns since the Unix epoch; time never goes back.
func (l *Ledger) Apply(time uint64, entries []Entry) Result {
	if time < l.time {
		panic(fmt.Sprintf("ledger: time goes back from %d to %d", l.time, time))
	}
	l.time = time
	r := Result{Outcomes: make([]Outcome, len(entries)), Expired: l.dropExpired()}
	work := workingSet{ledger: l, index: make(map[message.Address]int)}
	for i := range entries {
		t := entries[i].Transfer
		if t == nil {
			r.Outcomes[i] = Included
			continue
		}
		id := t.ID(l.network)
		r.Outcomes[i] = work.judge(id, t)
		if r.Outcomes[i] == Applied {
			work.apply(i, t)
			applied := AppliedTransfer{id, t.ValidUntil}
			l.remember(applied)
			r.Applied = append(r.Applied, applied)
		}
	}
	r.Accounts = work.finish()
	return r
}

// workingSet are the accounts that one Apply touches, so that an account that many
// transfers change costs the state hash one change.
type workingSet struct {
	ledger  *Ledger
	index   map[message.Address]int // into touched
	touched []touchedAccount
}

type touchedAccount struct {
	ChangedAccount
	before Account
}

func (w *workingSet) account(address message.Address) Account {
	if i, ok := w.index[address]; ok {
		return w.touched[i].Account
	}
	return w.ledger.accounts[address]
}

// touch is the account of address, to be changed by an entry. It stays valid until
// the next call.
func (w *workingSet) touch(address message.Address, entry int) *Account {
	i, ok := w.index[address]
	if !ok {
		i = len(w.touched)
		w.index[address] = i
		before := w.ledger.accounts[address]
		w.touched = append(w.touched, touchedAccount{ChangedAccount{address, before, nil}, before})
	}
	t := &w.touched[i]
	if n := len(t.Entries); n == 0 || t.Entries[n-1] != entry {
		t.Entries = append(t.Entries, entry)
	}
	return &t.Account
}

func (w *workingSet) judge(id message.TransferID, t *message.Transfer) Outcome {
	switch {
	case w.ledger.time > t.ValidUntil:
		return Expired
	case w.ledger.remembered.has(id):
		return Duplicate
	}
	return w.account(message.AddressOf(t.From)).judge(t.Nonce, t.Sum())
}

func (w *workingSet) apply(entry int, t *message.Transfer) {
	w.touch(message.AddressOf(t.From), entry).spend(t.Nonce, t.Sum())
	for _, out := range t.Outputs {
		w.touch(out.Address, entry).credit(out.Amount)
	}
}

// finish moves what changed into the ledger, if no value came or went.
func (w *workingSet) finish() []ChangedAccount {
	slices.SortFunc(w.touched, func(a, b touchedAccount) int { return compareAddresses(a.Address, b.Address) })
	w.checkSupply()
	out := make([]ChangedAccount, len(w.touched))
	for i, t := range w.touched {
		w.ledger.set(t.Address, t.before, t.Account)
		out[i] = t.ChangedAccount
	}
	return out
}

// checkSupply compares what the touched accounts own with what they owned. The
// others did not change.
func (w *workingSet) checkSupply() {
	var before, after, carry uint64 // no sum of balances that are right overflows
	for _, t := range w.touched {
		before += t.before.Balance
		var c uint64
		after, c = bits.Add64(after, t.Account.Balance, 0)
		carry += c
	}
	if carry > 0 || before != after {
		panic(fmt.Sprintf("ledger: the touched accounts owned %d before and %d after", before, after))
	}
}
