package catchup

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"tangled/message"
	"tangled/proof"
)

// edit changes a page of anchors.
func edit(t *testing.T, change func(p *page)) func(request, []byte) []byte {
	return func(q request, reply []byte) []byte {
		if q.kind != kindAnchors {
			return reply
		}
		p, err := decodePage(reply[1:])
		if err != nil {
			t.Fatal(err)
		}
		p.content = bytes.Clone(p.content)
		change(&p)
		return p.append([]byte{statusHere})
	}
}

// editBodies changes a page of bodies.
func editBodies(t *testing.T, change func(bodies [][]byte) [][]byte) func(request, []byte) []byte {
	return func(q request, reply []byte) []byte {
		if q.kind != kindBodies {
			return reply
		}
		bodies, err := decodeBodies(reply[1:], maxBodies)
		if err != nil {
			t.Fatal(err)
		}
		return appendBodies([]byte{statusHere}, change(bodies))
	}
}

// raw answers requests of one kind with these bytes.
func raw(kind byte, reply []byte) func(request, []byte) []byte {
	return func(q request, honest []byte) []byte {
		if q.kind != kind {
			return honest
		}
		return reply
	}
}

// Every lie is found, named, and nothing that hangs on it is given or asked for.
// The chain is small: anchors 1 and 2, of 4 and 3 messages, the second signed.
func TestLies(t *testing.T) {
	c := newChain(t, 8)
	c.grow(4)
	c.grow(3, 0, 1, 2)
	first, second := 0, proof.CommitmentSize+4*entrySize // of content
	list := first + proof.CommitmentSize

	flip := func(at int) func(*page) { return func(p *page) { p.content[at] ^= 1 } }
	swap := func(p *page) {
		a, b := p.content[list:list+entrySize], p.content[list+entrySize:list+2*entrySize]
		kept := bytes.Clone(a)
		copy(a, b)
		copy(b, kept)
	}
	body := func(n int, change func(b []byte) []byte) func(request, []byte) []byte {
		return editBodies(t, func(bodies [][]byte) [][]byte {
			bodies[n] = change(bytes.Clone(bodies[n]))
			return bodies
		})
	}
	for _, tc := range []struct {
		name   string
		lie    func(request, []byte) []byte
		reason Reason
		bodies bool // the lie is in the bodies, which may have been asked for
	}{
		{"no bytes", raw(kindAnchors, nil), ReasonEncoding, false},
		{"unknown status", raw(kindAnchors, []byte{9}), ReasonStatus, false},
		{"status with a body", raw(kindAnchors, []byte{statusNotHere, 0}), ReasonEncoding, false},
		{"unknown end", edit(t, func(p *page) { p.end, p.signatures = 3, nil }), ReasonEncoding, false},
		{"empty page", edit(t, func(p *page) { p.content = nil }), ReasonEncoding, false},
		{"ends within a commitment", edit(t, func(p *page) { p.content = p.content[:second+100] }), ReasonEncoding, false},
		{"ends behind a commitment", edit(t, func(p *page) { p.content = p.content[:second+proof.CommitmentSize] }), ReasonEncoding, false},
		{"ends within an entry", edit(t, func(p *page) { p.content = p.content[:len(p.content)-1] }), ReasonEncoding, false},
		{"ends within a list", edit(t, func(p *page) { p.content = p.content[:len(p.content)-entrySize] }), ReasonEnd, false},
		{"ends unsigned", edit(t, func(p *page) { p.end, p.signatures = endUntil, nil }), ReasonEnd, false},

		{"network", edit(t, flip(first)), ReasonChain, false},
		{"epoch", edit(t, flip(first+11)), ReasonChain, false},
		{"index", edit(t, flip(first+19)), ReasonChain, false},
		{"anchor", edit(t, flip(first+59)), ReasonChain, false}, // the next commitment's Previous
		{"previous", edit(t, flip(first+68)), ReasonChain, false},
		{"previous of the second", edit(t, flip(second+68)), ReasonChain, false},
		{"time goes back", edit(t, func(p *page) { binary.BigEndian.PutUint64(p.content[first+60:], c.start()-1) }), ReasonChain, false},
		{"too many", edit(t, func(p *page) { p.content[first+132] = 1 }), ReasonChain, false},
		{"committee", edit(t, flip(first+204)), ReasonChain, false},
		{"parameters", edit(t, flip(first+236)), ReasonChain, false},
		{"first left out", edit(t, func(p *page) { p.content = p.content[second:] }), ReasonChain, false},
		{"first twice", edit(t, func(p *page) { p.content = slices.Concat(p.content[:second], p.content) }), ReasonChain, false},
		{"state of the signed", edit(t, flip(second+172)), ReasonSignatures, false},

		{"signature", edit(t, func(p *page) { p.signatures[1].Signature[5] ^= 1 }), ReasonSignatures, false},
		{"seat", edit(t, func(p *page) { p.signatures[2].Seat = 3 }), ReasonSignatures, false},
		{"unknown seat", edit(t, func(p *page) { p.signatures[2].Seat = 4 }), ReasonSignatures, false},
		{"seat twice", edit(t, func(p *page) { p.signatures[1] = p.signatures[0] }), ReasonEncoding, false},
		{"no quorum", edit(t, func(p *page) { p.signatures = p.signatures[:2] }), ReasonSignatures, false},
		{"no signatures", edit(t, func(p *page) { p.signatures = nil }), ReasonEncoding, false},
		{"signatures of the end before", edit(t, func(p *page) { p.content = p.content[:second] }), ReasonSignatures, false},

		{"ID", edit(t, flip(list+20)), ReasonList, false},
		{"outcome", edit(t, flip(list+40)), ReasonList, false},
		{"order", edit(t, swap), ReasonList, false},
		{"entry twice", edit(t, func(p *page) {
			copy(p.content[list+entrySize:list+2*entrySize], p.content[list:])
		}), ReasonList, false},

		{"no bodies", raw(kindBodies, []byte{statusHere, 0, 0, 0, 0}), ReasonEncoding, true},
		{"bodies not yet", raw(kindBodies, []byte{statusNotYet}), ReasonStatus, true},
		{"one body too many", editBodies(t, func(b [][]byte) [][]byte { return append(b, b[0]) }), ReasonEncoding, true},
		{"another body", editBodies(t, func(b [][]byte) [][]byte { b[0], b[1] = b[1], b[0]; return b }), ReasonMessage, true},
		{"another body of its kind", editBodies(t, func(b [][]byte) [][]byte { b[0], b[3] = b[3], b[0]; return b }), ReasonMessage, true},
		{"no message", body(3, func(b []byte) []byte { return b[:len(b)-1] }), ReasonMessage, true},
		{"empty body", body(0, func([]byte) []byte { return nil }), ReasonMessage, true},
		{"payload", body(3, func(b []byte) []byte { b[len(b)-80] ^= 1; return b }), ReasonMessage, true},
		{"signature of a body", body(3, func(b []byte) []byte { b[len(b)-20] ^= 1; return b }), ReasonMessage, true},
		// Outside the ID, so that only the rules of the genesis find it; whoever
		// stored such a copy would be charged by those that it serves.
		{"work", body(3, func(b []byte) []byte {
			m, err := message.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			for nonce := m.Nonce; m.Work() >= 8; nonce++ {
				m.SetNonce(nonce + 1)
			}
			return m.Bytes()
		}), ReasonMessage, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked atomic.Bool
			client := c.client(func(q request, reply []byte) []byte {
				if q.kind == kindBodies {
					asked.Store(true)
				}
				return tc.lie(q, reply)
			})
			got, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Reason != tc.reason || errors.Is(err, ErrNotHere) {
				t.Fatalf("got %v, want an *InvalidError of reason %q", err, tc.reason)
			}
			if len(got) > 0 {
				t.Errorf("%d anchors were given", len(got))
			}
			if asked.Load() != tc.bodies {
				t.Errorf("bodies asked for: %t, want %t", asked.Load(), tc.bodies)
			}
		})
	}
}

// What a quorum would never sign and a liar without one cannot: but were it so, the
// rules of single messages hold.
func TestSignedNonsense(t *testing.T) {
	data := func(c *chain, n int) *message.Message {
		return c.sign(c.draft(n, 10), testKey("device", 0), 0)
	}
	for _, tc := range []struct {
		name string
		make func(c *chain) (*message.Message, uint8)
	}{
		{"data with a transfer's outcome", func(c *chain) (*message.Message, uint8) { return data(c, 0), 2 }},
		{"witness with a transfer's outcome", func(c *chain) (*message.Message, uint8) { return c.witness(0), 3 }},
		{"transfer that is only included", func(c *chain) (*message.Message, uint8) { return c.transfer(0), outcomeIncluded }},
		{"another network", func(c *chain) (*message.Message, uint8) {
			d := c.draft(0, 10)
			d.Network[0] ^= 1
			return c.sign(d, testKey("device", 0), 0), outcomeIncluded
		}},
		{"witness of another's seat", func(c *chain) (*message.Message, uint8) {
			d := c.draft(0, 0)
			w := message.Witness{Seat: 1, Round: 1}
			d.Kind, d.Payload = message.KindWitness, w.Append(nil)
			return c.sign(d, c.seats[2], 0), outcomeIncluded
		}},
		{"only parent is not the genesis", func(c *chain) (*message.Message, uint8) {
			d := c.draft(0, 0)
			d.Parents = []message.ID{message.NewID(5, [32]byte{})}
			return c.sign(d, testKey("device", 0), 0), outcomeIncluded
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newChain(t, 0)
			m, outcome := tc.make(c)
			c.include([]*message.Message{m}, []uint8{outcome}, 0, 1, 2)
			_, err := collect(c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash))
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Reason != ReasonMessage {
				t.Errorf("got %v, want an *InvalidError of reason %q", err, ReasonMessage)
			}
		})
	}
}

// The ledger time does not fall from one page or one run to the next either.
func TestTimeFallsLater(t *testing.T) {
	c := newChain(t, 0)
	c.grow(1)
	c.grow(1, 0, 1, 2)
	early := func(p *proof.Commitment) { p.Time = c.start() + 1 }
	c.seal(anchor{}, early, 0, 1, 2)
	for _, size := range []int{maxPage, proof.CommitmentSize + entrySize} {
		c.pageSize = size
		_, err := collect(c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Reason != ReasonChain {
			t.Errorf("got %v, want an *InvalidError of reason %q", err, ReasonChain)
		}
	}
}

// A commitment that hangs together with those around it, and is under a quorum's
// signatures with them, is still one of this network.
func TestSpoiledCommitment(t *testing.T) {
	for name, change := range map[string]func(*proof.Commitment){
		"network":    func(p *proof.Commitment) { p.Network[0] ^= 1 },
		"epoch":      func(p *proof.Commitment) { p.Epoch = 1 },
		"index":      func(p *proof.Commitment) { p.Index++ },
		"time":       func(p *proof.Commitment) { p.Time = 1 },
		"committee":  func(p *proof.Commitment) { p.Committee[0] ^= 1 },
		"parameters": func(p *proof.Commitment) { p.Parameters[0] ^= 1 },
	} {
		c := newChain(t, 0)
		c.seal(anchor{}, change)
		c.grow(2, 0, 1, 2)
		_, err := collect(c.client(nil).Anchors(t.Context(), 0, c.anchors[0].hash))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Reason != ReasonChain {
			t.Errorf("%s: %v, want an *InvalidError of reason %q", name, err, ReasonChain)
		}
	}
}

// A chain that does not continue ours is refused, however well it is signed: from
// another anchor on, and where a filled gap does not meet what lies behind it.
func TestOtherChain(t *testing.T) {
	c := mixed(t)
	for name, seq := range map[string]func() error{
		"anchors": func() error {
			_, err := collect(c.client(nil).Anchors(t.Context(), 3, c.anchors[4].hash))
			return err
		},
		"backfill to a signed anchor": func() error {
			_, err := collect(c.client(nil).Backfill(t.Context(), 2, 4, c.anchors[5].hash))
			return err
		},
		"backfill to one that is not": func() error {
			_, err := collect(c.client(nil).Backfill(t.Context(), 2, 6, c.anchors[5].hash))
			return err
		},
	} {
		var invalid *InvalidError
		if err := seq(); !errors.As(err, &invalid) || invalid.Reason != ReasonChain {
			t.Errorf("%s: %v, want an *InvalidError of reason %q", name, err, ReasonChain)
		}
	}
}

// A back-filled run goes no further than was asked.
func TestBackfillBeyond(t *testing.T) {
	c := mixed(t)
	further := NewClient(c.genesis, Peer{Ask: func(ctx context.Context, b []byte) ([]byte, error) {
		q, err := decodeRequest(b)
		if err != nil {
			return nil, err
		}
		if q.kind == kindAnchors {
			q.until = endless
		}
		return c.serve(ctx, q.encode())
	}})
	_, err := collect(further.Backfill(t.Context(), 2, 3, c.anchors[3].hash))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Reason != ReasonChain {
		t.Errorf("got %v, want an *InvalidError of reason %q", err, ReasonChain)
	}
}

// A peer that promises a signed anchor for ever is stopped before it fills the
// memory.
func TestEndlessRun(t *testing.T) {
	c := newChain(t, 0)
	var held int
	previous := c.anchors[0].hash
	index := uint64(0)
	client := NewClient(c.genesis, Peer{Ask: func(_ context.Context, _ []byte) ([]byte, error) {
		index++
		next := proof.Commitment{
			Network: c.genesis.Network(), Index: index, Time: c.start(), Previous: previous, Count: (maxPage - proof.CommitmentSize) / entrySize,
			Committee: c.genesis.CommitteeHash(), Parameters: c.genesis.ParametersHash(),
		}
		previous = next.Hash()
		p := page{end: endMore, content: append(next.Encode(), make([]byte, next.Count*entrySize)...)}
		held += len(p.content)
		return p.append([]byte{statusHere}), nil
	}})
	_, err := collect(client.Anchors(t.Context(), 0, c.anchors[0].hash))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Reason != ReasonEnd {
		t.Errorf("got %v, want an *InvalidError of reason %q", err, ReasonEnd)
	}
	if held > maxRun+maxPage {
		t.Errorf("%d bytes were taken", held)
	}
}

func TestStatusLies(t *testing.T) {
	c := mixed(t)
	c.file, c.info = make([]byte, 10), SnapshotInfo{Index: 5, Size: 10, Digest: [32]byte{7}}
	edited := func(change func(*Status)) func(request, []byte) []byte {
		return func(_ request, reply []byte) []byte {
			s, err := decodeStatus(reply[1:])
			if err != nil {
				t.Fatal(err)
			}
			change(&s)
			return s.append([]byte{statusHere})
		}
	}
	for _, tc := range []struct {
		name   string
		lie    func(request, []byte) []byte
		reason Reason
	}{
		{"commitment", edited(func(s *Status) { s.Commitment.State[0] ^= 1 }), ReasonSignatures},
		{"no quorum", edited(func(s *Status) { s.Signatures = s.Signatures[1:] }), ReasonSignatures},
		{"no signatures", edited(func(s *Status) { s.Signatures = nil }), ReasonSignatures},
		{"complete from the genesis", edited(func(s *Status) { s.CompleteFrom = 0 }), ReasonEncoding},
		{"snapshot of no size", edited(func(s *Status) { s.Snapshot.Size = 0 }), ReasonEncoding},
		{"snapshot of the genesis", edited(func(s *Status) { s.Snapshot.Index = 0 }), ReasonEncoding},
		{"not yet", raw(kindStatus, []byte{statusNotYet}), ReasonStatus},
		{"trailing", func(_ request, reply []byte) []byte { return append(reply, 0) }, ReasonEncoding},
	} {
		_, err := c.client(tc.lie).Status(t.Context())
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Reason != tc.reason {
			t.Errorf("%s: %v, want an *InvalidError of reason %q", tc.name, err, tc.reason)
		}
	}
}
