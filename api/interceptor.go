package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

// withDeadline gives a call that has no deadline the default one.
func (s *Server) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.opts.Timeout)
}

func (s *Server) interceptUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, cancel := s.withDeadline(ctx)
	defer cancel()
	start := time.Now()
	reply, err := handle(ctx, req)
	s.metrics.seconds.WithLabelValues(info.FullMethod).Observe(time.Since(start).Seconds())
	return reply, s.finish(info.FullMethod, err)
}

func (s *Server) interceptStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	open := s.metrics.streams.WithLabelValues(info.FullMethod)
	open.Inc()
	defer open.Dec()
	return s.finish(info.FullMethod, s.watch(stream, func(stream grpc.ServerStream) error {
		return s.handleStream(service, stream, info.FullMethod, handle)
	}))
}

func (s *Server) handleStream(service any, stream grpc.ServerStream, method string, handle grpc.StreamHandler) error {
	if strings.HasPrefix(method, "/tangled.") {
		select {
		case s.streams <- struct{}{}:
			defer func() { <-s.streams }()
		default:
			return errTooManyStreams
		}
	}
	switch method {
	case tangledv1.HistoryService_Query_FullMethodName,
		tangledv1.LedgerService_AccountHistory_FullMethodName,
		tangledv1.MessagesService_SubmitStream_FullMethodName:
		return handle(service, stream) // it comes to an end while Close waits
	}
	return s.handleEndless(service, stream, handle)
}

// endlessStream is a stream whose context also ends when Close begins.
type endlessStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (e endlessStream) Context() context.Context { return e.ctx }

func (s *Server) handleEndless(service any, stream grpc.ServerStream, handle grpc.StreamHandler) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errShutdown) })()
	err := handle(service, endlessStream{stream, ctx})
	if err != nil && errors.Is(context.Cause(ctx), errShutdown) {
		return errShutdown // not the cancellation that it came as
	}
	return err
}

// finish counts how a call ended, logs it where that is our fault, and gives the
// client its status.
func (s *Server) finish(method string, err error) error {
	if codeOf(err) == codes.Internal && errors.Is(s.node.Health(), node.ErrClosed) {
		err = fmt.Errorf("%w: %w", node.ErrClosed, err) // such as a read of the closed store
	}
	st := statusOf(err)
	s.metrics.requests.WithLabelValues(method, st.Code().String()).Inc()
	if ownFault(err) {
		s.opts.Logger.Error("call went wrong", "method", method, "error", err)
	}
	return st.Err()
}
