package api

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
)

func TestMaxStreams(t *testing.T) {
	bubble(t, Options{MaxStreams: 2}, func(t *testing.T, f *fixture) {
		tail := f.tail(t.Context(), &tangledv1.TailRequest{})
		stream := f.submitStream(t.Context())
		bubbletest.Wait()
		query, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{})
		_, err = collect(t, query, err)
		wantError(t, "third stream", err, codes.ResourceExhausted, "")
		f.submit(reading("a", 1)) // unary calls go on
		if _, err := tail.Recv(); err != nil {
			t.Errorf("tail: %v", err)
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		bubbletest.Wait()
		if page := f.query(&tangledv1.QueryRequest{}); len(page) != 1 {
			t.Errorf("query after a stream ended: %d messages", len(page))
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.submit(reading("a", 1))
		f.submit(reading("a", 2))
		_, err := f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{})
		wantError(t, "no data", err, codes.InvalidArgument, "TOPIC")
		f.tail(t.Context(), &tangledv1.TailRequest{})
		f.query(&tangledv1.QueryRequest{})
		want := `
# HELP tangled_api_requests_total Calls that ended, streams included, by method and code.
# TYPE tangled_api_requests_total counter
tangled_api_requests_total{code="InvalidArgument",method="/tangled.v1.MessagesService/Submit"} 1
tangled_api_requests_total{code="OK",method="/tangled.v1.HistoryService/Query"} 1
tangled_api_requests_total{code="OK",method="/tangled.v1.MessagesService/Submit"} 2
# HELP tangled_api_streams Open streams, by method.
# TYPE tangled_api_streams gauge
tangled_api_streams{method="/tangled.v1.HistoryService/Query"} 0
tangled_api_streams{method="/tangled.v1.HistoryService/Tail"} 1
`
		err = testutil.GatherAndCompare(f.registry, strings.NewReader(want), "tangled_api_requests_total", "tangled_api_streams")
		if err != nil {
			t.Error(err)
		}
		if n, err := testutil.GatherAndCount(f.registry, "tangled_api_request_seconds"); n != 1 || err != nil {
			t.Errorf("%d latency histograms, %v; want 1 for the only unary method called", n, err)
		}
	})
}

func TestOnlyOwnFaultsAreLogged(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.messages.Get(t.Context(), &tangledv1.GetRequest{})
		f.messages.Submit(t.Context(), &tangledv1.SubmitRequest{Data: &tangledv1.Data{Topic: "\xff"}})
		if f.log.Len() > 0 {
			t.Errorf("a client's fault was logged: %s", f.log)
		}
		if err := f.server.finish("/a/b", wrap(errTest)); err == nil || !strings.Contains(f.log.String(), "/a/b") {
			t.Errorf("our own fault was not logged: %q", f.log)
		}
		f.log.Reset()
	})
}
