package api

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/ledger"
	"tangled/message"
	"tangled/node"
	"tangled/storage"
)

const waitFinal = tangledv1.Wait_WAIT_FINAL

func (f *fixture) metadata(id message.ID) *tangledv1.MetadataResponse {
	f.t.Helper()
	md, err := f.messages.Metadata(f.t.Context(), &tangledv1.MetadataRequest{Id: id[:]})
	if err != nil {
		f.t.Fatalf("Metadata: %v", err)
	}
	return md
}

func TestWaitFinal(t *testing.T) {
	ways := map[string]func(f *fixture, wait tangledv1.Wait) *tangledv1.Receipt{
		"Submit": func(f *fixture, wait tangledv1.Wait) *tangledv1.Receipt {
			reply, err := f.messages.Submit(f.t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 1), Wait: wait})
			if err != nil {
				f.t.Fatalf("Submit: %v", err)
			}
			return reply.Receipt
		},
		"SubmitSigned": func(f *fixture, wait tangledv1.Wait) *tangledv1.Receipt {
			p := f.prepare()
			m := f.signed(p, p.LeastTimestampNs, nil)
			reply, err := f.messages.SubmitSigned(f.t.Context(), &tangledv1.SubmitSignedRequest{Message: m.Bytes(), Wait: wait})
			if err != nil {
				f.t.Fatalf("SubmitSigned: %v", err)
			}
			return reply.Receipt
		},
		"SubmitStream": func(f *fixture, wait tangledv1.Wait) *tangledv1.Receipt {
			stream := f.submitStream(f.t.Context())
			if err := stream.Send(&tangledv1.SubmitStreamRequest{Data: reading("a", 1), Wait: wait}); err != nil {
				f.t.Fatalf("Send: %v", err)
			}
			stream.CloseSend()
			reply, err := stream.Recv()
			if err != nil || reply.GetReceipt() == nil {
				f.t.Fatalf("Recv: %v, %v", reply, err)
			}
			return reply.GetReceipt()
		},
	}
	for name, submit := range ways {
		bubble(t, Options{}, func(t *testing.T, f *fixture) {
			start := time.Now()
			for _, wait := range []tangledv1.Wait{tangledv1.Wait_WAIT_UNSPECIFIED, tangledv1.Wait_WAIT_DURABLE} {
				if r := submit(f, wait); r.Final != nil || !time.Now().Equal(start) {
					t.Errorf("%s with %v waited: %v", name, wait, r)
				}
			}
			r := submit(f, waitFinal)
			if took := time.Since(start); took == 0 || took > 5*time.Second {
				t.Errorf("%s: final after %v", name, took)
			}
			md := f.metadata(message.ID(r.Id))
			if md.Final == nil || !proto.Equal(md.Final, r.Final) || r.Final.Outcome != tangledv1.Outcome_OUTCOME_INCLUDED {
				t.Errorf("%s: receipt %v, metadata %v", name, r, md)
			}
			if r.State != tangledv1.State_STATE_DURABLE {
				t.Errorf("%s: state %v", name, r.State)
			}
		})
	}
}

// What is dropped never becomes final.
func TestWaitFinalOfADroppedMessage(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		p := f.prepare()
		m := f.signed(p, p.LeastTimestampNs+120e9, nil)
		start := time.Now()
		reply, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: m.Bytes(), Wait: waitFinal})
		if err != nil || reply.Receipt.State != tangledv1.State_STATE_AHEAD || reply.Receipt.Final != nil {
			t.Errorf("two minutes ahead: %v, %v", reply, err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v", took)
		}
	})
	for _, state := range []node.State{node.Ahead, node.Stale, node.Surplus} {
		if !dropped(state) {
			t.Errorf("%v is waited for", state)
		}
	}
	for _, state := range []node.State{node.Durable, node.Duplicate, node.Orphan, node.Held} {
		if dropped(state) {
			t.Errorf("%v is not waited for", state)
		}
	}
}

func TestWaitFinalHasADeadline(t *testing.T) {
	bubbleOn(t, idleGenesis, Options{Timeout: 7 * time.Second}, func(t *testing.T, f *fixture) {
		start := time.Now()
		_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 1), Wait: waitFinal})
		wantError(t, "nobody decides", err, codes.DeadlineExceeded, "")
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("took %v, want the default deadline of 7s", took)
		}
		page := f.query(&tangledv1.QueryRequest{})
		if len(page) != 1 {
			t.Fatalf("%d messages are stored, want the one submitted", len(page))
		}
		if id := message.ID(page[0].Message.Id).String(); !strings.Contains(err.Error(), id) {
			t.Errorf("the error does not name message %s: %v", id, err)
		}
	})
}

// Where nothing becomes final, waiting for it is refused before anything is done.
func TestNoCommittee(t *testing.T) {
	bubbleOn(t, seatlessGenesis, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		p := f.prepare()
		_, submit := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 2), Wait: waitFinal})
		_, signed := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{
			Message: f.signed(p, p.LeastTimestampNs, nil).Bytes(), Wait: waitFinal,
		})
		_, transfer := f.ledger.Transfer(t.Context(), &tangledv1.TransferRequest{Transfer: f.transfer(0, 1).Append(nil), Wait: waitFinal})
		_, proof := f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: id[:]})
		follow, err := f.history.Follow(t.Context(), &tangledv1.FollowRequest{})
		_, followed := collect(t, follow, err)
		anchors, err := f.proofs.FollowAnchors(t.Context(), &tangledv1.FollowAnchorsRequest{})
		_, followedAnchors := collect(t, anchors, err)
		for name, err := range map[string]error{
			"Submit": submit, "SubmitSigned": signed, "Transfer": transfer, "GetProof": proof,
			"Follow": followed, "FollowAnchors": followedAnchors,
		} {
			wantError(t, name, err, codes.FailedPrecondition, "NO_COMMITTEE")
		}
		if page := f.query(&tangledv1.QueryRequest{Kinds: allKinds}); len(page) != 1 {
			t.Errorf("%d messages are stored, want 1", len(page))
		}
	})
}

func TestUnknownWait(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: reading("a", 2), Wait: 3})
		wantError(t, "Submit", err, codes.InvalidArgument, "WAIT")
		_, err = f.ledger.Transfer(t.Context(), &tangledv1.TransferRequest{Transfer: f.transfer(0, 1).Append(nil), Wait: -1})
		wantError(t, "Transfer", err, codes.InvalidArgument, "WAIT")
		if page := f.query(&tangledv1.QueryRequest{}); len(page) != 0 {
			t.Errorf("%d messages are stored, want none", len(page))
		}
	})
}

func TestMetadataOfFinality(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		md := f.metadata(id)
		if md.Finality != tangledv1.Finality_FINALITY_PENDING || md.Final != nil || md.TotalWeight != 1 || len(md.ReplacedBy) != 0 {
			t.Errorf("at first %v", md)
		}
		f.settle()
		md = f.metadata(id)
		if md.Finality != tangledv1.Finality_FINALITY_FINAL || md.Final.GetAnchor() == 0 || md.Final.GetOutcome() != tangledv1.Outcome_OUTCOME_INCLUDED {
			t.Errorf("then %v", md)
		}
		get, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:], WithFinal: true})
		if err != nil || !proto.Equal(get.Message.Final, md.Final) {
			t.Errorf("Get: %v, %v; want final at %v", get, err, md.Final)
		}
		page := f.query(&tangledv1.QueryRequest{WithFinal: true})
		if len(page) != 1 || !proto.Equal(page[0].Message.Final, md.Final) {
			t.Errorf("Query: %v; want final at %v", page, md.Final)
		}
		if get, err = f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:]}); err != nil || get.Message.Final != nil {
			t.Errorf("Get tells where it is final unasked, or %v", err)
		}
		if page = f.query(&tangledv1.QueryRequest{}); page[0].Message.Final != nil {
			t.Error("Query tells where it is final unasked")
		}
	})
}

func TestWeightGrowsBeforeFinal(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		time.Sleep(3 * time.Second) // the seat writes its next witness soon
		id := f.submit(reading("a", 1))
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			md := f.metadata(id)
			if md.Finality == tangledv1.Finality_FINALITY_FINAL {
				break
			}
			if md.Weight == 1 && md.TotalWeight == 1 {
				return
			}
		}
		t.Error("no witness stood on the message before it was final")
	})
}

// A reading that was issued again is one reading.
func TestReplaced(t *testing.T) {
	bubbleOn(t, idleGenesis, Options{}, func(t *testing.T, f *fixture) {
		first := f.submit(reading("a", 1))
		again := reading("a", 1)
		again.Replaces = first[:]
		second := f.submit(again)
		if page := idsOf(f.query(&tangledv1.QueryRequest{})); len(page) != 1 || page[0] != second {
			t.Errorf("history shows %v, want %v", page, second)
		}
		if md := f.metadata(first); !bytes.Equal(md.ReplacedBy, second[:]) {
			t.Errorf("metadata %v, want it replaced by %v", md, second)
		}
		got, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: first[:], WithFinal: true})
		if err != nil || !bytes.Equal(got.ReplacedBy, second[:]) {
			t.Errorf("Get: %v, %v; want it replaced by %v", got, err, second)
		}
		if got, err = f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: second[:], WithFinal: true}); err != nil || len(got.ReplacedBy) != 0 {
			t.Errorf("Get of the second: %v, %v", got, err)
		}
	})
}

func TestFinality(t *testing.T) {
	tests := map[tangledv1.Finality]node.Metadata{
		tangledv1.Finality_FINALITY_PENDING: {},
		tangledv1.Finality_FINALITY_STALE:   {Stale: true},
		tangledv1.Finality_FINALITY_FINAL:   {Final: &storage.Final{Anchor: 1}},
	}
	for want, md := range tests {
		if got := protoFinality(&md); got != want {
			t.Errorf("%+v is %v, want %v", md, got, want)
		}
	}
}

// The numbers of outcomes are those that nodes commit to.
func TestOutcomesAreTheLedgers(t *testing.T) {
	for o := ledger.Included; o <= ledger.Insufficient; o++ {
		want := "OUTCOME_" + strings.ToUpper(strings.ReplaceAll(o.String(), " ", "_"))
		if got := protoOutcome(uint8(o)).String(); got != want {
			t.Errorf("outcome %d is %s, want %s", o, got, want)
		}
	}
	if n := len(tangledv1.Outcome_name); n != int(ledger.Insufficient)+1 {
		t.Errorf("%d outcomes are named", n)
	}
}
