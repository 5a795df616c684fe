package snapshot_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
	"tangled/snapshot"
)

// large is a source that makes accounts and lists while they are asked for, and
// holds no more than its commitments.
func large(t testing.TB, anchors, messages, accounts int) (*network, snapshot.Source) {
	t.Helper()
	n := newNetwork(t, 1)
	n.anchors, n.tree, n.nodes = nil, merkle.Tree{}, make(map[[2]uint64][32]byte)
	n.append(n.genesis.Hash())
	previous := n.genesis.Hash()
	account := func(i int) snapshot.Account {
		var address message.Address
		binary.BigEndian.PutUint64(address[:], uint64(i))
		hash := hashOf("%d", i)
		copy(address[8:], hash[:])
		return snapshot.Account{Address: address, Account: ledger.Account{Balance: uint64(i), Base: 1}}
	}
	list := func(index int) []snapshot.Included {
		included := make([]snapshot.Included, messages/anchors)
		for i := range included {
			id := message.NewID(n.time(1)+uint64(index*len(included)+i), hashOf("%d %d", index, i))
			included[i] = snapshot.Included{ID: id, Outcome: 1}
		}
		return included
	}
	state, err := ledger.Restore(n.genesis.Network(), func(yield func(message.Address, ledger.Account) bool) {
		for i := range accounts {
			if a := account(i); !yield(a.Address, a.Account) {
				return
			}
		}
	}, func(func(message.TransferID, uint64) bool) {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range anchors {
		var leaves [][]byte
		for _, m := range list(i) {
			leaves = append(leaves, proof.Leaf(m.ID, m.Outcome))
		}
		c := proof.Commitment{
			Network: n.genesis.Network(), Index: uint64(i + 1), Anchor: message.NewID(n.time(1), hashOf("anchor %d", i)),
			Time: n.time(1) + uint64(i), Previous: previous, Tree: n.tree.Root(),
			Count: uint64(len(leaves)), Included: merkle.Root(leaves), State: state.StateHash(),
			Committee: n.genesis.CommitteeHash(), Parameters: n.genesis.ParametersHash(),
		}
		if i == anchors-1 {
			m := n.makeWitness(uint64(anchors), nil)
			n.witness, c.Anchor = m.Bytes(), m.ID()
		}
		previous = c.Hash()
		n.append(previous)
		n.anchors = append(n.anchors, snapshot.Anchor{Commitment: c})
	}
	src := n.source()
	src.Anchors = func(yield func(snapshot.Anchor, error) bool) {
		for i, a := range n.anchors {
			a.Included = list(i)
			if !yield(a, nil) {
				return
			}
		}
	}
	src.Accounts = count(accounts, account)
	src.Transfers = all[ledger.AppliedTransfer](nil)
	return n, src
}

func count[T any](n int, make func(int) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for i := range n {
			if !yield(make(i), nil) {
				return
			}
		}
	}
}

// pipe writes src into the end of a pipe that it returns.
func pipe(ctx context.Context, src snapshot.Source) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := snapshot.Write(ctx, w, src)
		w.CloseWithError(err)
	}()
	return r
}

// TestMemory streams a large snapshot from a writer to a reader and looks at what
// both hold: what the ledger needs for the accounts, and nothing that grows beside
// it.
func TestMemory(t *testing.T) {
	const (
		anchors, messages = 100, 200_000
		blocks            = 8 << 20 // a few blocks, a list, the compressor
		perAccount        = 300     // of ledger.Restore's maps, which grow by doubling
	)
	accounts := 200_000
	if racing {
		accounts = 20_000 // the state hash takes five times as long
	}
	n, src := large(t, anchors, messages, accounts)
	base := heap()
	var seen, looked int
	check := func(what string, bound uint64) {
		if now := heap(); now > base+bound {
			t.Errorf("%d bytes held at %s %d, at most %d", now-base, what, seen, bound)
		}
		looked++
	}
	sink := snapshot.Sink{
		Anchor: func(snapshot.Anchor) error {
			if seen++; seen%20 == 0 {
				check("anchor", blocks)
			}
			return nil
		},
		Account: func(snapshot.Account) error {
			if seen++; seen%(accounts/10) == 0 {
				check("account", blocks+uint64(perAccount*seen))
			}
			return nil
		},
	}
	info, err := snapshot.Read(t.Context(), pipe(t.Context(), src), n.options(), sink)
	if err != nil {
		t.Fatal(err)
	}
	if info.Accounts != uint64(accounts) || info.Messages != messages || info.Anchors != anchors || looked < 15 {
		t.Errorf("%d accounts, %d messages, %d anchors, looked %d times", info.Accounts, info.Messages, info.Anchors, looked)
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.String(), func(b *testing.B) {
			_, src := large(b, 100, size.messages, size.accounts)
			for b.Loop() {
				info, err := snapshot.Write(b.Context(), io.Discard, src)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(info.Body)
				b.ReportMetric(float64(info.File)/float64(info.Body), "file/body")
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(size.String(), func(b *testing.B) {
			n, src := large(b, 100, size.messages, size.accounts)
			path := b.TempDir() + "/" + snapshot.Name(100)
			if _, err := snapshot.WriteFile(b.Context(), path, src); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				info, err := snapshot.ReadFile(b.Context(), path, n.options(), snapshot.Sink{})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(info.Body)
			}
		})
	}
}

type benchSize struct{ messages, accounts int }

var benchSizes = []benchSize{{200_000, 0}, {0, 100_000}}

func (s benchSize) String() string {
	return fmt.Sprintf("messages=%d,accounts=%d", s.messages, s.accounts)
}
