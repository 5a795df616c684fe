package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// Whatever the stream, a client that takes nothing does not keep its place.
func TestAReaderThatStoppedIsCutOff(t *testing.T) {
	tests := map[string]func(f *fixture, ctx context.Context) (grpc.ClientStream, error){
		"Query": func(f *fixture, ctx context.Context) (grpc.ClientStream, error) {
			return f.history.Query(ctx, &tangledv1.QueryRequest{})
		},
		"Follow": func(f *fixture, ctx context.Context) (grpc.ClientStream, error) {
			return f.history.Follow(ctx, &tangledv1.FollowRequest{})
		},
		"Tail": func(f *fixture, ctx context.Context) (grpc.ClientStream, error) {
			stream := f.tail(ctx, &tangledv1.TailRequest{})
			f.fill(100, 10_000)
			return stream, nil
		},
		"SubmitStream": func(f *fixture, ctx context.Context) (grpc.ClientStream, error) {
			stream := f.submitStream(ctx)
			go func() {
				refused := &tangledv1.Data{Content: make([]byte, 2000)}
				for i := range 20_000 {
					if stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i), Data: refused}) != nil {
						return
					}
				}
			}()
			return stream, nil
		},
	}
	for name, open := range tests {
		bubble(t, Options{}, func(t *testing.T, f *fixture) {
			f.fill(100, 10_000)
			f.settle()
			stream, err := open(f, t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			time.Sleep(sendTimeout - time.Second)
			if n := len(f.server.streams); n != 1 {
				t.Errorf("%s: %d streams are open before the time", name, n)
			}
			time.Sleep(2 * time.Second)
			if n := len(f.server.streams); n != 0 {
				t.Errorf("%s: %d streams are open after the time", name, n)
			}
			if n := testutil.ToFloat64(f.server.metrics.inFlight); n != 0 {
				t.Errorf("%s: %v readings are in work", name, n)
			}
			f.server.handlers.Wait() // in a bubble, one that did not end is a deadlock
			for err == nil {
				err = stream.RecvMsg(new(tangledv1.Receipt))
			}
			wantError(t, name, err, codes.Aborted, "")
		})
	}
}

func TestASlowReaderIsNotCutOff(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		f.fill(30, 30_000)
		stream, err := f.history.Query(t.Context(), &tangledv1.QueryRequest{})
		if err != nil {
			t.Fatalf("Query: %v", err)
		}
		for range 30 {
			time.Sleep(sendTimeout / 3)
			if _, err := stream.Recv(); err != nil {
				t.Fatalf("Recv: %v", err)
			}
		}
	})
}

// A stream may have nothing to send for as long as it likes.
func TestAnIdleStreamIsNotCutOff(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream := f.tail(t.Context(), &tangledv1.TailRequest{})
		for i := range 2 {
			time.Sleep(10 * sendTimeout)
			f.submit(reading("a", i))
			if _, err := stream.Recv(); err != nil {
				t.Errorf("Recv: %v", err)
			}
		}
	})
}

// stuckStream is a stream whose Send ends later than its call.
type stuckStream struct {
	grpc.ServerStream
	ends chan struct{}
}

func (s stuckStream) SendMsg(any) error {
	<-s.ends
	return errTest
}

func TestCloseWaitsForAHandlerThatWasGivenUp(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream := stuckStream{ends: make(chan struct{})}
		err := f.server.watch(stream, func(w grpc.ServerStream) error { return w.SendMsg(nil) })
		if !errors.Is(err, errNotReading) {
			t.Errorf("error %v, want %v", err, errNotReading)
		}
		time.AfterFunc(time.Second, func() { close(stream.ends) })
		start := time.Now()
		f.server.Close(t.Context())
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v, want the 1s that the handler took", took)
		}
	})
}
