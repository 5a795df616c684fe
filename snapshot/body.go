package snapshot

import (
	"context"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/blake2b"

	"tangled/genesis"
	"tangled/ledger"
	"tangled/message"
	"tangled/proof"
)

// The kinds of record, in the order in which they come.
const (
	recordAnchor   = 1
	recordAccount  = 2
	recordTransfer = 3
	recordEnd      = 4
)

const (
	accountSize  = message.AddressSize + 3*8
	transferSize = 8 + len(message.TransferID{})
)

// rules are the parameters and the committee of g as its canonical encoding has
// them, which ends its name (1 byte of length) and start (8) before them and its
// balances behind them.
func rules(g *genesis.Genesis) []byte {
	const parameters, count, seat = 15, 2, 40
	b := g.Encode()[1+1+len(g.Name)+8:]
	return b[:parameters+count+seat*len(g.Committee)]
}

func newDigest() hash.Hash {
	h, err := blake2b.New256(nil)
	if err != nil {
		panic(err) // it fails for a key that is too long only
	}
	return h
}

// bodyWriter cuts the body into blocks.
type bodyWriter struct {
	ctx    context.Context
	frames *frameWriter
	digest hash.Hash
	block  []byte
	size   int64
}

func (b *bodyWriter) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), blockSize-len(b.block))
		b.block = append(b.block, p[:n]...)
		if p = p[n:]; len(b.block) == blockSize {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bodyWriter) flush() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if len(b.block) == 0 {
		return nil
	}
	b.digest.Write(b.block)
	b.size += int64(len(b.block))
	err := b.frames.write(kindBody, b.block)
	b.block = b.block[:0]
	return err
}

// bodyReader joins the blocks.
type bodyReader struct {
	ctx    context.Context
	frames *frameReader
	digest hash.Hash
	block  []byte // what is left of the last one
	short  bool   // the last one was short, and so the last there may be
	size   int64
}

func (b *bodyReader) fill(dst []byte) error {
	for len(dst) > 0 {
		if len(b.block) == 0 {
			if err := b.next(); err != nil {
				return err
			}
		}
		n := copy(dst, b.block)
		dst, b.block = dst[n:], b.block[n:]
	}
	return nil
}

func (b *bodyReader) next() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	kind, block, err := b.frames.next()
	switch {
	case err != nil:
		return err
	case kind != kindBody:
		return invalidf(ReasonEncoding, "frame of kind %q within the body", kind)
	case b.short:
		return invalidf(ReasonEncoding, "a block after one of less than %d bytes", blockSize)
	}
	b.digest.Write(block)
	b.size += int64(len(block))
	b.block, b.short = block, len(block) < blockSize
	return nil
}

func (b *bodyReader) uint8() (byte, error) {
	var raw [1]byte
	err := b.fill(raw[:])
	return raw[0], err
}

func (b *bodyReader) uint64() (uint64, error) {
	var raw [8]byte
	err := b.fill(raw[:])
	return binary.BigEndian.Uint64(raw[:]), err
}

func (b *bodyReader) commitment() (proof.Commitment, error) {
	var raw [proof.CommitmentSize]byte
	if err := b.fill(raw[:]); err != nil {
		return proof.Commitment{}, err
	}
	return proof.DecodeCommitment(raw[:])
}

func appendAccount(b []byte, a Account) []byte {
	b = append(b, a.Address[:]...)
	b = binary.BigEndian.AppendUint64(b, a.Balance)
	b = binary.BigEndian.AppendUint64(b, a.Base)
	return binary.BigEndian.AppendUint64(b, a.Used)
}

func decodeAccount(b *[accountSize]byte) Account {
	return Account{
		Address: message.Address(b[:message.AddressSize]),
		Account: ledger.Account{
			Balance: binary.BigEndian.Uint64(b[32:]),
			Base:    binary.BigEndian.Uint64(b[40:]),
			Used:    binary.BigEndian.Uint64(b[48:]),
		},
	}
}

func appendTransfer(b []byte, t ledger.AppliedTransfer) []byte {
	b = binary.BigEndian.AppendUint64(b, t.ValidUntil)
	return append(b, t.ID[:]...)
}

func decodeTransfer(b *[transferSize]byte) ledger.AppliedTransfer {
	return ledger.AppliedTransfer{
		ID:         message.TransferID(b[8:]),
		ValidUntil: binary.BigEndian.Uint64(b[:]),
	}
}
