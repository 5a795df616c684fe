package api

import (
	"time"

	"google.golang.org/grpc"
)

// sendTimeout is how long a client may take nothing of what a stream has for it.
const sendTimeout = 30 * time.Second

// watchedStream times each Send.
type watchedStream struct {
	grpc.ServerStream
	timer *time.Timer // runs during a Send
}

func (w *watchedStream) SendMsg(m any) error {
	w.timer.Reset(sendTimeout)
	defer w.timer.Stop()
	return w.ServerStream.SendMsg(m)
}

// watch runs the handler of a stream and gives it up when its client takes nothing
// for sendTimeout: a client that is connected and does not read would otherwise keep
// one of the open streams for ever.
//
// A Send that waits for its client ends when the method of the stream returns, by
// nothing else that is ours to do. So the handler runs in a goroutine of its own,
// which Close waits for.
func (s *Server) watch(stream grpc.ServerStream, handle func(grpc.ServerStream) error) error {
	timer := time.NewTimer(sendTimeout)
	timer.Stop()
	ended := make(chan error, 1)
	s.handlers.Go(func() { ended <- handle(&watchedStream{stream, timer}) })
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return errNotReading
	}
}
