package storage

import (
	"context"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

// Account is an account as it is after the last anchor.
type Account struct {
	Address message.Address
	Value   []byte // opaque here
}

// AccountEntry says that a message belongs to the history of an account.
type AccountEntry struct {
	Address message.Address
	Index   uint32 // of the message in Included
}

func (f *Finality) putAccounts(b *pebble.Batch) {
	for _, a := range f.Accounts {
		_ = b.Set(accountKey(a.Address), a.Value, nil)
	}
	for _, h := range f.History {
		value := f.Included[h.Index].append(make([]byte, 0, finalMessageSize))
		_ = b.Set(historyKey(h.Address, f.Anchor, h.Index), value, nil)
	}
}

// Accounts reads all accounts as they are after one anchor, by address.
func (s *Store) Accounts() iter.Seq2[Account, error] {
	return readWhole(s, table(tableAccount, accountKeySize), decodeAccount)
}

func decodeAccount(key, value []byte) (Account, error) {
	v, err := decodeBytes(key, value)
	return Account{message.Address(key[1:]), v}, err
}

// AccountHistory reads the messages of an account's history in their order, or
// in reverse, as they were when it began. after, if its anchor is not zero, is
// the last position of the page before, of which only Anchor and Index count.
func (s *Store) AccountHistory(ctx context.Context, a message.Address, after Position, descending bool) iter.Seq2[Position, error] {
	in := span{
		lower:      historyKey(a, 0, 0),
		upper:      historyKey(a, math.MaxUint64, math.MaxUint32),
		keySize:    historyKeySize,
		descending: descending,
	}
	switch {
	case after.Anchor == 0:
	case descending:
		in.upper = historyKey(a, after.Anchor, after.Index)
	default:
		in.lower = append(historyKey(a, after.Anchor, after.Index), 0)
	}
	return until(ctx, read(s, in, decodePosition))
}
