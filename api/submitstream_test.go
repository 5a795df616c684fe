package api

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
)

func (f *fixture) submitStream(ctx context.Context) tangledv1.MessagesService_SubmitStreamClient {
	f.t.Helper()
	stream, err := f.messages.SubmitStream(ctx)
	if err != nil {
		f.t.Fatalf("SubmitStream: %v", err)
	}
	return stream
}

func TestSubmitStreamAnswersEveryReadingOnce(t *testing.T) {
	const n = 1000
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream := f.submitStream(t.Context())
		go func() {
			for i := range n {
				d := reading("city/air", i)
				if i%10 == 3 {
					d.Topic = "bad/#"
				}
				stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i) + 1<<40, Data: d})
			}
			stream.CloseSend()
		}()
		seen := make(map[uint64]bool)
		for {
			reply, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("Recv: %v", err)
			}
			i := reply.Seq - 1<<40
			if seen[i] {
				t.Fatalf("reading %d was answered twice", i)
			}
			seen[i] = true
			if bad := i%10 == 3; bad {
				if e := reply.GetError(); e.GetCode() != int32(codes.InvalidArgument) || e.GetReason() != "TOPIC" || e.GetText() == "" {
					t.Fatalf("bad reading %d was answered %v", i, reply)
				}
				continue
			}
			if reply.GetReceipt().GetState() != tangledv1.State_STATE_DURABLE {
				t.Fatalf("reading %d was answered %v", i, reply)
			}
			if _, err := f.messages.Get(t.Context(), &tangledv1.GetRequest{Id: reply.GetReceipt().Id}); err != nil {
				t.Fatalf("reading %d is not there: %v", i, err)
			}
		}
		if len(seen) != n {
			t.Errorf("%d readings were answered, want %d", len(seen), n)
		}
		if got := testutil.ToFloat64(f.server.metrics.readings.WithLabelValues("InvalidArgument")); got != n/10 {
			t.Errorf("counted %v bad readings, want %d", got, n/10)
		}
	})
}

func TestSubmitStreamWindow(t *testing.T) {
	// More than flow control buffers: up to 16 MiB where time stands still.
	const n, size = 1500, 20_000
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		resume := f.disk.stall()
		stream := f.submitStream(t.Context())
		sent := 0
		go func() {
			for i := range n {
				if stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i), Data: &tangledv1.Data{Topic: "a", Content: make([]byte, size)}}) != nil {
					return
				}
				sent++
			}
			stream.CloseSend()
		}()
		bubbletest.Wait()
		if got := testutil.ToFloat64(f.server.metrics.inFlight); got != submitWindow {
			t.Errorf("%v readings are in work, want %d", got, submitWindow)
		}
		if sent == n {
			t.Error("the client could send for ever")
		}
		resume()
		replies, err := collect(t, stream, nil)
		if err != nil || len(replies) != n {
			t.Errorf("%d replies, %v; want %d", len(replies), err, n)
		}
	})
}

func TestSubmitStreamOfAReaderThatStopped(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		stream := f.submitStream(t.Context())
		sent := 0
		// More than flow control buffers: up to 16 MiB where time stands still.
		refused := &tangledv1.Data{Content: make([]byte, 2000)}
		go func() {
			for i := range 20_000 {
				if stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i), Data: refused}) != nil {
					return
				}
				sent++
			}
		}()
		bubbletest.Wait() // the client takes no reply
		if got := testutil.ToFloat64(f.server.metrics.inFlight); got != submitWindow {
			t.Errorf("%v replies wait for the client, want %d", got, submitWindow)
		}
		if sent == 20_000 {
			t.Error("the client could send for ever")
		}
	})
}

func TestSubmitStreamBroken(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, f *fixture) {
		resume := f.disk.stall()
		defer func() { resume(); bubbletest.Wait() }()
		// Several, because the break reaches the stream's goroutines in any order.
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			stream := f.submitStream(ctx)
			for i := range 10 {
				if err := stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i), Data: reading("a", i)}); err != nil {
					t.Fatalf("Send: %v", err)
				}
			}
			bubbletest.Wait()
			cancel()
			bubbletest.Wait()
		}
		if got := testutil.ToFloat64(f.server.metrics.inFlight); got != 0 {
			t.Errorf("%v readings are in work after the stream broke", got)
		}
		if got := len(f.server.streams); got != 0 {
			t.Errorf("%d streams are open", got)
		}
	})
}

func TestSubmitStreamDeadlineIsOfAReading(t *testing.T) {
	bubble(t, Options{Timeout: 5 * time.Second}, func(t *testing.T, f *fixture) {
		stream := f.submitStream(t.Context())
		send := func(i int) *tangledv1.SubmitStreamResponse {
			t.Helper()
			if err := stream.Send(&tangledv1.SubmitStreamRequest{Seq: uint64(i), Data: reading("a", i)}); err != nil {
				t.Fatalf("Send: %v", err)
			}
			reply, err := stream.Recv()
			if err != nil {
				t.Fatalf("Recv: %v", err)
			}
			return reply
		}
		time.Sleep(time.Minute) // an idle stream stays
		send(1)
		resume := f.disk.stall()
		if e := send(2).GetError(); e.GetCode() != int32(codes.DeadlineExceeded) || e.GetReason() != "" {
			t.Errorf("a reading on a stalled disk was answered %v", e)
		}
		resume()
		if reply := send(3); reply.GetReceipt() == nil {
			t.Errorf("the stream did not go on: %v", reply)
		}
	})
}
