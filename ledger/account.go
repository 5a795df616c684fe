package ledger

import (
	"math"
	"math/bits"
)

// nonceWindow is how many nonces from Base on can be spent.
const nonceWindow = 64

// Account is what an address owns and which nonces its owner has spent. The zero
// value is the account of an address that never owned anything. The lowest bit of
// Used is clear, but when Base is the last nonce there is.
type Account struct {
	Balance uint64
	Base    uint64 // all nonces below are spent
	Used    uint64 // bit i: nonce Base+i is spent
}

// judge is the outcome of a transfer of sum under nonce, as far as the account of
// its owner decides.
func (a Account) judge(nonce, sum uint64) Outcome {
	switch {
	case nonce < a.Base || a.Used>>(nonce-a.Base)&1 == 1:
		return DoubleSpend
	case nonce-a.Base >= nonceWindow: // Base+64 may be beyond 64 bits
		return NonceTooFar
	case a.Balance < sum:
		return Insufficient
	}
	return Applied
}

// spend pays sum under a nonce that judge let pass.
func (a *Account) spend(nonce, sum uint64) {
	a.Balance -= sum
	a.Used |= 1 << (nonce - a.Base)
	// Were Base to move past the last nonce, it would start again at zero and
	// every nonce could be spent again.
	passed := min(uint64(bits.TrailingZeros64(^a.Used)), math.MaxUint64-a.Base)
	a.Base += passed
	a.Used >>= passed
}

func (a *Account) credit(amount uint64) {
	balance, carry := bits.Add64(a.Balance, amount, 0)
	if carry > 0 {
		panic("ledger: a balance overflows")
	}
	a.Balance = balance
}
