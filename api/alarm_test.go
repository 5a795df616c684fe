package api

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/genesis"
	"tangled/message"
)

// liar is the number of the key of a seat that signs what is not so.
const liar = 9

// pairGenesis has two seats that decide nothing without each other.
func pairGenesis() *genesis.Genesis {
	g := testGenesis()
	g.Committee = []genesis.Seat{
		{Key: [32]byte(keyOf(0)[32:]), Weight: 3},
		{Key: [32]byte(keyOf(liar)[32:]), Weight: 2},
	}
	return g
}

// secondSeat writes the witnesses of the second seat, round by round.
type secondSeat struct {
	*fixture
	round    uint64
	previous message.ID
	refs     []message.Ref // of the last round
}

// wait waits for the first seat's witness of the next round.
func (s *secondSeat) wait() message.ID {
	s.t.Helper()
	for range 100 {
		for _, w := range s.query(&tangledv1.QueryRequest{Kinds: []tangledv1.Kind{kindWitness}}) {
			if w.Message.Witness.Seat == 0 && w.Message.Witness.Round == s.round+1 {
				return message.ID(w.Message.Id)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("no witness of round %d", s.round+1)
	return message.ID{}
}

// write writes the witness of the next round, on a commitment.
func (s *secondSeat) write(index uint64, hash [32]byte) {
	s.t.Helper()
	other := s.wait()
	s.round++
	network := s.genesis.Network()
	w := message.Witness{Seat: 1, Round: s.round, Previous: s.previous, Refs: s.refs, Commit: message.Commit{Index: index, Hash: hash}}
	w.Commit.Signature = [64]byte(ed25519.Sign(keyOf(liar), message.CommitSigningBytes(network, 0, index, hash)))
	p := s.prepare()
	d := message.Draft{
		Network: network, Timestamp: p.LeastTimestampNs, Parents: []message.ID{message.ID(p.Parents[0])},
		Kind: message.KindWitness, Payload: w.Append(nil),
	}
	m, err := d.Sign(keyOf(liar))
	if err != nil {
		s.t.Fatalf("Sign: %v", err)
	}
	reply, err := s.messages.SubmitSigned(s.t.Context(), &tangledv1.SubmitSignedRequest{Message: m.Bytes()})
	if err != nil || reply.Receipt.State != tangledv1.State_STATE_DURABLE {
		s.t.Fatalf("SubmitSigned: %v, %v", reply, err)
	}
	s.previous = m.ID()
	s.refs = []message.Ref{{Seat: 0, ID: other}, {Seat: 1, ID: m.ID()}}
}

// until writes witnesses until an anchor is applied.
func (s *secondSeat) until(anchor uint64) {
	s.t.Helper()
	for s.node.LastAnchor() < anchor {
		index, hash := uint64(0), s.genesis.Hash()
		if last := s.node.LastAnchor(); last > 0 {
			index, hash = last, [32]byte(s.anchor(last).Commitment)
		}
		s.write(index, hash)
		time.Sleep(100 * time.Millisecond)
	}
}

// When more than a third of the committee signs something else, nothing from there on
// is told as final; what was certain before stays so.
func TestAlarm(t *testing.T) {
	bubbleOn(t, pairGenesis, Options{}, func(t *testing.T, f *fixture) {
		s := &secondSeat{fixture: f}
		certain := f.submit(reading("certain", 1))
		s.until(3)
		doubtful := f.submit(reading("doubtful", 1))
		raw, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: doubtful[:], IncludeRaw: true})
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		for f.metadata(doubtful).Final == nil {
			s.until(s.node.LastAnchor() + 1)
		}
		if info := f.info(); info.Alarm != "" || info.Silent {
			t.Fatalf("before: %v", info)
		}
		// Of that anchor the second seat has signed nothing yet.
		from := f.metadata(doubtful).Final.Anchor
		lie := [32]byte(f.anchor(from).Commitment)
		lie[0] ^= 1
		s.write(from, lie)
		time.Sleep(5 * time.Second)

		if info := f.info(); info.Alarm == "" || !info.Silent {
			t.Errorf("info %v, want an alarm", info)
		}
		for id, final := range map[message.ID]bool{certain: true, doubtful: false} {
			if md := f.metadata(id); (md.Final != nil) != final || (md.Finality == tangledv1.Finality_FINALITY_FINAL) != final {
				t.Errorf("metadata %v, want final: %v", md, final)
			}
			page := f.query(&tangledv1.QueryRequest{WithFinal: true, FromNs: id.Timestamp(), Limit: 1})
			if !bytes.Equal(page[0].Message.Id, id[:]) || (page[0].Message.Final != nil) != final {
				t.Errorf("query %v, want final: %v", page, final)
			}
		}
		if _, err := f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: certain[:]}); err != nil {
			t.Errorf("proof of what is certain: %v", err)
		}
		f.wantAlarms(doubtful, raw.Message.Raw)
	})
}

// wantAlarms asks for all that an alarm stops.
func (f *fixture) wantAlarms(doubtful message.ID, raw []byte) {
	t, ctx := f.t, f.t.Context()
	_, err := f.proofs.GetProof(ctx, &tangledv1.GetProofRequest{Id: doubtful[:]})
	wantError(t, "proof", err, codes.FailedPrecondition, "ALARM")
	_, err = f.messages.SubmitSigned(ctx, &tangledv1.SubmitSignedRequest{Message: raw, Wait: waitFinal})
	wantError(t, "wait", err, codes.FailedPrecondition, "ALARM")
	address := addressOf(rich)
	_, err = f.ledger.Balance(ctx, &tangledv1.BalanceRequest{Address: address[:]})
	wantError(t, "balance", err, codes.FailedPrecondition, "ALARM")
	_, err = f.ledger.Transfer(ctx, &tangledv1.TransferRequest{Transfer: f.transfer(0, 1).Append(nil)})
	wantError(t, "transfer", err, codes.FailedPrecondition, "ALARM")

	got, err := collect(t, f.follow(ctx, &tangledv1.FollowRequest{}), nil)
	wantError(t, "follow", err, codes.FailedPrecondition, "ALARM")
	if len(got) == 0 || slices.Contains(followedIDs(got), doubtful) {
		t.Errorf("followed %v, want what is certain", got)
	}
	f.submit(reading("more", 1)) // data is taken all the same
}
