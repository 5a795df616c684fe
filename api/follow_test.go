package api

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
	"tangled/message"
	"tangled/node"
)

// follow opens a stream and waits for its headers. It ends after ten minutes: bare
// cursors would come for ever where a test waits for a message in vain.
func (f *fixture) follow(ctx context.Context, req *tangledv1.FollowRequest) tangledv1.HistoryService_FollowClient {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	f.t.Cleanup(cancel)
	stream, err := f.history.Follow(ctx, req)
	if err != nil {
		f.t.Fatalf("Follow: %v", err)
	}
	if _, err := stream.Header(); err != nil {
		f.t.Fatalf("headers of the follow: %v", err)
	}
	return stream
}

// nextMessages receives n messages and passes over bare cursors.
func nextMessages(t *testing.T, stream tangledv1.HistoryService_FollowClient, n int) (got []*tangledv1.FollowResponse) {
	t.Helper()
	for len(got) < n {
		r, err := stream.Recv()
		if err != nil {
			t.Fatalf("Recv after %d of %d: %v", len(got), n, err)
		}
		if r.Message != nil {
			got = append(got, r)
		}
	}
	return got
}

func followedIDs(list []*tangledv1.FollowResponse) []message.ID {
	ids := make([]message.ID, len(list))
	for i, r := range list {
		ids[i] = message.ID(r.Message.Id)
	}
	return ids
}

func before(a, b *tangledv1.Cursor) bool {
	return a.Anchor < b.Anchor || a.Anchor == b.Anchor && a.Index < b.Index
}

// sorted is ids in another order, for sets to be compared.
func sorted(ids []message.ID) []message.ID {
	return slices.SortedFunc(slices.Values(ids), message.ID.Compare)
}

func TestFollowGivesHistoryThenLive(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		old := f.fill(20, 10)
		f.settle()
		stream := f.follow(t.Context(), &tangledv1.FollowRequest{IncludeRaw: true})
		got := nextMessages(t, stream, len(old))
		bubbletest.Wait()
		fresh := f.fill(20, 10)
		got = append(got, nextMessages(t, stream, len(fresh))...)
		if ids := followedIDs(got); !slices.Equal(sorted(ids), sorted(append(old, fresh...))) {
			t.Errorf("%d messages, want each of %d once", len(ids), len(old)+len(fresh))
		}
		last := new(tangledv1.Cursor)
		for _, r := range got {
			if !before(last, r.Cursor) {
				t.Fatalf("cursor %v after %v", r.Cursor, last)
			}
			last = r.Cursor
			final := f.metadata(message.ID(r.Message.Id)).Final
			if final.GetAnchor() != last.Anchor || final.GetIndex() != last.Index || final.GetOutcome() != r.Outcome {
				t.Fatalf("%v is at %v", r, final)
			}
			if m, err := message.Decode(r.Message.Raw); err != nil || m.ID() != message.ID(r.Message.Id) {
				t.Fatalf("raw bytes of %v: %v", r, err)
			}
		}
	})
}

// Wherever a stream breaks, the next one goes on behind its cursor.
func TestFollowGoesOnBehindItsCursor(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		var submitted, got []message.ID
		req := &tangledv1.FollowRequest{}
		for i := range 12 {
			submitted = append(submitted, f.fill(10, 10)...)
			if i%3 == 0 {
				f.settle()
			}
			ctx, cancel := context.WithCancel(t.Context())
			for _, r := range nextMessages(t, f.follow(ctx, req), i) {
				got = append(got, message.ID(r.Message.Id))
				req.After = r.Cursor
			}
			cancel()
		}
		got = append(got, followedIDs(nextMessages(t, f.follow(t.Context(), req), len(submitted)-len(got)))...)
		whole := followedIDs(nextMessages(t, f.follow(t.Context(), &tangledv1.FollowRequest{}), len(submitted)))
		if !slices.Equal(got, whole) {
			t.Errorf("%d messages in pieces are not the %d in one", len(got), len(whole))
		}
		if !slices.Equal(sorted(got), sorted(submitted)) {
			t.Errorf("got %d messages, want each of %d once", len(got), len(submitted))
		}
	})
}

// What is read ahead of a client is bounded; the rest is read when it has taken that.
func TestFollowOfALongHistory(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(10*followAhead, 1000)
		f.settle()
		stream := f.follow(t.Context(), &tangledv1.FollowRequest{})
		bubbletest.Wait() // more than flow control takes is left
		got := nextMessages(t, stream, len(ids))
		for i := range got[1:] {
			if !before(got[i].Cursor, got[i+1].Cursor) {
				t.Fatalf("cursor %v after %v", got[i+1].Cursor, got[i].Cursor)
			}
		}
		if !slices.Equal(sorted(followedIDs(got)), sorted(ids)) {
			t.Errorf("got %d messages, want each of %d once", len(got), len(ids))
		}
	})
}

func TestFollowFilters(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(20, 10)
		p := f.prepare()
		m := f.signed(p, p.LeastTimestampNs, nil)
		if _, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: m.Bytes()}); err != nil {
			t.Fatalf("SubmitSigned: %v", err)
		}
		first := f.pay(f.transfer(0, 100)).Receipt
		second := f.pay(f.transfer(0, 101)).Receipt
		f.settle()
		carriers := []message.ID{message.ID(first.Id), message.ID(second.Id)}
		tests := []struct {
			name string
			req  *tangledv1.FollowRequest
			want []message.ID
		}{
			{"all", &tangledv1.FollowRequest{}, append(slices.Clone(ids), m.ID())},
			{"topic", &tangledv1.FollowRequest{Topic: "a/3/+"}, every(ids, 5, 3)},
			{"issuer", &tangledv1.FollowRequest{Issuer: m.Issuer[:]}, []message.ID{m.ID()}},
			{"transfers", &tangledv1.FollowRequest{Kinds: []tangledv1.Kind{kindTransfer}}, carriers},
		}
		for _, test := range tests {
			got := nextMessages(t, f.follow(t.Context(), test.req), len(test.want))
			if !slices.Equal(sorted(followedIDs(got)), sorted(test.want)) {
				t.Errorf("%s: %d messages, want %d", test.name, len(got), len(test.want))
			}
		}
		transfers := nextMessages(t, f.follow(t.Context(), tests[3].req), 2)
		if transfers[0].Outcome != tangledv1.Outcome_OUTCOME_APPLIED || transfers[1].Outcome != tangledv1.Outcome_OUTCOME_DOUBLE_SPEND {
			t.Errorf("outcomes %v and %v", transfers[0].Outcome, transfers[1].Outcome)
		}
		witness := nextMessages(t, f.follow(t.Context(), &tangledv1.FollowRequest{Kinds: []tangledv1.Kind{kindWitness}}), 1)[0]
		if witness.Message.Witness.GetRound() != 1 || witness.Cursor.Anchor != 1 {
			t.Errorf("the first witness is %v", witness)
		}
	})
}

// A client whose filter selects nothing learns how far it has come.
func TestFollowSendsBareCursors(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(10, 10)
		f.settle()
		stream := f.follow(t.Context(), &tangledv1.FollowRequest{Topic: "nothing"})
		last, at := new(tangledv1.Cursor), time.Now()
		for range 5 {
			r, err := stream.Recv()
			if err != nil {
				t.Fatalf("Recv: %v", err)
			}
			if r.Message != nil || !before(last, r.Cursor) {
				t.Fatalf("received %v after cursor %v", r, last)
			}
			if waited := time.Since(at); waited < cursorEvery {
				t.Errorf("cursor after %v, want %v or more", waited, cursorEvery)
			}
			last, at = r.Cursor, time.Now()
		}
		// Behind it there is nothing of what was passed over.
		id := f.submit(reading("more", 1))
		r := nextMessages(t, f.follow(t.Context(), &tangledv1.FollowRequest{After: last}), 1)[0]
		if message.ID(r.Message.Id) != id {
			t.Errorf("behind the cursor is %v, want %v", r, id)
		}
	})
}

func TestFollowSendsACursorOnce(t *testing.T) {
	bubbleOn(t, idleGenesis, Options{}, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		stream := f.follow(ctx, &tangledv1.FollowRequest{})
		f.fill(3, 10)
		got, err := collect(t, stream, nil)
		wantError(t, "where nothing becomes final", err, codes.DeadlineExceeded, "")
		if len(got) != 0 {
			t.Errorf("received %v", got)
		}
	})
}

// sink takes what a follower sends.
type sink struct {
	tangledv1.HistoryService_FollowServer
	sent []*tangledv1.FollowResponse
}

func (s *sink) Send(r *tangledv1.FollowResponse) error {
	s.sent = append(s.sent, r)
	return nil
}

func TestFollowerKnowsWhatItsClientKnows(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		p := f.prepare()
		data, other := f.signed(p, p.LeastTimestampNs, nil), f.signed(p, p.LeastTimestampNs+1, nil)
		only, err := newFilter(&tangledv1.FollowRequest{Topic: "client/made"})
		if err != nil {
			t.Fatal(err)
		}
		out := new(sink)
		follower := &follower{Server: f.server, stream: out, filter: only}
		step := func(m *message.Message, index uint32) {
			t.Helper()
			if err := follower.pass(node.FinalEvent{Cursor: node.Cursor{Anchor: 1, Index: index}, Outcome: 1, Message: m}); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := follower.sendCursor(); err != nil {
					t.Fatal(err)
				}
			}
		}
		step(data, 0)
		follower.filter.topics = topicFilter(t, "else")
		step(other, 1)
		want := []*tangledv1.FollowResponse{
			{Cursor: &tangledv1.Cursor{Anchor: 1}, Message: f.server.protoMessage(data, 0, false), Outcome: tangledv1.Outcome_OUTCOME_INCLUDED},
			{Cursor: &tangledv1.Cursor{Anchor: 1, Index: 1}},
		}
		if !slices.EqualFunc(out.sent, want, func(a, b *tangledv1.FollowResponse) bool { return proto.Equal(a, b) }) {
			t.Errorf("sent %v, want %v", out.sent, want)
		}
	})
}

// A client that does not read must not keep the store from closing.
func TestFollowOfAReaderThatStopped(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(3*followAhead, 10_000)
		f.settle()
		stream := f.follow(t.Context(), &tangledv1.FollowRequest{})
		bubbletest.Wait() // the server waits for the client
		if len(f.server.streams) != 1 {
			t.Fatal("the follow ended without its reader")
		}
		if err := f.node.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		_, err := collect(t, stream, nil)
		wantError(t, "follow of a closed node", err, codes.Unavailable, "")
	})
}

func TestFollowEndsWithItsClient(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		f.follow(ctx, &tangledv1.FollowRequest{})
		cancel()
		bubbletest.Wait()
		if n := len(f.server.streams); n != 0 {
			t.Errorf("%d streams are open after the client left", n)
		}
	})
}

func TestFollowRefuses(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		for reason, req := range map[string]*tangledv1.FollowRequest{
			"TOPIC":  {Topic: "a/b+/c"},
			"ISSUER": {Issuer: make([]byte, 31)},
		} {
			stream, err := f.history.Follow(t.Context(), req)
			_, err = collect(t, stream, err)
			wantError(t, reason, err, codes.InvalidArgument, reason)
		}
	})
}
