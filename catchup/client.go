package catchup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"tangled/genesis"
	"tangled/message"
	"tangled/proof"
)

// rangeSize is about how many messages one peer is asked for at a time.
const rangeSize = 4096

// Client asks peers and believes nothing. It may be used from many goroutines.
type Client struct {
	genesis *genesis.Genesis
	rules   message.Rules
	peers   []Peer

	committee, parameters [32]byte
	rangeSize             int
}

// Peer is one that a Client asks.
type Peer struct {
	// Ask carries a request there and the reply back. It must return once its context
	// ends; it bounds how long a peer may take.
	Ask func(ctx context.Context, request []byte) (reply []byte, err error)
	// Charge, if it is set, is told what the peer got wrong.
	Charge func(*InvalidError)
}

// charge tells a peer's own fault, if err is one.
func (p Peer) charge(err error) {
	if invalid := new(InvalidError); errors.As(err, &invalid) && p.Charge != nil {
		p.Charge(invalid)
	}
}

// NewClient returns a client of one peer or several, in the network of g, which must
// be valid and is not changed.
func NewClient(g *genesis.Genesis, peers ...Peer) *Client {
	c := &Client{
		genesis: g, peers: peers, committee: g.CommitteeHash(), parameters: g.ParametersHash(),
		rangeSize: rangeSize,
		rules: message.Rules{
			Network: g.Network(), Genesis: g.ID(),
			DataBits: g.DataBits, TransferBits: g.TransferBits, WitnessBits: g.WitnessBits,
		},
	}
	for _, seat := range g.Committee {
		c.rules.Seats = append(c.rules.Seats, seat.Key)
	}
	return c
}

// Verified is an anchor that a quorum stands for, with all that it included.
type Verified struct {
	Commitment proof.Commitment
	// Signatures of a quorum over the commitment, where the run ended here; none
	// elsewhere: what a later one of the same sequence has proves this one, too.
	Signatures []proof.Signature
	Included   []Included         // in the anchor's order, which is that of their IDs
	Messages   []*message.Message // of each Included its message
}

// Status asks what the first peer has. Its commitment and signatures are verified, what
// it claims beside is not. ErrNotHere: it knows of no signed anchor.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	defer func() { c.peers[0].charge(err) }()
	body, err := exchange(ctx, c.peers[0], request{kind: kindStatus})
	if err != nil {
		return Status{}, fmt.Errorf("status: %w", err)
	}
	if s, err = decodeStatus(body); err != nil {
		return Status{}, err
	}
	f := proof.Finality{Commitment: s.Commitment, Signatures: s.Signatures}
	if err := f.Verify(c.genesis); err != nil {
		return Status{}, &InvalidError{ReasonSignatures, err}
	}
	return s, nil
}

// Anchors yields the anchors after one, whose commitment hashes to previous, in
// their order, as far as the peers have them: then it ends without an error. An error
// ends it, too, that of the last peer to fail; the package comment tells which there
// are. Every range over it asks anew, all peers, and has stopped all it started when
// it is left.
func (c *Client) Anchors(ctx context.Context, after uint64, previous [32]byte) iter.Seq2[Verified, error] {
	return c.stream(ctx, span{from: after + 1, until: endless, previous: &previous})
}

// Backfill yields the anchors first to last, where end is the hash of the last
// one's commitment: the Previous of the one after it. It ends without an error only
// after last; peers that cannot give all yield ErrNotHere.
func (c *Client) Backfill(ctx context.Context, first, last uint64, end [32]byte) iter.Seq2[Verified, error] {
	if first == 0 || last < first {
		return func(yield func(Verified, error) bool) {
			yield(Verified{}, fmt.Errorf("catchup: backfill of anchors %d to %d", first, last))
		}
	}
	return c.stream(ctx, span{from: first, until: last, end: &end})
}

// Snapshot writes the first peer's file that info names, as Status told it, from an offset on to
// w. It returns where it stopped, so that after an error the rest can be fetched:
// from the same peer, as another's file of the same snapshot may be compressed and
// signed differently. The bytes prove nothing before the whole file is verified.
func (c *Client) Snapshot(ctx context.Context, info SnapshotInfo, offset uint64, w io.Writer) (next uint64, err error) {
	defer func() { c.peers[0].charge(err) }()
	for offset < info.Size {
		body, err := exchange(ctx, c.peers[0], request{kind: kindSnapshot, anchor: info.Index, offset: offset})
		if err != nil {
			return offset, fmt.Errorf("snapshot %d at %d: %w", info.Index, offset, err)
		}
		p, err := decodePart(body)
		if err != nil {
			return offset, err
		}
		if want := min(maxPart, info.Size-offset); p.size != info.Size || uint64(len(p.bytes)) != want {
			return offset, invalidf(ReasonSnapshot, "snapshot %d at %d: %d bytes of %d, want %d of %d",
				info.Index, offset, len(p.bytes), p.size, want, info.Size)
		}
		n, err := w.Write(p.bytes)
		offset += uint64(n)
		if err != nil {
			return offset, fmt.Errorf("write snapshot %d: %w", info.Index, err)
		}
	}
	return offset, nil
}

// exchange makes one request and returns the body of the reply.
func exchange(ctx context.Context, of Peer, q request) ([]byte, error) {
	reply, err := of.Ask(ctx, q.encode())
	if err != nil {
		return nil, err
	}
	r := reader{b: reply}
	switch status := r.uint8(); {
	case r.short:
		return nil, invalidf(ReasonEncoding, "reply of no bytes")
	case status == statusHere:
		return r.b, nil
	case len(r.b) > 0:
		return nil, invalidf(ReasonEncoding, "%d bytes after status %d", len(r.b), status)
	case status == statusNotHere:
		return nil, ErrNotHere
	case status == statusNotYet && q.kind == kindAnchors && q.until == endless:
		return nil, errNotYet
	case status == statusNotYet && q.kind == kindAnchors:
		return nil, ErrNotHere
	default:
		return nil, invalidf(ReasonStatus, "status %d to a request of kind %d", status, q.kind)
	}
}
