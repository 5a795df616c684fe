package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"

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
	replies  chan *tangledv1.SubmitStreamResponse // room for one a slot: no reading waits for the client
	readings sync.WaitGroup

	mu    sync.Mutex // of the way from receiving to the workers
	ended bool
	next  chan request // to a worker that is free; closed with ended

	// Of the goroutine that receives.
	workers  int
	deadline context.Context
	expires  time.Time // when readings that begin get another
}

// request is a reading and how long it may take.
type request struct {
	ctx context.Context
	*tangledv1.SubmitStreamRequest
}

func (s messagesService) SubmitStream(stream submitStream) error {
	sub := &submitter{
		Server:  s.Server,
		stream:  stream,
		slots:   make(chan struct{}, submitWindow),
		replies: make(chan *tangledv1.SubmitStreamResponse, submitWindow),
		next:    make(chan request),
	}
	return sub.run()
}

// run returns when every reading that was taken has its reply.
func (s *submitter) run() error {
	ctx, cancel := context.WithCancel(s.stream.Context())
	defer cancel()
	// Recv ends only when the client ends it or this method returns, so it is not
	// waited for: a shutdown must not hang on a client that says nothing.
	received, sent := make(chan error, 1), make(chan error, 1)
	go func() { received <- s.receive(ctx) }()
	go func() { sent <- s.send() }()
	var err error
	select {
	case err = <-received:
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.ctx.Done():
		err = errShutdown
	}
	s.end()
	s.readings.Wait()
	close(s.replies)
	return cmp.Or(<-sent, err)
}

// receive starts on what comes until there is no more.
func (s *submitter) receive(ctx context.Context) error {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		req, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !s.work(request{s.withTime(ctx), req}) {
			return nil
		}
	}
}

// withTime is a context that ends when the time for a reading is over. Readings that
// begin within a hundredth of it share one: a timer each would cost as much as to
// decode them.
func (s *submitter) withTime(ctx context.Context) context.Context {
	if now := time.Now(); s.deadline == nil || now.After(s.expires) {
		var cancel context.CancelFunc
		s.deadline, cancel = context.WithTimeout(ctx, s.opts.Timeout)
		_ = cancel // ctx ends with the stream, and takes it along
		s.expires = now.Add(s.opts.Timeout / 100)
	}
	return s.deadline
}

// work gives a reading to a worker that is free, or to a new one, and reports false
// once the stream has ended. A goroutine a reading would be simpler, but each would
// grow its stack anew, which costs more than all else that this package does for a
// reading.
func (s *submitter) work(r request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.metrics.inFlight.Inc()
	if s.workers < submitWindow {
		select {
		case s.next <- r:
			return true
		default:
		}
		s.workers++
		s.readings.Go(func() {
			s.replies <- s.reply(r)
			for r := range s.next {
				s.replies <- s.reply(r)
			}
		})
		return true
	}
	s.next <- r // at most as many are in work as there are slots: one is soon free
	return true
}

// end lets the workers end, and nothing more be started.
func (s *submitter) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	close(s.next)
}

func (s *submitter) reply(r request) *tangledv1.SubmitStreamResponse {
	reply := &tangledv1.SubmitStreamResponse{Seq: r.GetSeq()}
	receipt, err := s.issue(r.ctx, r.GetData(), r.GetWait())
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
