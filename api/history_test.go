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
)

func (f *fixture) query(req *tangledv1.QueryRequest) []*tangledv1.QueryResponse {
	f.t.Helper()
	stream, err := f.history.Query(f.t.Context(), req)
	page, err := collect(f.t, stream, err)
	if err != nil {
		f.t.Fatalf("Query %v: %v", req, err)
	}
	return page
}

func idsOf(page []*tangledv1.QueryResponse) []message.ID {
	ids := make([]message.ID, len(page))
	for i, entry := range page {
		ids[i] = message.ID(entry.Message.Id)
	}
	return ids
}

func TestQueryPages(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(57, 10)
		p := f.prepare()
		client := f.signed(p, p.LeastTimestampNs, nil)
		if _, err := f.node.Submit(t.Context(), client.Bytes()); err != nil {
			t.Fatalf("Submit: %v", err)
		}
		tests := []struct {
			name string
			req  *tangledv1.QueryRequest
			want []message.ID
		}{
			{"all", &tangledv1.QueryRequest{}, append(slices.Clone(ids), client.ID())},
			{"wildcard", &tangledv1.QueryRequest{Topic: "a/+/x"}, ids},
			{"many levels", &tangledv1.QueryRequest{Topic: "a/#"}, ids},
			{"topic", &tangledv1.QueryRequest{Topic: "a/2/x"}, every(ids, 5, 2)},
			{"nothing", &tangledv1.QueryRequest{Topic: "a/+"}, nil},
			{"issuer", &tangledv1.QueryRequest{Issuer: client.Issuer[:]}, []message.ID{client.ID()}},
			{"range", &tangledv1.QueryRequest{FromNs: ids[10].Timestamp(), ToNs: ids[40].Timestamp()}, ids[10:40]},
			{"empty range", &tangledv1.QueryRequest{FromNs: ids[10].Timestamp(), ToNs: ids[10].Timestamp()}, nil},
		}
		for _, test := range tests {
			for _, descending := range []bool{false, true} {
				want := slices.Clone(test.want)
				if descending {
					slices.Reverse(want)
				}
				for _, limit := range []uint32{0, 1, 7, 57, 1000} {
					req := proto.CloneOf(test.req)
					req.Descending, req.Limit = descending, limit
					if got := f.walk(req); !slices.Equal(got, want) {
						t.Errorf("%s, descending %v, pages of %d: %d messages, want %d in order", test.name, descending, limit, len(got), len(want))
					}
				}
			}
		}
	})
}

// every is each n-th ID, from the first-th on.
func every(ids []message.ID, n, first int) (out []message.ID) {
	for i := first; i < len(ids); i += n {
		out = append(out, ids[i])
	}
	return out
}

// walk reads all pages of a query.
func (f *fixture) walk(req *tangledv1.QueryRequest) (all []message.ID) {
	f.t.Helper()
	for {
		page := f.query(req)
		all = append(all, idsOf(page)...)
		if len(page) < pageLimit(req.Limit) {
			return all
		}
		if len(page) > pageLimit(req.Limit) {
			f.t.Fatalf("page of %d messages, limit %d", len(page), req.Limit)
		}
		req.PageToken = page[len(page)-1].PageToken
	}
}

func TestQueryGoesOnBehindAnyEntry(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(9, 10)
		page := f.query(&tangledv1.QueryRequest{})
		for i, entry := range page {
			got := idsOf(f.query(&tangledv1.QueryRequest{PageToken: entry.PageToken, Limit: 3}))
			if want := ids[i+1 : min(i+4, len(ids))]; !slices.Equal(got, want) {
				t.Errorf("behind entry %d: %v, want %v", i, got, want)
			}
		}
	})
}

// A page larger than what is read from the store at once is whole and in order.
func TestQueryInPieces(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ids := f.fill(150, 30_000) // 4.5 MB
		if got := idsOf(f.query(&tangledv1.QueryRequest{})); !slices.Equal(got, ids) {
			t.Errorf("%d messages, want %d in order", len(got), len(ids))
		}
		slices.Reverse(ids)
		if got := idsOf(f.query(&tangledv1.QueryRequest{Topic: "a/#", Descending: true, Limit: 140})); !slices.Equal(got, ids[:140]) {
			t.Errorf("%d messages, want 140 in order", len(got))
		}
	})
}

// A client that does not read must not keep the store from closing.
func TestQueryOfAReaderThatStopped(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(150, 30_000)
		stream, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{})
		if err != nil {
			t.Fatalf("Query: %v", err)
		}
		bubbletest.Wait() // the server waits for the client
		if len(f.server.streams) != 1 {
			t.Fatal("the query ended without its reader")
		}
		if err := f.node.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		_, err = collect(t, stream, nil)
		wantError(t, "query of a closed node", err, codes.Unavailable, "")
	})
}

func TestQueryEntries(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		id := f.submit(reading("a", 1))
		got, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: id[:], IncludeRaw: true})
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if page := f.query(&tangledv1.QueryRequest{IncludeRaw: true}); len(page) != 1 || !proto.Equal(page[0].Message, got.Message) {
			t.Errorf("page %v, want %v", page, got.Message)
		}
		if page := f.query(&tangledv1.QueryRequest{}); len(page[0].Message.Raw) != 0 {
			t.Error("raw bytes came unasked")
		}
	})
}

func TestPageLimit(t *testing.T) {
	for asked, want := range map[uint32]int{0: 1000, 1: 1, 100_000: 100_000, 100_001: 100_000, 1<<32 - 1: 100_000} {
		if got := pageLimit(asked); got != want {
			t.Errorf("limit %d gives %d, want %d", asked, got, want)
		}
	}
}

func TestQueryAndTailRefuse(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'x'
	}
	tests := []struct {
		name   string
		req    *tangledv1.QueryRequest
		reason string
	}{
		{"wildcard inside a level", &tangledv1.QueryRequest{Topic: "a/b+/c"}, "TOPIC"},
		{"# not last", &tangledv1.QueryRequest{Topic: "#/c"}, "TOPIC"},
		{"long topic", &tangledv1.QueryRequest{Topic: string(long)}, "TOPIC"},
		{"short issuer", &tangledv1.QueryRequest{Issuer: make([]byte, 31)}, "ISSUER"},
		{"from after to", &tangledv1.QueryRequest{FromNs: 2, ToNs: 1}, "TIME_RANGE"},
		{"broken token", &tangledv1.QueryRequest{PageToken: "AQ"}, "PAGE_TOKEN"},
	}
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(3, 10)
		for _, test := range tests {
			stream, err := f.history.Query(t.Context(), test.req)
			_, err = collect(t, stream, err)
			wantError(t, test.name, err, codes.InvalidArgument, test.reason)
			if test.req.Topic == "" && test.req.Issuer == nil {
				continue
			}
			tail, err := f.history.Tail(t.Context(), &tangledv1.TailRequest{Topic: test.req.Topic, Issuer: test.req.Issuer})
			_, err = collect(t, tail, err)
			wantError(t, "tail: "+test.name, err, codes.InvalidArgument, test.reason)
		}
		token := f.query(&tangledv1.QueryRequest{Topic: "a/#"})[0].PageToken
		stream, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{Topic: "a/+/x", PageToken: token})
		_, err = collect(t, stream, err)
		wantError(t, "token of another query", err, codes.InvalidArgument, "PAGE_TOKEN")
	})
}

// tail opens a live stream and waits for its headers.
func (f *fixture) tail(ctx context.Context, req *tangledv1.TailRequest) tangledv1.HistoryService_TailClient {
	f.t.Helper()
	stream, err := f.history.Tail(ctx, req)
	if err != nil {
		f.t.Fatalf("Tail: %v", err)
	}
	if _, err := stream.Header(); err != nil {
		f.t.Fatalf("headers of the tail: %v", err)
	}
	return stream
}

func TestTailSeesWhatComesAfterItsHeaders(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(3, 10) // before: not shown
		client := message.Issuer(keyOf(7)[32:])
		tests := []struct {
			name string
			req  *tangledv1.TailRequest
			want func(ids []message.ID, client message.ID) []message.ID
		}{
			{"all", &tangledv1.TailRequest{}, func(ids []message.ID, client message.ID) []message.ID { return append(slices.Clone(ids), client) }},
			{"topic", &tangledv1.TailRequest{Topic: "a/3/+"}, func(ids []message.ID, _ message.ID) []message.ID { return every(ids, 5, 3) }},
			{"issuer", &tangledv1.TailRequest{Issuer: client[:], IncludeRaw: true}, func(_ []message.ID, client message.ID) []message.ID { return []message.ID{client} }},
		}
		var tails []tangledv1.HistoryService_TailClient
		for _, test := range tests {
			tails = append(tails, f.tail(t.Context(), test.req))
		}
		ids := f.fill(20, 10)
		p := f.prepare()
		m := f.signed(p, p.LeastTimestampNs, nil)
		if _, err := f.messages.SubmitSigned(t.Context(), &tangledv1.SubmitSignedRequest{Message: m.Bytes()}); err != nil {
			t.Fatalf("SubmitSigned: %v", err)
		}
		for i, test := range tests {
			for _, want := range test.want(ids, m.ID()) {
				got, err := tails[i].Recv()
				if err != nil {
					t.Fatalf("%s: %v", test.name, err)
				}
				if id := message.ID(got.Message.Id); id != want || got.DurableNs != uint64(time.Now().UnixNano()) {
					t.Fatalf("%s: message %v durable at %d, want %v now", test.name, id, got.DurableNs, want)
				}
				if asked := test.req.IncludeRaw; asked != (len(got.Message.Raw) > 0) {
					t.Fatalf("%s: %d raw bytes", test.name, len(got.Message.Raw))
				}
			}
		}
	})
}

func TestTailOfAReaderThatStopped(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream := f.tail(t.Context(), &tangledv1.TailRequest{})
		f.fill(18_000, 10)
		_, err := collect(t, stream, nil)
		wantError(t, "a reader that is too slow", err, codes.Aborted, "")
	})
}

func TestTailEndsWithItsClient(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		ctx, cancel := context.WithCancel(t.Context())
		f.tail(ctx, &tangledv1.TailRequest{})
		cancel()
		bubbletest.Wait()
		if n := len(f.server.streams); n != 0 {
			t.Errorf("%d streams are open after the client left", n)
		}
	})
}
