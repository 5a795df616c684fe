package catchup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"

	"tangled/message"
	"tangled/proof"
)

// Included is a message of an anchor's list: what the Merkle tree has as a leaf.
type Included struct {
	ID      message.ID
	Outcome uint8 // as the ledger numbers them
}

// Source is what Serve reads. All its functions must be set, may be called from
// many goroutines, and return an error that is ErrNotHere for what this node has
// not got.
type Source struct {
	// LastAnchor is the last anchor here that peers may have, zero while there is
	// none.
	LastAnchor func() uint64
	// CompleteFrom is the lowest anchor from which on all are complete.
	CompleteFrom func() uint64
	// Complete is the last anchor of the stretch of complete anchors that begins
	// at from; below from where from itself is not complete. An anchor is complete
	// if its commitment, list and messages are here.
	Complete func(from uint64) uint64
	// Commitment is the preimage of an anchor's commitment. Serve only reads it.
	Commitment func(anchor uint64) ([]byte, error)
	// Signatures is the first set of a quorum's signatures over an anchor or one
	// after it, as proof.EncodeSignatures writes it.
	Signatures func(anchor uint64) (signed uint64, set []byte, err error)
	// Included is the list of an anchor in its order, from an index on.
	Included func(ctx context.Context, anchor uint64, from uint32) iter.Seq2[Included, error]
	// Message is the encoding of a message. Serve only reads it.
	Message func(id message.ID) ([]byte, error)
	// Snapshot tells the newest snapshot.
	Snapshot func() (SnapshotInfo, error)
	// ReadSnapshot fills p from an offset of the snapshot file at an anchor, or to
	// the file's end, and tells how many bytes it read and the file's size.
	ReadSnapshot func(index, offset uint64, p []byte) (n int, size uint64, err error)
}

// Serve answers one request. What the request has wrong is an *InvalidError, the
// asker's fault; any other error is ours. The caller owns the reply, of at most
// 4 MiB and 64 KiB.
func Serve(ctx context.Context, src Source, encoded []byte) (reply []byte, err error) {
	return serve(ctx, src, encoded, maxPage)
}

// serve is Serve with pages of another size.
func serve(ctx context.Context, src Source, encoded []byte, pageSize int) (reply []byte, err error) {
	q, err := decodeRequest(encoded)
	if err != nil {
		return nil, err
	}
	b := []byte{statusHere}
	switch q.kind {
	case kindStatus:
		b, err = src.status(b)
	case kindAnchors:
		b, err = src.anchors(ctx, b, q, pageSize)
	case kindBodies:
		b, err = src.bodies(ctx, b, q, pageSize)
	case kindSnapshot:
		b, err = src.part(b, q)
	}
	switch {
	case errors.Is(err, ErrNotHere):
		return []byte{statusNotHere}, nil
	case errors.Is(err, errNotYet):
		return []byte{statusNotYet}, nil
	case err != nil:
		return nil, fmt.Errorf("serve catch-up: %w", err)
	}
	return b, nil
}

// signatures is the first set at an anchor or after it, up to the last anchor;
// signed is zero where there is none.
func (src *Source) signatures(anchor uint64) (signed uint64, set []proof.Signature, err error) {
	signed, raw, err := src.Signatures(anchor)
	if errors.Is(err, ErrNotHere) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("signatures from anchor %d: %w", anchor, err)
	}
	if signed > src.LastAnchor() {
		return 0, nil, nil
	}
	if set, err = proof.DecodeSignatures(raw); err != nil {
		return 0, nil, fmt.Errorf("signatures over anchor %d: %w", signed, err)
	}
	return signed, set, nil
}

func (src *Source) commitment(anchor uint64) (proof.Commitment, error) {
	raw, err := src.Commitment(anchor)
	if err != nil {
		return proof.Commitment{}, fmt.Errorf("commitment %d: %w", anchor, err)
	}
	c, err := proof.DecodeCommitment(raw)
	if err != nil {
		return proof.Commitment{}, fmt.Errorf("commitment %d: %w", anchor, err)
	}
	return c, nil
}

// newest is the last signed anchor.
func (src *Source) newest() (signed uint64, set []proof.Signature, err error) {
	// Whether there is a signed anchor at an index or after it changes once.
	n := sort.Search(int(src.LastAnchor()), func(i int) bool {
		if err != nil {
			return true
		}
		var found uint64
		found, _, err = src.signatures(uint64(i) + 1)
		return found == 0
	})
	if err != nil {
		return 0, nil, err
	}
	if n == 0 {
		return 0, nil, ErrNotHere
	}
	return src.signatures(uint64(n))
}

func (src *Source) status(b []byte) ([]byte, error) {
	signed, set, err := src.newest()
	if err != nil {
		return nil, err
	}
	s := Status{Signatures: set, CompleteFrom: max(1, src.CompleteFrom())}
	if s.Commitment, err = src.commitment(signed); err != nil {
		return nil, err
	}
	if s.Snapshot, err = src.Snapshot(); err != nil && !errors.Is(err, ErrNotHere) {
		return nil, err
	}
	return s.append(b), nil
}

func (src *Source) part(b []byte, q request) ([]byte, error) {
	p := make([]byte, maxPart)
	n, size, err := src.ReadSnapshot(q.anchor, q.offset, p)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d at %d: %w", q.anchor, q.offset, err)
	}
	if q.offset > size || uint64(n) != min(maxPart, size-q.offset) {
		return nil, ErrNotHere
	}
	return part{size: size, bytes: p[:n]}.append(b), nil
}
