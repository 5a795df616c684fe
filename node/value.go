package node

import (
	"context"
	"iter"
	"time"

	"tangled/ledger"
	"tangled/message"
	"tangled/storage"
)

// Transfer carries a transfer that its owner signed into the ledger, and
// returns when the message is durable here. Value moves when that is final. The
// error is a *message.InvalidError, an *Alarm, ErrDiskLow, ErrOverloaded, ErrClosed or ctx's.
func (n *Node) Transfer(ctx context.Context, t message.Transfer) (message.ID, error) {
	if alarm := n.alarm.Load(); alarm != nil {
		return message.ID{}, alarm
	}
	if err := t.Validate(); err != nil {
		return message.ID{}, n.refuse(err)
	}
	if err := n.verifier.VerifyTransfer(&t, n.rules.Network); err != nil {
		return message.ID{}, n.refuse(err)
	}
	if err := n.brake.wait(ctx, n.done); err != nil {
		return message.ID{}, err
	}
	return n.issuePayload(ctx, message.KindTransfer, t.Append(nil))
}

// Balance is an account as of an anchor.
type Balance struct {
	Address message.Address
	Account ledger.Account
	// NextNonce is one that a transfer may use now.
	NextNonce uint64
	Anchor    uint64
	Time      uint64 // the ledger time, ns since the Unix epoch
}

// Balance tells what an address owns. Addresses that never owned anything are
// accounts of zero. The error is an *Alarm, ErrClosed or ctx's.
func (n *Node) Balance(ctx context.Context, address message.Address) (Balance, error) {
	if alarm := n.alarm.Load(); alarm != nil {
		return Balance{}, alarm
	}
	b := Balance{Address: address}
	err := n.ask(ctx, func(l *loop) {
		b.Account = l.finality.ledger.Account(address)
		b.Anchor, b.Time = l.finality.index, l.finality.time
	})
	b.NextNonce = b.Account.Base // the base is never used
	return b, err
}

// TransferFate is what became of a transfer when last it was final.
type TransferFate struct {
	Carrier message.ID
	Cursor  Cursor
	Outcome ledger.Outcome
}

// TransferFate tells what became of a transfer. The error is ErrNotFound for one
// that is in no final message, an *Alarm, or the store's.
func (n *Node) TransferFate(id message.TransferID) (TransferFate, error) {
	t, ok, err := n.store.Transfer(id)
	if err != nil {
		return TransferFate{}, err
	}
	if !ok {
		return TransferFate{}, ErrNotFound
	}
	if !n.isFinal(storage.Final{Anchor: t.Anchor}) {
		return TransferFate{}, n.alarm.Load()
	}
	return TransferFate{t.ID, Cursor{t.Anchor, t.Index}, ledger.Outcome(t.Outcome)}, nil
}

// AccountHistory reads the final transfers that changed an account, in finality
// order or against it, from behind the cursor on; from the newest where
// descending and the cursor is zero.
func (n *Node) AccountHistory(ctx context.Context, address message.Address, after Cursor, descending bool) iter.Seq2[FinalEvent, error] {
	return func(yield func(FinalEvent, error) bool) {
		for row, err := range n.store.AccountHistory(ctx, address, storage.Position{Anchor: after.Anchor, Index: after.Index}, descending) {
			if err != nil {
				yield(FinalEvent{}, err)
				return
			}
			if !n.isFinal(storage.Final{Anchor: row.Anchor}) {
				continue
			}
			r, err := n.get(row.ID)
			e := FinalEvent{Cursor: Cursor{row.Anchor, row.Index}, Outcome: row.Outcome, Message: r.Message}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// validFor is how long a transfer made now may wait, well inside what the rules
// allow its carrier.
const validFor = time.Hour

// ValidUntil is the time up to which a transfer made now should be valid, in
// nanoseconds since the Unix epoch.
func ValidUntil(now time.Time) uint64 { return uint64(now.Add(validFor).UnixNano()) }
