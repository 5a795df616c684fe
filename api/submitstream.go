package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// submitWindow is how many readings of one stream are in work at once: enough to
// fill half a group of the node's loop, so that an fsync is cheap a reading, and
// few enough that one client does not fill the node's queue.
const submitWindow = 256

type submitStream = grpc.BidiStreamingServer[tangledv1.SubmitStreamRequest, tangledv1.SubmitStreamResponse]

// submitter works on the readings of one stream: one goroutine receives, one
// sends, and each reading has its own in between, because an Issue waits for its
// work and its fsync.
//
// A reading holds one of the slots from before it is received until its reply is
// sent. When all are taken nothing more is received, the stream's flow control
// fills up and the client's Send waits.
type submitter struct {
	*Server
	stream   submitStream
	slots    chan struct{}
	received chan received
	replies  chan *tangledv1.SubmitStreamResponse // room for one a slot: no reading waits for the client
	readings sync.WaitGroup
	next     chan *tangledv1.SubmitStreamRequest // to a worker that is free
	workers  int
}

type received struct {
	req *tangledv1.SubmitStreamRequest
	err error
}

func (s messagesService) SubmitStream(stream submitStream) error {
	sub := &submitter{
		Server:   s.Server,
		stream:   stream,
		slots:    make(chan struct{}, submitWindow),
		received: make(chan received),
		replies:  make(chan *tangledv1.SubmitStreamResponse, submitWindow),
		next:     make(chan *tangledv1.SubmitStreamRequest),
	}
	return sub.run()
}

// run returns when every reading that was taken has its reply.
func (s *submitter) run() error {
	ctx, cancel := context.WithCancel(s.stream.Context())
	defer cancel()
	// Recv ends only when the client ends it or this method returns, so it is not
	// waited for: a shutdown must not hang on a client that says nothing.
	go s.receive(ctx)
	sent := make(chan error, 1)
	go func() { sent <- s.send() }()
	err := s.dispatch(ctx)
	close(s.next)
	s.readings.Wait()
	close(s.replies)
	return cmp.Or(<-sent, err)
}

func (s *submitter) receive(ctx context.Context) {
	for {
		req, err := s.stream.Recv()
		select {
		case s.received <- received{req, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// dispatch starts on what is received until there is no more.
func (s *submitter) dispatch(ctx context.Context) error {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return errShutdown
		}
		select {
		case r := <-s.received:
			if errors.Is(r.err, io.EOF) {
				return nil
			}
			if r.err != nil {
				return r.err
			}
			s.metrics.inFlight.Inc()
			s.work(ctx, r.req)
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return errShutdown
		}
	}
}

// work gives a reading to a worker that is free, or to a new one. A goroutine a
// reading would be simpler, but each would grow its stack anew, which costs more than
// all else that this package does for a reading.
func (s *submitter) work(ctx context.Context, req *tangledv1.SubmitStreamRequest) {
	if s.workers < submitWindow {
		select {
		case s.next <- req:
			return
		default:
		}
		s.workers++
		s.readings.Go(func() {
			s.replies <- s.reply(ctx, req)
			for req := range s.next {
				s.replies <- s.reply(ctx, req)
			}
		})
		return
	}
	s.next <- req // at most as many are in work as there are slots: one is soon free
}

func (s *submitter) reply(ctx context.Context, req *tangledv1.SubmitStreamRequest) *tangledv1.SubmitStreamResponse {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	reply := &tangledv1.SubmitStreamResponse{Seq: req.GetSeq()}
	receipt, err := s.issue(ctx, req.GetData(), req.GetWait())
	s.metrics.readings.WithLabelValues(codeOf(err).String()).Inc()
	if err != nil {
		reply.Result = &tangledv1.SubmitStreamResponse_Error{Error: s.submitError(err)}
	} else {
		reply.Result = &tangledv1.SubmitStreamResponse_Receipt{Receipt: receipt}
	}
	return reply
}

func (s *submitter) submitError(err error) *tangledv1.SubmitError {
	if ownFault(err) {
		s.opts.Logger.Error("reading went wrong", "error", err)
	}
	return &tangledv1.SubmitError{Code: int32(codeOf(err)), Reason: reasonOf(err), Text: err.Error()}
}

// send sends the replies and, when the stream is broken, drops the rest. It
// returns the first error.
func (s *submitter) send() (err error) {
	for reply := range s.replies {
		if err == nil {
			err = s.stream.Send(reply)
		}
		s.metrics.inFlight.Dec()
		<-s.slots
	}
	return err
}
