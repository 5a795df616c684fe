package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"tangled/ledger"
	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// Read verifies the snapshot that r holds from here to its end, and streams it
// into sink on the way: see Sink for what may be believed when. The package
// comment says what is verified. Its time is that of the state hash, about 8 us
// an account.
func Read(ctx context.Context, r io.Reader, options ReadOptions, sink Sink) (Info, error) {
	if options.Genesis == nil {
		return Info{}, errors.New("read snapshot: no genesis")
	}
	frames, err := newFrameReader(r)
	if err != nil {
		return Info{}, err
	}
	defer frames.close()
	rd := &reading{
		options: options, sink: sink,
		body: bodyReader{ctx: ctx, frames: frames, digest: newDigest()},
	}
	for _, step := range []func() error{frames.header, rd.head, rd.anchors, rd.ledger, rd.trailer, frames.end} {
		if err := step(); err != nil {
			return Info{}, err
		}
	}
	rd.info.Body, rd.info.File = rd.body.size, frames.read
	return rd.info, nil
}

// reading is one Read.
type reading struct {
	options ReadOptions
	sink    Sink
	body    bodyReader
	chain   *chain
	record  byte // kind of the record that comes next
	info    Info

	nodes    []merkle.Node // the peaks, until the first anchor has them
	entries  []byte        // room for a list
	included []Included    // likewise
}

// next reads the kind of the next record.
func (r *reading) next() (err error) {
	r.record, err = r.body.uint8()
	return err
}

func (r *reading) head() error {
	g := r.options.Genesis
	want := rules(g)
	var network message.NetworkID
	if err := r.body.fill(network[:]); err != nil {
		return err
	}
	if network != g.Network() {
		return invalidf(ReasonGenesis, "of network %v, the genesis is of %x", network, g.Network())
	}
	index, err := r.body.uint64()
	if err != nil {
		return err
	}
	got := make([]byte, len(want))
	if err := r.body.fill(got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return invalidf(ReasonGenesis, "has other parameters or another committee than the genesis")
	}
	r.chain = newChain(g, index)
	return r.beginning()
}

// beginning reads where the anchors begin.
func (r *reading) beginning() error {
	first, err := r.body.uint64()
	if err != nil {
		return err
	}
	var before proof.Commitment
	if first > 1 {
		if before, err = r.body.commitment(); err != nil {
			return err
		}
	}
	r.nodes = peakNodes(first)
	peaks := make([][32]byte, len(r.nodes))
	for i := range peaks {
		if err := r.body.fill(peaks[i][:]); err != nil {
			return err
		}
		r.nodes[i].Hash = peaks[i]
	}
	return r.chain.begin(first, before, peaks)
}

func (r *reading) anchors() error {
	for !r.chain.done() {
		if err := r.next(); err != nil {
			return err
		}
		if r.record != recordAnchor {
			return invalidf(ReasonEncoding, "record of kind %d before anchor %d", r.record, r.chain.index)
		}
		if err := r.anchor(); err != nil {
			return err
		}
	}
	if err := r.chain.end(); err != nil {
		return err
	}
	if t := r.options.Trust; t != nil && *t != (Trust{r.chain.index, r.chain.lastHash}) {
		return invalidf(ReasonFinality, "of anchor %d with commitment %x, trusted is %d with %x",
			r.chain.index, r.chain.lastHash, t.Index, t.Commitment)
	}
	return r.next()
}

func (r *reading) anchor() error {
	c, err := r.body.commitment()
	if err != nil {
		return err
	}
	if err := r.chain.link(&c); err != nil {
		return err
	}
	if err := r.list(c.Count); err != nil {
		return err
	}
	nodes, err := r.chain.list(r.entries)
	if err != nil {
		return err
	}
	r.nodes = append(r.nodes, nodes...)
	r.info.Messages += c.Count
	if r.sink.Anchor != nil {
		if err := r.sink.Anchor(Anchor{Commitment: c, Included: r.included, Nodes: r.nodes}); err != nil {
			return fmt.Errorf("anchor %d of a snapshot: %w", c.Index, err)
		}
	}
	r.nodes = r.nodes[:0]
	return nil
}

// list reads the entries of count messages, which the genesis bounds. Room is made
// as they come, not as they are promised.
func (r *reading) list(count uint64) error {
	r.entries, r.included = r.entries[:0], r.included[:0]
	for range count {
		at := len(r.entries)
		r.entries = slices.Grow(r.entries, proof.LeafSize)[:at+proof.LeafSize]
		entry := r.entries[at:]
		if err := r.body.fill(entry); err != nil {
			return err
		}
		r.included = append(r.included, Included{ID: message.ID(entry), Outcome: entry[message.IDSize]})
	}
	return nil
}

// ledger reads accounts and transfers, and compares their state hash.
func (r *reading) ledger() error {
	var failed error
	accounts := func(yield func(message.Address, ledger.Account) bool) { failed = r.accounts(yield) }
	transfers := func(yield func(message.TransferID, uint64) bool) {
		if failed == nil {
			failed = r.transfers(yield)
		}
	}
	l, err := ledger.Restore(r.chain.network, accounts, transfers)
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return &InvalidError{ReasonState, err}
	case r.record != recordEnd:
		return invalidf(ReasonEncoding, "record of kind %d, want the end", r.record)
	case l.StateHash() != r.chain.last.State:
		return invalidf(ReasonState, "accounts and transfers do not have the state hash of commitment %d", r.chain.index)
	}
	return nil
}

func (r *reading) accounts(yield func(message.Address, ledger.Account) bool) error {
	var order accountOrder
	for ; r.record == recordAccount; r.info.Accounts++ {
		var raw [accountSize]byte
		if err := r.body.fill(raw[:]); err != nil {
			return err
		}
		a := decodeAccount(&raw)
		if err := order.next(a); err != nil {
			return err
		}
		if !yield(a.Address, a.Account) {
			return nil // Restore says why
		}
		if r.sink.Account != nil {
			if err := r.sink.Account(a); err != nil {
				return fmt.Errorf("account %v of a snapshot: %w", a.Address, err)
			}
		}
		if err := r.next(); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) transfers(yield func(message.TransferID, uint64) bool) error {
	var order transferOrder
	for ; r.record == recordTransfer; r.info.Transfers++ {
		var raw [transferSize]byte
		if err := r.body.fill(raw[:]); err != nil {
			return err
		}
		t := decodeTransfer(&raw)
		if err := order.next(t); err != nil {
			return err
		}
		if !yield(t.ID, t.ValidUntil) {
			return nil // Restore says why
		}
		if r.sink.Transfer != nil {
			if err := r.sink.Transfer(t); err != nil {
				return fmt.Errorf("transfer %v of a snapshot: %w", t.ID, err)
			}
		}
		if err := r.next(); err != nil {
			return err
		}
	}
	return nil
}

// trailer reads what proves the body.
func (r *reading) trailer() error {
	if len(r.body.block) > 0 {
		return invalidf(ReasonEncoding, "%d bytes after the last record", len(r.body.block))
	}
	kind, b, err := r.body.frames.next()
	if err != nil {
		return err
	}
	if kind != kindTrailer {
		return invalidf(ReasonEncoding, "frame of kind %q after the body", kind)
	}
	t, err := decodeTrailer(b)
	if err != nil {
		return err
	}
	if digest := r.body.digest.Sum(nil); !bytes.Equal(digest, t.digest[:]) {
		return invalidf(ReasonChecksum, "the body has digest %x, the trailer says %x", digest, t.digest)
	}
	return r.info.prove(r.chain, t, r.options.Trust)
}
