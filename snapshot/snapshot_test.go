package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"testing/iotest"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/snapshot"
)

// sizes are networks that begin and end at all kinds of trees.
func sizes(t *testing.T, check func(t *testing.T, n *network)) {
	for _, anchors := range []int{1, 2, 7, inside, inside + 1, inside + 2, inside + 6, inside + 7, 37} {
		t.Run(fmt.Sprint(anchors, " anchors"), func(t *testing.T) {
			counts := make([]int, anchors)
			for i := range counts {
				counts[i] = i % 5
			}
			check(t, newNetwork(t, counts...))
		})
	}
}

// TestWriteRead writes a network, reads it back and writes what was read.
func TestWriteRead(t *testing.T) {
	sizes(t, func(t *testing.T, n *network) {
		file, wrote := n.write()
		var got content
		read, err := snapshot.Read(context.Background(), bytes.NewReader(file), n.options(), got.sink())
		if err != nil {
			t.Fatal(err)
		}
		if wrote.Witness.ID() != read.Witness.ID() {
			t.Errorf("wrote witness %v, read %v", wrote.Witness.ID(), read.Witness.ID())
		}
		wrote.Witness, read.Witness = nil, nil
		if !reflect.DeepEqual(wrote, read) {
			t.Errorf("wrote %+v\n read %+v", wrote, read)
		}
		checkInfo(t, n, read, file)
		checkContent(t, n, &got)

		src := n.source()
		src.Anchors, src.Accounts, src.Transfers = all(got.anchors), all(got.accounts), all(got.transfers)
		src.Signatures = read.Signatures
		var again bytes.Buffer
		if _, err := snapshot.Write(context.Background(), &again, src); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), file) {
			t.Error("what was read does not write the same file")
		}
	})
}

func checkInfo(t *testing.T, n *network, info snapshot.Info, file []byte) {
	t.Helper()
	p := n.parts()
	last := n.last().Commitment
	tree := n.tree
	hash := last.Hash()
	tree.Append(hash[:])
	messages := uint64(0)
	for _, a := range n.anchors[p.first-1:] {
		messages += uint64(len(a.Included))
	}
	want := snapshot.Info{
		Network: n.genesis.Network(), Index: p.index, Time: last.Time, Commitment: hash,
		Digest: [32]byte(p.trailer()), Round: 3*p.index - 2,
		First: p.first, Anchors: uint64(len(p.anchors)), Messages: messages,
		Accounts: 7, Transfers: 7, Body: int64(len(p.body())), File: int64(len(file)),
		Peaks: tree.Peaks(), Signatures: p.signatures,
	}
	if !reflect.DeepEqual(info, want) {
		t.Errorf("info %+v\nwant %+v", info, want)
	}
}

func checkContent(t *testing.T, n *network, got *content) {
	t.Helper()
	nodes := make(map[[2]uint64][32]byte)
	first := len(n.anchors) - len(got.anchors)
	for i, a := range got.anchors {
		for _, node := range a.Nodes {
			if _, ok := nodes[[2]uint64{uint64(node.Level), node.Index}]; ok {
				t.Errorf("node %d of level %d comes twice", node.Index, node.Level)
			}
			nodes[[2]uint64{uint64(node.Level), node.Index}] = node.Hash
		}
		want := n.anchors[first+i]
		if a.Commitment != want.Commitment || !slices.Equal(a.Included, want.Included) {
			t.Errorf("anchor %d is %+v, want %+v", first+i+1, a, want)
		}
	}
	if !slices.Equal(got.accounts, n.accounts) || !slices.Equal(got.transfers, n.transfers) {
		t.Errorf("accounts %v, transfers %v", got.accounts, got.transfers)
	}
	// The nodes are enough to prove each of these commitments under each later one.
	node := func(level uint8, index uint64) ([32]byte, error) {
		hash, ok := nodes[[2]uint64{uint64(level), index}]
		if !ok {
			return hash, errors.New("no such node")
		}
		return hash, nil
	}
	for i, a := range got.anchors {
		for _, later := range got.anchors[i+1:] {
			path, err := merkle.PathOf(a.Commitment.Index, later.Commitment.Index, node)
			if err != nil {
				t.Fatal(err)
			}
			hash := a.Commitment.Hash()
			if err := merkle.Verify(later.Commitment.Tree, later.Commitment.Index, a.Commitment.Index, hash[:], path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestFormat holds the package against an encoder of the test's own.
func TestFormat(t *testing.T) {
	sizes(t, func(t *testing.T, n *network) {
		file, _ := n.write()
		body, trailer := unpack(file)
		p := n.parts()
		if !bytes.Equal(body, p.body()) {
			t.Errorf("body %x\nwant %x", body, p.body())
		}
		if !bytes.Equal(trailer, p.trailer()) {
			t.Errorf("trailer %x\nwant %x", trailer, p.trailer())
		}
		// Compressed otherwise it is the same snapshot.
		info, err := n.read(p.seal())
		if err != nil || info.Digest != [32]byte(trailer) {
			t.Errorf("digest %x, %v, want %x", info.Digest, err, trailer[:32])
		}
	})
}

// TestManyBlocks: records are cut by the ends of blocks, also where the body ends
// with one.
func TestManyBlocks(t *testing.T) {
	n := city(t)
	for i := range 3 * snapshot.BlockSize / 41 {
		n.transfers = append(n.transfers, ledger.AppliedTransfer{ID: hashOf("more %d", i), ValidUntil: n.time(1000) + uint64(i)})
	}
	n.last().Commitment.State = n.stateHash()
	file, info := n.write()
	if frames := bytes.Count(file, []byte("B\x00\x04\x00\x00")); frames != 3 {
		t.Fatalf("%d full blocks, want 3", frames)
	}
	if read, err := n.read(file); err != nil || read.Digest != info.Digest {
		t.Fatalf("digest %x, %v, want %x", read.Digest, err, info.Digest)
	}
	// A transfer has 41 bytes and an account 57: between them every length.
	n.transfers = n.transfers[:len(n.transfers)-int(info.Body%snapshot.BlockSize)/41-60]
	_, info = n.write()
	missing := snapshot.BlockSize - int(info.Body%snapshot.BlockSize)
	for i := 0; missing%41 != 0; i++ {
		address := message.Address(bytes.Repeat([]byte{255}, 32))
		address[31] = byte(i)
		n.accounts = append(n.accounts, snapshot.Account{Address: address, Account: ledger.Account{Base: 1}})
		missing -= 57
	}
	for i := range missing / 41 {
		n.transfers = append(n.transfers, ledger.AppliedTransfer{ID: hashOf("end %d", i), ValidUntil: n.time(2000) + uint64(i)})
	}
	n.last().Commitment.State = n.stateHash()
	file, info = n.write()
	if info.Body%snapshot.BlockSize != 0 {
		t.Fatalf("body of %d bytes", info.Body)
	}
	if read, err := n.read(file); err != nil || read.Digest != info.Digest {
		t.Fatalf("digest %x, %v, want %x", read.Digest, err, info.Digest)
	}
}

// TestDeterministic: the body has nothing of the node that wrote it.
func TestDeterministic(t *testing.T) {
	n := city(t)
	file, info := n.write()
	src := n.source()
	src.Signatures = n.signatures(&n.last().Commitment, 0, 1, 2, 3)
	var other bytes.Buffer
	otherInfo, err := snapshot.Write(context.Background(), &other, src)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := unpack(file)
	b, _ := unpack(other.Bytes())
	if info.Digest != otherInfo.Digest || !bytes.Equal(a, b) {
		t.Error("other signatures, another body")
	}
	if bytes.Equal(file, other.Bytes()) {
		t.Error("the signatures are in no file")
	}
}

// TestSmallReads: whatever portions the reader gives.
func TestSmallReads(t *testing.T) {
	n := city(t)
	file, info := n.write()
	for _, r := range []io.Reader{iotest.OneByteReader(bytes.NewReader(file)), iotest.DataErrReader(bytes.NewReader(file))} {
		read, err := snapshot.Read(context.Background(), r, n.options(), snapshot.Sink{})
		if err != nil || read.Digest != info.Digest {
			t.Errorf("digest %x, %v, want %x", read.Digest, err, info.Digest)
		}
	}
}

// TestNotTheFilesFault: errors from elsewhere are passed on as they are.
func TestNotTheFilesFault(t *testing.T) {
	n := city(t)
	file, _ := n.write()
	mine := errors.New("mine")
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	whole := func() io.Reader { return bytes.NewReader(file) }
	for _, test := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		sink snapshot.Sink
		want error
	}{
		{"reader", t.Context(), io.MultiReader(bytes.NewReader(file[:len(file)/2]), iotest.ErrReader(mine)), snapshot.Sink{}, mine},
		{"reader at the end", t.Context(), io.MultiReader(whole(), iotest.ErrReader(mine)), snapshot.Sink{}, mine},
		{"context", canceled, whole(), snapshot.Sink{}, context.Canceled},
		{"anchor", t.Context(), whole(), snapshot.Sink{Anchor: func(snapshot.Anchor) error { return mine }}, mine},
		{"account", t.Context(), whole(), snapshot.Sink{Account: func(snapshot.Account) error { return mine }}, mine},
		{"transfer", t.Context(), whole(), snapshot.Sink{Transfer: func(ledger.AppliedTransfer) error { return mine }}, mine},
	} {
		t.Run(test.name, func(t *testing.T) {
			info, err := snapshot.Read(test.ctx, test.r, n.options(), test.sink)
			if !errors.Is(err, test.want) || errors.As(err, new(*snapshot.InvalidError)) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if !reflect.DeepEqual(info, snapshot.Info{}) {
				t.Errorf("and yet %+v", info)
			}
		})
	}
	if _, err := snapshot.Read(t.Context(), whole(), snapshot.ReadOptions{}, snapshot.Sink{}); err == nil {
		t.Error("read without a genesis")
	}
}

// TestWriteRefuses: what Read would refuse is not written, nor what the source
// could not give.
func TestWriteRefuses(t *testing.T) {
	mine := errors.New("mine")
	for _, test := range []struct {
		name   string
		change func(n *network, src *snapshot.Source)
		want   any // an error or a Reason; nil for any error
	}{
		{"no anchor", func(_ *network, src *snapshot.Source) { src.Anchors = all[snapshot.Anchor](nil) }, nil},
		{"the last anchor missing", func(n *network, src *snapshot.Source) { src.Anchors = all(n.anchors[5:14]) }, nil},
		{"one anchor missing in front", func(n *network, src *snapshot.Source) {
			src.Anchors, src.Before = all(n.anchors[6:]), n.anchors[5].Commitment
		}, snapshot.ReasonRange},
		{"one anchor too many", func(n *network, src *snapshot.Source) {
			src.Anchors, src.Before = all(n.anchors[4:]), n.anchors[3].Commitment
		}, snapshot.ReasonRange},
		{"an anchor past the index", func(_ *network, src *snapshot.Source) { src.Index-- }, nil},
		{"another commitment before", func(_ *network, src *snapshot.Source) { src.Before.State[0] ^= 1 }, snapshot.ReasonChain},
		{"another list", func(n *network, _ *snapshot.Source) { n.anchors[8].Included[0].Outcome ^= 1 }, snapshot.ReasonList},
		{"a list that is not counted", func(n *network, _ *snapshot.Source) { n.last().Commitment.Count-- }, snapshot.ReasonList},
		{"another node", func(_ *network, src *snapshot.Source) {
			src.Node = func(uint8, uint64) ([32]byte, error) { return [32]byte{}, nil }
		}, snapshot.ReasonChain},
		{"no node", func(_ *network, src *snapshot.Source) {
			src.Node = func(uint8, uint64) ([32]byte, error) { return [32]byte{}, mine }
		}, mine},
		{"accounts out of order", func(n *network, _ *snapshot.Source) { slices.Reverse(n.accounts) }, snapshot.ReasonEncoding},
		{"transfers out of order", func(n *network, _ *snapshot.Source) { slices.Reverse(n.transfers) }, snapshot.ReasonEncoding},
		{"no quorum", func(_ *network, src *snapshot.Source) { src.Signatures = src.Signatures[1:] }, snapshot.ReasonFinality},
		{"no witness", func(_ *network, src *snapshot.Source) { src.Witness = nil }, snapshot.ReasonWitness},
		{"anchors fail", func(_ *network, src *snapshot.Source) { src.Anchors = failing[snapshot.Anchor](mine) }, mine},
		{"accounts fail", func(_ *network, src *snapshot.Source) { src.Accounts = failing[snapshot.Account](mine) }, mine},
		{"transfers fail", func(_ *network, src *snapshot.Source) { src.Transfers = failing[ledger.AppliedTransfer](mine) }, mine},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := city(t)
			src := n.source()
			test.change(n, &src)
			_, err := snapshot.Write(t.Context(), io.Discard, src)
			switch want := test.want.(type) {
			case nil:
				if err == nil {
					t.Error("written")
				}
			case error:
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			case snapshot.Reason:
				wantReason(t, err, want)
			}
		})
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := snapshot.Write(canceled, io.Discard, city(t).source()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context ended", err)
	}
	if _, err := snapshot.Write(t.Context(), brokenWriter{mine}, city(t).source()); !errors.Is(err, mine) {
		t.Errorf("error %v of a broken writer", err)
	}
}

func failing[T any](err error) func(func(T, error) bool) {
	return func(yield func(T, error) bool) { yield(*new(T), err) }
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestSince: the lists reach back over the window and the minute that a clock may
// be ahead, and not before the beginning of time.
func TestSince(t *testing.T) {
	n := city(t)
	now := n.time(15)
	if got := snapshot.Since(n.genesis, now); got != n.time(6) {
		t.Errorf("since %d, want %d", got, n.time(6))
	}
	if got := snapshot.Since(n.genesis, 5); got != 0 {
		t.Errorf("since %d, want 0", got)
	}
}
