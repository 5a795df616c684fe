package snapshot

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"tangled/ledger"
)

// Write makes the snapshot of src. It flushes nothing and closes nothing. What was
// written before an error is no snapshot.
func Write(ctx context.Context, w io.Writer, src Source) (Info, error) {
	info, err := write(ctx, w, &src)
	if err != nil {
		return Info{}, fmt.Errorf("write snapshot of anchor %d: %w", src.Index, err)
	}
	return info, nil
}

func write(ctx context.Context, w io.Writer, src *Source) (Info, error) {
	frames, err := newFrameWriter(w)
	if err != nil {
		return Info{}, err
	}
	wr := &writing{
		src:   src,
		body:  bodyWriter{ctx: ctx, frames: frames, digest: newDigest(), block: make([]byte, 0, blockSize)},
		chain: newChain(src.Genesis, src.Index),
	}
	for _, step := range []func() error{wr.anchors, wr.accounts, wr.transfers, wr.end} {
		if err := step(); err != nil {
			return Info{}, err
		}
	}
	return wr.info, nil
}

// writing is one Write.
type writing struct {
	src   *Source
	body  bodyWriter
	chain *chain
	info  Info
	b     []byte // room for one record
}

// head goes before the first anchor, which says where the snapshot begins.
func (w *writing) head(first uint64) error {
	var peaks [][32]byte
	for _, n := range peakNodes(first) {
		hash, err := w.src.Node(n.Level, n.Index)
		if err != nil {
			return fmt.Errorf("node %d of level %d: %w", n.Index, n.Level, err)
		}
		peaks = append(peaks, hash)
	}
	if err := w.chain.begin(first, w.src.Before, peaks); err != nil {
		return err
	}
	b := append(w.b[:0], w.chain.network[:]...)
	b = binary.BigEndian.AppendUint64(b, w.src.Index)
	b = append(b, rules(w.src.Genesis)...)
	b = binary.BigEndian.AppendUint64(b, first)
	if first > 1 {
		b = append(b, w.src.Before.Encode()...)
	}
	for _, peak := range peaks {
		b = append(b, peak[:]...)
	}
	w.b = b
	return w.body.write(b)
}

func (w *writing) anchors() error {
	for a, err := range w.src.Anchors {
		if err != nil {
			return fmt.Errorf("anchors: %w", err)
		}
		if w.chain.linked == 0 {
			if err := w.head(a.Commitment.Index); err != nil {
				return err
			}
		}
		if err := w.anchor(&a); err != nil {
			return err
		}
	}
	if !w.chain.done() {
		return fmt.Errorf("the anchors end before anchor %d", w.src.Index)
	}
	return w.chain.end()
}

func (w *writing) anchor(a *Anchor) error {
	if err := w.chain.link(&a.Commitment); err != nil {
		return err
	}
	b := append(append(w.b[:0], recordAnchor), a.Commitment.Encode()...)
	list := len(b)
	for _, m := range a.Included {
		b = append(append(b, m.ID[:]...), m.Outcome)
	}
	w.b = b
	if _, err := w.chain.list(b[list:]); err != nil {
		return err
	}
	w.info.Messages += uint64(len(a.Included))
	return w.body.write(b)
}

func (w *writing) accounts() error {
	var order accountOrder
	for a, err := range w.src.Accounts {
		if err != nil {
			return fmt.Errorf("accounts: %w", err)
		}
		if err := order.next(a); err != nil {
			return err
		}
		w.b = appendAccount(append(w.b[:0], recordAccount), a)
		if err := w.body.write(w.b); err != nil {
			return err
		}
	}
	w.info.Accounts = order.count
	return nil
}

func (w *writing) transfers() error {
	var order transferOrder
	for t, err := range w.src.Transfers {
		if err != nil {
			return fmt.Errorf("transfers: %w", err)
		}
		if err := order.next(t); err != nil {
			return err
		}
		w.b = appendTransfer(append(w.b[:0], recordTransfer), t)
		if err := w.body.write(w.b); err != nil {
			return err
		}
	}
	w.info.Transfers = order.count
	return nil
}

// end writes the last record and the trailer.
func (w *writing) end() error {
	if err := w.body.write([]byte{recordEnd}); err != nil {
		return err
	}
	if err := w.body.flush(); err != nil {
		return err
	}
	t := &trailer{signatures: w.src.Signatures, witness: w.src.Witness}
	w.body.digest.Sum(t.digest[:0])
	if err := w.info.prove(w.chain, t, nil); err != nil {
		return err
	}
	if err := w.body.frames.write(kindTrailer, t.encode()); err != nil {
		return err
	}
	w.info.Body, w.info.File = w.body.size, w.body.frames.written
	return nil
}

// prove verifies what the trailer proves of a chain that is done, and notes it.
func (i *Info) prove(c *chain, t *trailer, trust *Trust) (err error) {
	if i.Trusted, err = verifyFinality(c.genesis, &c.last, t.signatures, trust); err != nil {
		return err
	}
	if i.Witness, i.Round, err = verifyWitness(c.genesis, &c.last, t.witness); err != nil {
		return err
	}
	i.Network, i.Index, i.Time, i.Commitment = c.network, c.index, c.last.Time, c.lastHash
	i.First, i.Anchors = c.first, c.linked
	i.Peaks, i.Signatures, i.Digest = c.tree.Peaks(), t.signatures, t.digest
	return nil
}

// accountOrder holds the accounts to their order. The error is an *InvalidError.
type accountOrder struct {
	count uint64
	last  Account
}

func (o *accountOrder) next(a Account) error {
	if o.count > 0 && bytes.Compare(a.Address[:], o.last.Address[:]) <= 0 {
		return invalidf(ReasonEncoding, "account %v after %v", a.Address, o.last.Address)
	}
	if a.Account == (ledger.Account{}) {
		return invalidf(ReasonEncoding, "account %v is all zero", a.Address)
	}
	o.count, o.last = o.count+1, a
	return nil
}

// transferOrder holds the transfers to theirs. The error is an *InvalidError.
type transferOrder struct {
	count uint64
	last  ledger.AppliedTransfer
}

func (o *transferOrder) next(t ledger.AppliedTransfer) error {
	order := cmp.Or(cmp.Compare(t.ValidUntil, o.last.ValidUntil), bytes.Compare(t.ID[:], o.last.ID[:]))
	if o.count > 0 && order <= 0 {
		return invalidf(ReasonEncoding, "transfer %v, valid until %d, after %v, valid until %d",
			t.ID, t.ValidUntil, o.last.ID, o.last.ValidUntil)
	}
	o.count, o.last = o.count+1, t
	return nil
}
