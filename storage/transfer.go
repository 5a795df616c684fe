package storage

import (
	"encoding/binary"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"tangled/message"
)

const transferSize = message.IDSize + finalSize

// AppliedTransfer is a transfer that must not be applied again.
type AppliedTransfer struct {
	TransferID message.TransferID
	ValidUntil uint64 // ns since the Unix epoch; after that it expires by itself
}

// FinalTransfer is what became of a transfer.
type FinalTransfer struct {
	TransferID message.TransferID
	Index      uint32 // of the message in Included that carries it
	Outcome    uint8  // of that message
}

// outcomeApplied is an outcome of package ledger that is known here: no later
// fate of a transfer takes its place.
const outcomeApplied = 2

// outcomeIncluded is another: of messages that carry no transfer.
const outcomeIncluded = 1

// putTransfers writes the fates of transfers. Those applied come last, for the
// batch may hold a duplicate of one of them too.
func (s *Store) putTransfers(b *pebble.Batch, f *Finality) error {
	for _, t := range f.Expired {
		_ = b.Delete(unexpiredKey(t), nil)
	}
	for _, t := range f.Applied {
		_ = b.Set(unexpiredKey(t), nil, nil)
	}
	for _, t := range f.Transfers {
		if t.Outcome == outcomeApplied {
			continue
		}
		has, ok, err := find(s.db, transferKey(t.TransferID), decodeTransfer)
		if err != nil {
			return err
		}
		if !ok || has.Outcome != outcomeApplied {
			f.putTransfer(b, t)
		}
	}
	for _, t := range f.Transfers {
		if t.Outcome == outcomeApplied {
			f.putTransfer(b, t)
		}
	}
	return nil
}

func (f *Finality) putTransfer(b *pebble.Batch, t FinalTransfer) {
	carrier := f.Included[t.Index].ID
	value := append(make([]byte, 0, transferSize), carrier[:]...)
	_ = b.Set(transferKey(t.TransferID), Final{f.Anchor, t.Index, t.Outcome}.append(value), nil)
}

// Unexpired reads the applied transfers that have not expired, the next to
// expire first.
func (s *Store) Unexpired() iter.Seq2[AppliedTransfer, error] {
	return readWhole(s, table(tableUnexpired, unexpiredKeySize), decodeUnexpired)
}

func decodeUnexpired(key, _ []byte) (AppliedTransfer, error) {
	return AppliedTransfer{
		TransferID: message.TransferID(key[9:]),
		ValidUntil: binary.BigEndian.Uint64(key[1:]),
	}, nil
}

// Transfer is what last became of a transfer and which message carried it then;
// false if none did. Once applied it stays so.
func (s *Store) Transfer(id message.TransferID) (Position, bool, error) {
	return lookup(s, transferKey(id), decodeTransfer)
}

func decodeTransfer(key, value []byte) (Position, error) {
	if err := wantSize(value, transferSize); err != nil {
		return Position{}, err
	}
	f, err := decodeFinal(key, value[message.IDSize:])
	return Position{f.Anchor, f.Index, message.ID(value[:message.IDSize]), f.Outcome}, err
}
