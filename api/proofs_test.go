package api

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
	"tangled/proof"
)

// A proof that was fetched is checked with the genesis alone.
func TestGetProof(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		_, err := f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: id[:]})
		wantError(t, "at once", err, codes.FailedPrecondition, "NOT_FINAL")
		carrier := message.ID(f.pay(f.transfer(0, 100)).Receipt.Id)
		f.settle()
		for id, outcome := range map[message.ID]tangledv1.Outcome{
			id:      tangledv1.Outcome_OUTCOME_INCLUDED,
			carrier: tangledv1.Outcome_OUTCOME_APPLIED,
		} {
			reply, err := f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: id[:]})
			if err != nil {
				t.Fatalf("GetProof: %v", err)
			}
			p, err := proof.Decode(reply.Proof)
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			said, err := p.Verify(f.genesis)
			if err != nil {
				t.Fatalf("Verify: %v", err)
			}
			final := f.metadata(id).Final
			if said.Message.ID() != id || tangledv1.Outcome(said.Outcome) != outcome || said.Anchor != final.Anchor || said.Index != uint64(final.Index) {
				t.Errorf("proven %+v, want %v with %v at %v", said, id, outcome, final)
			}
		}
	})
}

func TestGetProofRefuses(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		_, err := f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: make([]byte, 39)})
		wantError(t, "short ID", err, codes.InvalidArgument, "ID")
		_, err = f.proofs.GetProof(t.Context(), &tangledv1.GetProofRequest{Id: make([]byte, 40)})
		wantError(t, "unknown ID", err, codes.NotFound, "")
	})
}

func (f *fixture) anchor(index uint64) *tangledv1.Anchor {
	f.t.Helper()
	reply, err := f.proofs.GetAnchor(f.t.Context(), &tangledv1.GetAnchorRequest{Index: index})
	if err != nil {
		f.t.Fatalf("GetAnchor: %v", err)
	}
	return reply.Anchor
}

func TestGetAnchor(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		_, err := f.proofs.GetAnchor(t.Context(), &tangledv1.GetAnchorRequest{})
		wantError(t, "before the first", err, codes.NotFound, "")
		f.fill(3, 10)
		time.Sleep(time.Minute)
		last := f.anchor(0)
		for i := uint64(1); i <= last.Index; i++ {
			a := f.anchor(i)
			c, err := proof.DecodeCommitment(a.Preimage)
			if err != nil {
				t.Fatalf("preimage of anchor %d: %v", i, err)
			}
			hash := c.Hash()
			switch {
			case a.Index != i, c.Index != i, !bytes.Equal(a.Commitment, hash[:]), !bytes.Equal(a.Id, c.Anchor[:]):
				t.Errorf("anchor %d is %v", i, a)
			case a.LedgerTimeNs != c.Time, a.Count != c.Count, a.Count == 0:
				t.Errorf("anchor %d of %d messages at %d, want %d at %d", i, a.Count, a.LedgerTimeNs, c.Count, c.Time)
			case i < last.Index && a.SignedIndex < i, a.SignedIndex > last.Index:
				t.Errorf("anchor %d of %d: signed at %d", i, last.Index, a.SignedIndex)
			}
		}
		_, err = f.proofs.GetAnchor(t.Context(), &tangledv1.GetAnchorRequest{Index: last.Index + 1000})
		wantError(t, "after the last", err, codes.NotFound, "")
	})
}

func TestAnchorRange(t *testing.T) {
	tests := []struct {
		name       string
		from       uint64
		limit      uint32
		descending bool
		last       uint64
		want       []uint64
	}{
		{"none yet", 0, 10, false, 0, nil},
		{"none yet, descending", 0, 10, true, 0, nil},
		{"none yet, from 3", 3, 10, false, 0, nil},
		{"all", 0, 10, false, 3, []uint64{1, 2, 3}},
		{"all descending", 0, 10, true, 3, []uint64{3, 2, 1}},
		{"page", 2, 2, false, 9, []uint64{2, 3}},
		{"page descending", 8, 3, true, 9, []uint64{8, 7, 6}},
		{"the last", 9, 3, false, 9, []uint64{9}},
		{"the first", 1, 3, true, 9, []uint64{1}},
		{"behind the last", 10, 3, false, 9, nil},
		{"down from behind the last", 10, 3, true, 9, []uint64{9, 8, 7}},
		{"far behind", math.MaxUint64, 3, false, 9, nil},
		{"down from far behind", math.MaxUint64, 1, true, 9, []uint64{9}},
	}
	for _, test := range tests {
		r := newAnchorRange(&tangledv1.ListAnchorsRequest{From: test.from, Limit: test.limit, Descending: test.descending}, test.last)
		var got []uint64
		for i := range r.count {
			got = append(got, r.at(i))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	for limit, want := range map[uint32]uint64{0: 100, 1: 1, 1000: 1000, 1001: 1000, math.MaxUint32: 1000} {
		if got := newAnchorRange(&tangledv1.ListAnchorsRequest{Limit: limit}, 1e6).count; got != want {
			t.Errorf("limit %d gives %d, want %d", limit, got, want)
		}
	}
}

func TestListAnchorsLeavesOutWhatIsNotKept(t *testing.T) {
	get := func(index uint64) (*tangledv1.Anchor, error) {
		if index <= 3 {
			return nil, wrap(node.ErrNotFound)
		}
		return &tangledv1.Anchor{Index: index}, nil
	}
	for _, in := range []anchorRange{{from: 2, count: 4}, {from: 5, count: 4, descending: true}} {
		list, err := in.read(t.Context(), get)
		if err != nil || len(list) != 2 || list[0].Index+list[1].Index != 9 {
			t.Errorf("%+v: %v, %v; want 4 and 5", in, list, err)
		}
	}
	broken := func(uint64) (*tangledv1.Anchor, error) { return nil, errTest }
	if _, err := (anchorRange{from: 1, count: 2}).read(t.Context(), broken); !errors.Is(err, errTest) {
		t.Errorf("a store that cannot be read: %v", err)
	}
}

func TestListAndFollowAnchors(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		time.Sleep(time.Minute)
		all, err := f.proofs.ListAnchors(t.Context(), &tangledv1.ListAnchorsRequest{})
		if err != nil || all.Last != uint64(len(all.Anchors)) || all.Last < 5 {
			t.Fatalf("ListAnchors: %v, %v", all, err)
		}
		newest, err := f.proofs.ListAnchors(t.Context(), &tangledv1.ListAnchorsRequest{Descending: true, Limit: 2})
		if err != nil || len(newest.Anchors) != 2 || !proto.Equal(newest.Anchors[1], all.Anchors[all.Last-2]) || newest.Last != all.Last {
			t.Errorf("the newest two: %v, %v", newest, err)
		}
		for name, from := range map[string]uint64{"from the third": 3, "from now on": 0} {
			next := from
			if from == 0 {
				next = f.anchor(0).Index + 1
			}
			ctx, cancel := context.WithCancel(t.Context())
			stream, err := f.proofs.FollowAnchors(ctx, &tangledv1.FollowAnchorsRequest{From: from})
			if err == nil {
				_, err = stream.Header()
			}
			if err != nil {
				t.Fatalf("FollowAnchors: %v", err)
			}
			for range all.Last + 3 {
				got, err := stream.Recv()
				if err != nil {
					t.Fatalf("Recv: %v", err)
				}
				if got.Anchor.Index != next || !bytes.Equal(got.Anchor.Commitment, f.anchor(next).Commitment) {
					t.Fatalf("%s: %v, want anchor %d", name, got, next)
				}
				next++
			}
			cancel()
		}
	})
}

func TestFollowAnchorsEndsWithItsNode(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream, err := f.proofs.FollowAnchors(t.Context(), &tangledv1.FollowAnchorsRequest{})
		if err == nil {
			_, err = stream.Header()
		}
		if err != nil {
			t.Fatalf("FollowAnchors: %v", err)
		}
		f.node.Close()
		_, err = collect(t, stream, nil)
		wantError(t, "the node closed", err, codes.Unavailable, "")
	})
}
