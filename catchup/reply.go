package catchup

import (
	"encoding/binary"

	"tangled/message"
	"tangled/proof"
)

// The first byte of a reply.
const (
	statusHere    = 0
	statusNotHere = 1
	statusNotYet  = 2
)

// How a page of anchors ends.
const (
	endMore   = 0 // the run goes on in the next page
	endSigned = 1 // the last anchor is signed
	endUntil  = 2 // the last anchor is the one asked for as such
)

// Bounds of replies.
const (
	maxPage = 4 << 20 // content of a page of anchors, or messages with their lengths
	maxPart = 1 << 20 // of a snapshot

	maxBodies = 16_384 // so that the headers of tiny messages stay small beside them

	entrySize     = proof.LeafSize
	signatureSize = 1 + 64
)

// SnapshotInfo tells which snapshot a peer has; zero where it has none. Nothing of
// it is proven: the file proves itself when it is read.
type SnapshotInfo struct {
	Index  uint64   // of the anchor that it was taken at
	Size   uint64   // of the file, in bytes
	Digest [32]byte // of the snapshot's body
}

// Status is what a peer has.
type Status struct {
	Commitment proof.Commitment  // of the newest anchor that the peer knows a quorum's signatures for
	Signatures []proof.Signature // of that quorum
	// CompleteFrom is the anchor from which on the peer has all, so it says.
	CompleteFrom uint64
	Snapshot     SnapshotInfo
}

func (s *Status) append(b []byte) []byte {
	b = append(b, s.Commitment.Encode()...)
	b = binary.BigEndian.AppendUint64(b, s.CompleteFrom)
	b = binary.BigEndian.AppendUint64(b, s.Snapshot.Index)
	b = binary.BigEndian.AppendUint64(b, s.Snapshot.Size)
	b = append(b, s.Snapshot.Digest[:]...)
	return appendSignatures(b, s.Signatures)
}

// decodeStatus reads a status, whose claims and signatures it does not look at.
// The error is an *InvalidError.
func decodeStatus(b []byte) (s Status, err error) {
	r := reader{b: b}
	if s.Commitment, err = r.commitment(); err != nil {
		return Status{}, err
	}
	s.CompleteFrom = r.uint64()
	s.Snapshot = SnapshotInfo{Index: r.uint64(), Size: r.uint64(), Digest: r.hash()}
	if s.Signatures, err = r.signatures(); err != nil {
		return Status{}, err
	}
	if err := r.end("status"); err != nil {
		return Status{}, err
	}
	none := s.Snapshot == SnapshotInfo{}
	if s.CompleteFrom == 0 || !none && (s.Snapshot.Index == 0 || s.Snapshot.Size == 0) {
		return Status{}, invalidf(ReasonEncoding, "status: complete from %d, snapshot %d of %d bytes",
			s.CompleteFrom, s.Snapshot.Index, s.Snapshot.Size)
	}
	return s, nil
}

// page is a part of a run of anchors.
type page struct {
	end        byte
	content    []byte
	signatures []proof.Signature // if end is endSigned
}

func (p *page) append(b []byte) []byte {
	b = append(b, p.end)
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.content)))
	b = append(b, p.content...)
	return appendSignatures(b, p.signatures)
}

// decodePage reads a page, which shares memory with b, and looks neither into its
// content nor at the truth of its signatures. The error is an *InvalidError.
func decodePage(b []byte) (p page, err error) {
	r := reader{b: b}
	p.end = r.uint8()
	n := r.uint32()
	if n > maxPage {
		return page{}, invalidf(ReasonEncoding, "page of %d bytes, at most %d", n, maxPage)
	}
	p.content = r.take(int(n))
	if p.signatures, err = r.signatures(); err != nil {
		return page{}, err
	}
	if err := r.end("page"); err != nil {
		return page{}, err
	}
	switch {
	case p.end > endUntil:
		return page{}, invalidf(ReasonEncoding, "page with end %d", p.end)
	case (p.end == endSigned) != (len(p.signatures) > 0):
		return page{}, invalidf(ReasonEncoding, "page with end %d and %d signatures", p.end, len(p.signatures))
	case len(p.content) == 0:
		return page{}, invalidf(ReasonEncoding, "page of nothing")
	}
	return p, nil
}

// appendBodies appends a page of messages.
func appendBodies(b []byte, bodies [][]byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(bodies)))
	for _, body := range bodies {
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
		b = append(b, body...)
	}
	return b
}

// decodeBodies reads at least one message and at most limit, which share memory
// with b. The error is an *InvalidError.
func decodeBodies(b []byte, limit int) ([][]byte, error) {
	r := reader{b: b}
	count := r.uint32()
	switch {
	case r.short || len(b) > 4+maxPage:
		return nil, invalidf(ReasonEncoding, "bodies of %d bytes", len(b))
	case count == 0 || count > maxBodies || int64(count) > int64(limit):
		return nil, invalidf(ReasonEncoding, "%d bodies, want 1..%d", count, min(limit, maxBodies))
	}
	bodies := make([][]byte, count)
	for i := range bodies {
		n := r.uint32()
		if n > message.MaxSize {
			return nil, invalidf(ReasonEncoding, "body %d of %d bytes, at most %d", i, n, message.MaxSize)
		}
		bodies[i] = r.take(int(n))
	}
	return bodies, r.end("bodies")
}

// part is a piece of a snapshot file.
type part struct {
	size  uint64 // of the file
	bytes []byte
}

func (p part) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint64(b, p.size), p.bytes...)
}

// decodePart reads a part, which shares memory with b. The error is an
// *InvalidError.
func decodePart(b []byte) (part, error) {
	r := reader{b: b}
	p := part{size: r.uint64(), bytes: r.b}
	if r.short || len(p.bytes) > maxPart {
		return part{}, invalidf(ReasonEncoding, "snapshot part of %d bytes", len(b))
	}
	return p, nil
}

// appendSignatures appends signatures with their count.
func appendSignatures(b []byte, signatures []proof.Signature) []byte {
	b = append(b, byte(len(signatures)))
	return append(b, proof.EncodeSignatures(signatures)...)
}

func (r *reader) signatures() ([]proof.Signature, error) {
	raw := r.take(int(r.uint8()) * signatureSize)
	signatures, err := proof.DecodeSignatures(raw)
	if err != nil {
		return nil, &InvalidError{ReasonEncoding, err}
	}
	return signatures, nil
}

func (r *reader) commitment() (proof.Commitment, error) {
	raw := r.take(proof.CommitmentSize)
	if raw == nil {
		return proof.Commitment{}, invalidf(ReasonEncoding, "ends within a commitment")
	}
	c, err := proof.DecodeCommitment(raw)
	if err != nil {
		return proof.Commitment{}, &InvalidError{ReasonEncoding, err}
	}
	return c, nil
}
