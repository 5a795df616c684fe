package node

import (
	"encoding/binary"
	"errors"
	"fmt"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/storage"
)

// restore reads the state that the last anchor left, and returns the lowest
// undecided wave.
func (f *finality) restore(store *storage.Store) (wave uint64, err error) {
	raw, ok := store.State()
	if !ok {
		for _, b := range f.genesis.Balances {
			if err := f.ledger.Credit(b.Address, b.Amount); err != nil {
				return 0, err
			}
		}
		f.tree.Append(f.last[:])
		return 0, nil
	}
	state, err := decodeState(raw)
	if err != nil {
		return 0, err
	}
	f.index, f.time, f.last = state.index, state.time, state.last
	f.commitments[f.index] = f.last
	if f.tree, err = merkle.Restore(f.index+1, state.peaks); err != nil {
		return 0, fmt.Errorf("tree of commitments: %w", err)
	}
	if err := f.restoreCommitments(store); err != nil {
		return 0, err
	}
	if err := f.restoreLedger(store); err != nil {
		return 0, err
	}
	if got := f.ledger.StateHash(); got != state.ledger {
		return 0, errors.New("node: the stored accounts do not give the state hash of the last anchor")
	}
	return state.wave, nil
}

// restoreCommitments reads the newest commitments, as far back as they are here:
// older ones may be pruned, or lie before the snapshot that the store began at.
func (f *finality) restoreCommitments(store *storage.Store) error {
	for index := f.index; index > f.index-min(f.index, recentCommitments); index-- {
		raw, err := store.Commitment(index)
		if errors.Is(err, storage.ErrNotFound) && index < f.index {
			return nil
		}
		if err != nil {
			return fmt.Errorf("commitment %d: %w", index, err)
		}
		c, err := proof.DecodeCommitment(raw)
		if err != nil {
			return fmt.Errorf("commitment %d: %w", index, err)
		}
		f.commitments[index] = c.Hash()
	}
	return nil
}

func (f *finality) restoreLedger(store *storage.Store) error {
	var failed error
	accounts := func(yield func(message.Address, ledger.Account) bool) {
		for row, err := range store.Accounts() {
			var account ledger.Account
			if failed = err; err == nil {
				account, failed = decodeAccount(row.Value)
			}
			if failed != nil {
				return
			}
			// An emptied account has a row still, and is none to the ledger.
			if account != (ledger.Account{}) && !yield(row.Address, account) {
				return
			}
		}
	}
	transfers := func(yield func(message.TransferID, uint64) bool) {
		for row, err := range store.Unexpired() {
			if failed = errors.Join(failed, err); failed != nil || !yield(row.TransferID, row.ValidUntil) {
				return
			}
		}
	}
	var err error
	f.ledger, err = ledger.Restore(f.genesis.Network(), accounts, transfers)
	return errors.Join(failed, err)
}

// accountSize is the length of a stored account, big-endian: balance u64, base
// u64, used u64.
const accountSize = 24

func encodeAccount(a ledger.Account) []byte {
	b := make([]byte, 0, accountSize)
	b = binary.BigEndian.AppendUint64(b, a.Balance)
	b = binary.BigEndian.AppendUint64(b, a.Base)
	return binary.BigEndian.AppendUint64(b, a.Used)
}

func decodeAccount(b []byte) (ledger.Account, error) {
	if len(b) != accountSize {
		return ledger.Account{}, fmt.Errorf("node: account of %d bytes, want %d", len(b), accountSize)
	}
	return ledger.Account{
		Balance: binary.BigEndian.Uint64(b), Base: binary.BigEndian.Uint64(b[8:]), Used: binary.BigEndian.Uint64(b[16:]),
	}, nil
}

// state is what a node needs to go on after the last anchor, beside the
// accounts. Its encoding, big-endian: index u64, time u64, wave u64, last 32,
// state hash 32, peaks 32 each.
type state struct {
	index, time, wave uint64
	last, ledger      [32]byte
	peaks             [][32]byte
}

func (s state) encode() []byte {
	b := make([]byte, 0, 3*8+64+32*len(s.peaks))
	b = binary.BigEndian.AppendUint64(b, s.index)
	b = binary.BigEndian.AppendUint64(b, s.time)
	b = binary.BigEndian.AppendUint64(b, s.wave)
	b = append(b, s.last[:]...)
	b = append(b, s.ledger[:]...)
	for _, peak := range s.peaks {
		b = append(b, peak[:]...)
	}
	return b
}

func decodeState(b []byte) (s state, err error) {
	const fixed = 3*8 + 64
	if len(b) < fixed || (len(b)-fixed)%32 != 0 {
		return state{}, fmt.Errorf("node: state of %d bytes", len(b))
	}
	s.index = binary.BigEndian.Uint64(b)
	s.time = binary.BigEndian.Uint64(b[8:])
	s.wave = binary.BigEndian.Uint64(b[16:])
	s.last = [32]byte(b[24:])
	s.ledger = [32]byte(b[56:])
	for rest := b[fixed:]; len(rest) > 0; rest = rest[32:] {
		s.peaks = append(s.peaks, [32]byte(rest))
	}
	return s, nil
}
