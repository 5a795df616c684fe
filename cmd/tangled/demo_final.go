package main

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tangledv1 "tangled/api/proto/tangled/v1"
)

const (
	// cityName is the network's name and the first level of all topics.
	cityName = "florence"
	// cityTopic is what all sensors publish under.
	cityTopic = cityName + "/device/#"
	// finalPatience is how long the permanode may take, once all is published, to
	// make everything final without any progress.
	finalPatience = 30 * time.Second
	// followAgain is how long to wait before a broken stream is opened again.
	followAgain = 100 * time.Millisecond
)

// finality reads the history of the permanode in finality order, from the
// beginning, and notes when each reading comes.
type finality struct {
	load *load
	done chan struct{} // closed at the end of follow
	err  error         // set before that
}

// follow goes on until ctx ends.
func (f *finality) follow(ctx context.Context, history tangledv1.HistoryServiceClient) {
	defer close(f.done)
	var last cursor
	for ctx.Err() == nil {
		err := f.read(ctx, history, &last)
		if code := status.Code(err); code != codes.Unavailable && code != codes.Aborted {
			f.err = fmt.Errorf("follow what becomes final: %w", err)
			return
		}
		pause(ctx, followAgain)
	}
}

// read reads one stream to its end, from behind last on, and moves last.
func (f *finality) read(ctx context.Context, history tangledv1.HistoryServiceClient, last *cursor) error {
	stream, err := history.Follow(ctx, &tangledv1.FollowRequest{After: last.proto(), Topic: cityTopic})
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		at := cursorOf(r.GetCursor())
		if m := r.GetMessage(); m != nil {
			if !at.behind(*last) {
				return fmt.Errorf("the message at %v came after that at %v", at, *last)
			}
			f.load.final(m)
		}
		*last = at
	}
}

func (c cursor) behind(other cursor) bool {
	return c.anchor > other.anchor || c.anchor == other.anchor && c.index > other.index
}

// wait returns when everything acknowledged is final or nothing became so for
// finalPatience, and with an error when what becomes final is not told any more.
func (f *finality) wait(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	seen, progress := f.load.finals.Load(), time.Now()
	for !f.load.allFinal() {
		select {
		case <-tick.C:
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
		if now := f.load.finals.Load(); now > seen {
			seen, progress = now, time.Now()
		}
		if time.Since(progress) >= finalPatience {
			return nil // the verdict says how many are missing
		}
	}
	return nil
}
