package api

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

const (
	// followAhead is how many messages are read ahead of the client of a Follow.
	followAhead = 256
	// cursorEvery is how often a cursor alone is sent, where nothing else is.
	cursorEvery = 5 * time.Second
)

// follower streams the final messages that a filter accepts: one goroutine reads
// ahead, the other sends.
//
// The store is open for reading while the node gives out history, and cannot be
// closed then. So the reader never waits for the client: when the room ahead is
// full it stops, and starts again behind what was sent.
type follower struct {
	*Server
	stream grpc.ServerStreamingServer[tangledv1.FollowResponse]
	filter filter
	raw    bool
	at     node.Cursor // of the last message sent or passed over
	moved  bool        // since a cursor was sent
}

// followed is what the reader hands over.
type followed struct {
	event node.FinalEvent
	err   error
}

func (s historyService) Follow(req *tangledv1.FollowRequest, stream grpc.ServerStreamingServer[tangledv1.FollowResponse]) error {
	filter, err := newFilter(req)
	if err != nil {
		return err
	}
	if err := s.finalises(); err != nil {
		return err
	}
	// The headers tell the client that the request is taken.
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	f := &follower{Server: s.Server, stream: stream, filter: filter, raw: req.GetIncludeRaw(), at: parseCursor(req.GetAfter())}
	return f.run(stream.Context())
}

func (f *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	ticker := time.NewTicker(cursorEvery)
	defer ticker.Stop()
	for {
		ahead, after := make(chan followed, followAhead), f.at
		reader.Go(func() { f.read(ctx, after, ahead) })
		if err := f.send(ahead, ticker.C); err != nil {
			return err
		}
	}
}

// read hands over what is final behind a cursor, until there is no room.
func (f *follower) read(ctx context.Context, after node.Cursor, ahead chan<- followed) {
	defer close(ahead)
	for e, err := range f.node.Follow(ctx, after) {
		select {
		case ahead <- followed{e, err}:
		default:
			return
		}
	}
}

// send sends what was read ahead. It returns nil when the reader has stopped for
// want of room.
func (f *follower) send(ahead <-chan followed, tick <-chan time.Time) error {
	for {
		select {
		case next, ok := <-ahead:
			if !ok {
				return nil
			}
			if next.err != nil {
				return next.err
			}
			if err := f.pass(next.event); err != nil {
				return err
			}
		case <-tick:
			if err := f.sendCursor(); err != nil {
				return err
			}
		}
	}
}

func (f *follower) pass(e node.FinalEvent) error {
	f.at, f.moved = e.Cursor, true
	if !f.filter.accepts(e.Message) {
		return nil
	}
	f.moved = false
	return f.stream.Send(&tangledv1.FollowResponse{
		Cursor:  protoCursor(e.Cursor),
		Message: f.protoMessage(e.Message, 0, f.raw),
		Outcome: protoOutcome(e.Outcome),
	})
}

// sendCursor tells how far the stream has come, where the client does not know.
func (f *follower) sendCursor() error {
	if !f.moved {
		return nil
	}
	f.moved = false
	return f.stream.Send(&tangledv1.FollowResponse{Cursor: protoCursor(f.at)})
}
