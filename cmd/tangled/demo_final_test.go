package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/bubbletest"
)

// streams is a HistoryService whose Follow gives one stream after the other.
type streams struct {
	tangledv1.HistoryServiceClient
	left  []*stream
	after []*tangledv1.Cursor // what was asked for
}

func (s *streams) Follow(ctx context.Context, r *tangledv1.FollowRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[tangledv1.FollowResponse], error) {
	s.after = append(s.after, r.GetAfter())
	if len(s.left) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	next := s.left[0]
	s.left = s.left[1:]
	return next, nil
}

// stream gives its responses and then its error.
type stream struct {
	grpc.ServerStreamingClient[tangledv1.FollowResponse]
	responses []*tangledv1.FollowResponse
	err       error
}

func (s *stream) Recv() (*tangledv1.FollowResponse, error) {
	if len(s.responses) == 0 {
		return nil, s.err
	}
	next := s.responses[0]
	s.responses = s.responses[1:]
	return next, nil
}

// oneSensor is a load of one sensor that published n readings, all acknowledged,
// and the responses that tell of them.
func oneSensor(n int) (*load, []*tangledv1.FollowResponse) {
	s := &source{sensor: newSensors("florence", 1, 1)[0]}
	l := &load{
		sources: []*source{s}, byTopic: map[string]*source{s.sensor.topic: s},
		start: time.Now().Add(-time.Minute), delays: newDistribution(),
	}
	var told []*tangledv1.FollowResponse
	for range n {
		seq, content := s.sensor.next(time.Now())
		s.record.sent(digest(content))
		l.acked.Add(1)
		s.record.acknowledge(seq, time.Second)
		told = append(told, &tangledv1.FollowResponse{
			Cursor:  &tangledv1.Cursor{Anchor: 5, Index: uint32(seq)},
			Message: &tangledv1.Message{Data: &tangledv1.Data{Topic: s.sensor.topic, Content: content}},
		})
	}
	return l, told
}

// TestFinalityGoesOn: after a stream that broke the next one begins behind the
// last cursor, also one without a message.
func TestFinalityGoesOn(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l, told := oneSensor(3)
		alone := &tangledv1.FollowResponse{Cursor: &tangledv1.Cursor{Anchor: 4}}
		history := &streams{left: []*stream{
			{responses: []*tangledv1.FollowResponse{alone}, err: status.Error(codes.Aborted, "too slow")},
			{responses: told[:2], err: status.Error(codes.Unavailable, "gone")},
			{responses: told[2:], err: status.Error(codes.Unavailable, "gone")},
		}}
		f := &finality{load: l, done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		go f.follow(ctx, history)
		if err := f.wait(t.Context()); err != nil || l.finals.Load() != 3 {
			t.Errorf("%d final, %v", l.finals.Load(), err)
		}
		bubbletest.Wait()
		time.Sleep(2 * followAgain)
		cancel()
		<-f.done
		var got []string
		for _, c := range history.after {
			got = append(got, cursorOf(c).String())
		}
		if want := []string{"0:0", "4:0", "5:1", "5:2"}; !slices.Equal(got, want) {
			t.Errorf("asked for what is behind %v, want %v", got, want)
		}
	})
}

// TestFinalityNoticesDisorder: neither an older nor the same place may come
// after another.
func TestFinalityNoticesDisorder(t *testing.T) {
	for name, order := range map[string][]int{"repeat": {0, 1, 1}, "backwards": {1, 0}} {
		l, told := oneSensor(2)
		var responses []*tangledv1.FollowResponse
		for _, i := range order {
			responses = append(responses, told[i])
		}
		f := &finality{load: l, done: make(chan struct{})}
		f.follow(t.Context(), &streams{left: []*stream{{responses: responses, err: errors.New("the end")}}})
		if err := f.wait(t.Context()); name == "backwards" && err == nil {
			t.Errorf("%s: nil error", name)
		}
		if f.err == nil || f.err.Error() == "follow what becomes final: the end" {
			t.Errorf("%s: error %v", name, f.err)
		}
	}
}

// TestFinalityWaitIsBounded: what never becomes final does not hold up the end,
// and what still does is waited for.
func TestFinalityWaitIsBounded(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		l, told := oneSensor(3)
		f := &finality{load: l, done: make(chan struct{})}
		start := time.Now()
		const late = 20 * time.Second
		go func() {
			for _, r := range told[:2] {
				time.Sleep(late)
				l.final(r.GetMessage())
			}
		}()
		err := f.wait(t.Context())
		if waited := time.Since(start); err != nil || waited < 2*late+finalPatience || waited > 2*late+finalPatience+time.Second {
			t.Errorf("%v after %v", err, waited)
		}
	})
}
