package ledger

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"

	"golang.org/x/crypto/blake2b"

	"tangled/message"
)

// MaxSupply is the most that all accounts own together, so that no sum of
// balances overflows.
const MaxSupply = math.MaxInt64

// Ledger is all accounts and the applied transfers that have not expired. The
// balances add up to the supply, which only Credit changes. It is not safe for
// concurrent use; one goroutine owns it.
type Ledger struct {
	network    message.NetworkID
	supply     uint64
	time       uint64                      // of the last Apply
	accounts   map[message.Address]Account // none is all zero
	remembered remembered
	hash       *lthash // over both of the above
}

// New is the ledger of a network in which nobody owns anything.
func New(network message.NetworkID) *Ledger {
	return &Ledger{
		network:    network,
		accounts:   make(map[message.Address]Account),
		remembered: remembered{ids: make(map[message.TransferID]struct{})},
		hash:       newLtHash(),
	}
}

// Restore is the ledger whose Accounts and Transfers were stored; their order does
// not matter. It costs an expansion of the state hash for each, about 8 us. The
// result can be trusted once its StateHash is the one that was committed to.
func Restore(
	network message.NetworkID,
	accounts iter.Seq2[message.Address, Account],
	transfers iter.Seq2[message.TransferID, uint64],
) (*Ledger, error) {
	l := New(network)
	for address, a := range accounts {
		if _, ok := l.accounts[address]; ok || a == (Account{}) {
			return nil, fmt.Errorf("ledger: restored account %v is all zero or there twice", address)
		}
		if err := l.raiseSupply(a.Balance); err != nil {
			return nil, err
		}
		l.set(address, Account{}, a)
	}
	for id, validUntil := range transfers {
		if l.remembered.has(id) {
			return nil, fmt.Errorf("ledger: restored transfer %v is there twice", id)
		}
		l.remember(AppliedTransfer{id, validUntil})
	}
	return l, nil
}

// Credit gives address a balance of the genesis, before the first Apply. It
// refuses what would raise the supply above MaxSupply.
func (l *Ledger) Credit(address message.Address, amount uint64) error {
	if err := l.raiseSupply(amount); err != nil {
		return err
	}
	before := l.accounts[address]
	after := before
	after.credit(amount)
	l.set(address, before, after)
	return nil
}

func (l *Ledger) raiseSupply(amount uint64) error {
	if amount > MaxSupply-l.supply {
		return fmt.Errorf("ledger: %d on top of a supply of %d is more than 2^63-1", amount, l.supply)
	}
	l.supply += amount
	return nil
}

// set changes an account and its element of the state hash.
func (l *Ledger) set(address message.Address, before, after Account) {
	if before == after {
		return
	}
	if before != (Account{}) {
		l.hash.remove(accountElement(address, before))
	}
	// Once there, an account stays: what it spent raised its Base for ever.
	l.hash.add(accountElement(address, after))
	l.accounts[address] = after
}

func (l *Ledger) remember(t AppliedTransfer) {
	l.remembered.add(t)
	l.hash.add(transferElement(t))
}

func (l *Ledger) dropExpired() []AppliedTransfer {
	dropped := l.remembered.dropExpired(l.time)
	for _, t := range dropped {
		l.hash.remove(transferElement(t))
	}
	return dropped
}

// Account is the account of address; all zero where it never owned anything.
func (l *Ledger) Account(address message.Address) Account { return l.accounts[address] }

// Len is the number of accounts that are not all zero.
func (l *Ledger) Len() int { return len(l.accounts) }

// Supply is what all accounts own together.
func (l *Ledger) Supply() uint64 { return l.supply }

// Accounts are the accounts that are not all zero, ascending by address. They must
// not be ranged over across an Apply.
func (l *Ledger) Accounts() iter.Seq2[message.Address, Account] {
	return func(yield func(message.Address, Account) bool) {
		addresses := slices.AppendSeq(make([]message.Address, 0, len(l.accounts)), maps.Keys(l.accounts))
		slices.SortFunc(addresses, compareAddresses)
		for _, address := range addresses {
			if !yield(address, l.accounts[address]) {
				return
			}
		}
	}
}

func compareAddresses(a, b message.Address) int { return bytes.Compare(a[:], b[:]) }

// Transfers are the IDs of the applied transfers that have not expired, each with
// the time until which it is valid: ascending by that time, then by ID.
func (l *Ledger) Transfers() iter.Seq2[message.TransferID, uint64] {
	return func(yield func(message.TransferID, uint64) bool) {
		for _, t := range slices.SortedFunc(slices.Values(l.remembered.queue), AppliedTransfer.compare) {
			if !yield(t.ID, t.ValidUntil) {
				return
			}
		}
	}
}

// StateHash commits to every account and to every unexpired applied transfer.
func (l *Ledger) StateHash() [32]byte { return blake2b.Sum256(l.hash.bytes()) }
