package node

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"tangled/genesis"
	"tangled/message"
)

// TestRestartKnowsAllBalances: also those of the genesis that no transfer has
// changed, and after one has changed some.
func TestRestartKnowsAllBalances(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.seated(1)
		owner := keyOf(100)
		from, quiet := message.AddressOf([32]byte(owner[32:])), message.Address{9}
		w.genesis.Balances = []genesis.Balance{{Address: from, Amount: 100}, {Address: quiet, Amount: 7}}
		opts := w.first(0, vfs.NewMem())
		opts.Dir = t.TempDir()
		for i := range uint64(3) {
			n := w.open(opts)
			if i > 0 {
				transfer := message.Transfer{
					Nonce: i - 1, ValidUntil: ValidUntil(time.Now()), Outputs: []message.Output{{Address: message.Address{1}, Amount: 10}},
				}
				transfer.Sign(message.NetworkID(w.genesis.Network()), owner)
				id, err := n.Transfer(t.Context(), transfer)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := n.WaitFinal(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			} else if _, err := n.WaitFinal(t.Context(), issue(t, n, reading(0))); err != nil {
				t.Fatal(err)
			}
			for address, want := range map[message.Address]uint64{from: 100 - 10*i, quiet: 7, {1}: 10 * i} {
				if b, err := n.Balance(t.Context(), address); err != nil || b.Account.Balance != want {
					t.Errorf("start %d: %v owns %d, %v, want %d", i+1, address, b.Account.Balance, err, want)
				}
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
