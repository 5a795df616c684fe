package catchup

import (
	"bytes"
	"context"

	"tangled/merkle"
	"tangled/message"
	"tangled/proof"
)

// maxRun bounds what is held of a run before its end makes it believed. An honest
// network comes nowhere near: its anchors are signed within seconds.
const maxRun = 64 << 20

// span is what anchors are asked for.
type span struct {
	from, until uint64
	previous    *[32]byte // hash of the commitment before from; nil if not known
	end         *[32]byte // hash of the commitment of until; nil if not known
	time        uint64    // ledger time of the commitment before from; zero if not known
}

// run gathers anchors from pages until one of them is signed.
type run struct {
	client *Client
	span   span // from and previous are those of the next commitment
	time   uint64

	content []byte
	parsed  int // bytes of content that are in anchors
	anchors []listed
	// open is the anchor whose list has begun; its commitment is content, too.
	open *proof.Commitment
	hash [32]byte // of the last commitment
}

// listed is an anchor before its list is believed.
type listed struct {
	commitment proof.Commitment
	begin, end int // of the list in run.content
}

// run asks a peer for the anchors from s.from on until they are believed, and checks
// their lists; it returns them without messages. The error is errNotYet if there are
// none yet.
func (c *Client) run(ctx context.Context, of Peer, s span) ([]Verified, error) {
	r := run{client: c, span: s, time: s.time}
	for {
		q := request{kind: kindAnchors, anchor: r.span.from, until: s.until}
		if r.open != nil {
			q.anchor = r.open.Index
			q.index = uint32((len(r.content) - r.parsed - proof.CommitmentSize) / entrySize)
		}
		body, err := exchange(ctx, of, q)
		if err != nil {
			return nil, err
		}
		p, err := decodePage(body)
		if err != nil {
			return nil, err
		}
		if err := r.take(p.content); err != nil {
			return nil, err
		}
		if p.end != endMore {
			return r.believe(p)
		}
	}
}

// take adds the content of a page, and checks the commitments in it.
func (r *run) take(content []byte) error {
	if len(r.content)+len(content) > maxRun {
		return invalidf(ReasonEnd, "%d bytes of anchors and none is signed", len(r.content)+len(content))
	}
	if r.content == nil {
		r.content = content
	} else {
		r.content = append(r.content, content...)
	}
	for r.parsed < len(r.content) {
		if r.open == nil {
			if err := r.begin(); err != nil {
				return err
			}
		}
		begin := r.parsed + proof.CommitmentSize
		has, want := uint64(len(r.content)-begin), r.open.Count*entrySize
		if has < want {
			if has == 0 || has%entrySize != 0 {
				return invalidf(ReasonEncoding, "list of anchor %d ends after %d bytes, not behind an entry", r.open.Index, has)
			}
			return nil
		}
		r.parsed = begin + int(want)
		r.anchors = append(r.anchors, listed{*r.open, begin, r.parsed})
		r.open = nil
	}
	return nil
}

// begin reads the commitment that comes next.
func (r *run) begin() error {
	next := reader{b: r.content[r.parsed:]}
	c, err := next.commitment()
	if err != nil {
		return err
	}
	if err := r.check(&c); err != nil {
		return err
	}
	r.hash, r.time, r.open = c.Hash(), c.Time, &c
	r.span.from, r.span.previous = c.Index+1, &r.hash
	return nil
}

// check tells whether a commitment may come next.
func (r *run) check(c *proof.Commitment) error {
	client := r.client
	switch {
	case c.Network != client.rules.Network || c.Epoch != 0:
		return invalidf(ReasonChain, "commitment of network %v and epoch %d", c.Network, c.Epoch)
	case c.Index != r.span.from || c.Index > r.span.until:
		return invalidf(ReasonChain, "commitment %d, want %d of at most %d", c.Index, r.span.from, r.span.until)
	case r.span.previous != nil && c.Previous != *r.span.previous:
		return invalidf(ReasonChain, "commitment %d follows %x, want %x", c.Index, c.Previous, *r.span.previous)
	case c.Time < r.time || c.Time < uint64(client.genesis.Start.UnixNano()):
		return invalidf(ReasonChain, "commitment %d takes the ledger time back to %d", c.Index, c.Time)
	case c.Committee != client.committee || c.Parameters != client.parameters:
		return invalidf(ReasonChain, "commitment %d is of another committee or other parameters", c.Index)
	case c.Count > uint64(client.genesis.MaxIncluded):
		return invalidf(ReasonChain, "commitment %d includes %d messages, at most %d", c.Index, c.Count, client.genesis.MaxIncluded)
	}
	return nil
}

// believe checks what makes the run true, then its lists.
func (r *run) believe(p page) ([]Verified, error) {
	if r.open != nil {
		return nil, invalidf(ReasonEnd, "the run ends within the list of anchor %d", r.open.Index)
	}
	last := &r.anchors[len(r.anchors)-1].commitment
	if last.Index == r.span.until && r.span.end != nil && *r.span.end != r.hash {
		return nil, invalidf(ReasonChain, "commitment %d hashes to %x, want %x", last.Index, r.hash, *r.span.end)
	}
	switch {
	case p.end == endSigned:
		f := proof.Finality{Commitment: *last, Signatures: p.signatures}
		if err := f.Verify(r.client.genesis); err != nil {
			return nil, &InvalidError{ReasonSignatures, err}
		}
	case last.Index != r.span.until || r.span.end == nil:
		return nil, invalidf(ReasonEnd, "the run ends at anchor %d, which is not signed", last.Index)
	}
	anchors := make([]Verified, len(r.anchors))
	err := parallel(len(anchors), 1, func(i int) (err error) {
		a := &r.anchors[i]
		anchors[i].Commitment = a.commitment
		anchors[i].Included, err = a.list(r.content[a.begin:a.end])
		return err
	})
	if err != nil {
		return nil, err
	}
	anchors[len(anchors)-1].Signatures = p.signatures
	return anchors, nil
}

// list reads the list of a believed commitment.
func (a *listed) list(raw []byte) ([]Included, error) {
	list := make([]Included, len(raw)/entrySize)
	leaves := make([][]byte, len(list))
	for i := range list {
		leaf := raw[i*entrySize : (i+1)*entrySize]
		if i > 0 && bytes.Compare(leaves[i-1][:message.IDSize], leaf[:message.IDSize]) >= 0 {
			return nil, invalidf(ReasonList, "list of anchor %d is not ascending and unique at %d", a.commitment.Index, i)
		}
		leaves[i] = leaf
		list[i] = Included{message.ID(leaf), leaf[message.IDSize]}
	}
	if root := merkle.Root(leaves); root != a.commitment.Included {
		return nil, invalidf(ReasonList, "list of anchor %d has root %x, want %x", a.commitment.Index, root, a.commitment.Included)
	}
	return list, nil
}
