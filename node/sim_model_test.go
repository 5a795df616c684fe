package node

import (
	"tangled/ledger"
	"tangled/message"
)

// accounts is the ledger as the design tells it, without a thought for speed.
type accounts struct {
	byAddress map[message.Address]*modelAccount
	applied   map[message.TransferID]uint64 // valid until
}

type modelAccount struct {
	balance uint64
	used    map[uint64]bool
}

func (a *accounts) account(address message.Address) *modelAccount {
	if a.byAddress[address] == nil {
		a.byAddress[address] = &modelAccount{used: make(map[uint64]bool)}
	}
	return a.byAddress[address]
}

// base is the lowest nonce not used.
func (a *modelAccount) base() (nonce uint64) {
	for a.used[nonce] {
		nonce++
	}
	return nonce
}

func (a *accounts) apply(now uint64, id message.TransferID, t *message.Transfer) ledger.Outcome {
	from := a.account(message.AddressOf(t.From))
	_, again := a.applied[id]
	switch {
	case now > t.ValidUntil:
		return ledger.Expired
	case again:
		return ledger.Duplicate
	case from.used[t.Nonce]:
		return ledger.DoubleSpend
	case t.Nonce >= from.base()+64:
		return ledger.NonceTooFar
	case from.balance < t.Sum():
		return ledger.Insufficient
	}
	a.applied[id] = t.ValidUntil
	from.used[t.Nonce] = true
	from.balance -= t.Sum()
	for _, out := range t.Outputs {
		a.account(out.Address).balance += out.Amount
	}
	return ledger.Applied
}
