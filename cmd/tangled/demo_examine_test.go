package main

import (
	"context"
	"io"
	"testing"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// storedMessages is a HistoryService with one page of messages.
type storedMessages struct {
	tangledv1.HistoryServiceClient
	asked    []tangledv1.Kind
	messages []*tangledv1.Message
}

func (s *storedMessages) Query(_ context.Context, r *tangledv1.QueryRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[tangledv1.QueryResponse], error) {
	s.asked = r.GetKinds()
	return &page{left: s.messages}, nil
}

type page struct {
	grpc.ServerStreamingClient[tangledv1.QueryResponse]
	left []*tangledv1.Message
}

func (p *page) Recv() (*tangledv1.QueryResponse, error) {
	if len(p.left) == 0 {
		return nil, io.EOF
	}
	m := p.left[0]
	p.left = p.left[1:]
	return &tangledv1.QueryResponse{Message: m}, nil
}

// TestTwoWitnessRounds: what counts is two IDs of one seat for one round, and a
// round once.
func TestTwoWitnessRounds(t *testing.T) {
	type witness struct {
		id    string
		seat  uint32
		round uint64
	}
	for name, test := range map[string]struct {
		written []witness
		want    int
	}{
		"none":                       {},
		"each its own":               {[]witness{{"a", 0, 1}, {"b", 1, 1}, {"c", 0, 2}, {"d", 1, 2}}, 0},
		"told twice":                 {[]witness{{"a", 0, 1}, {"a", 0, 1}}, 0},
		"two of a seat":              {[]witness{{"a", 0, 1}, {"b", 0, 1}, {"c", 0, 2}}, 1},
		"three of a seat":            {[]witness{{"a", 0, 1}, {"b", 0, 1}, {"c", 0, 1}}, 1},
		"two seats in one round":     {[]witness{{"a", 0, 7}, {"b", 0, 7}, {"c", 1, 7}, {"d", 1, 7}}, 1},
		"one seat in two rounds":     {[]witness{{"a", 3, 7}, {"b", 3, 7}, {"c", 3, 9}, {"d", 3, 9}}, 2},
		"not one behind the other":   {[]witness{{"a", 3, 7}, {"b", 2, 7}, {"c", 3, 7}}, 1},
		"the ID of another, all new": {[]witness{{"a", 3, 7}, {"a", 2, 7}, {"a", 3, 8}}, 0},
	} {
		s := new(storedMessages)
		for _, w := range test.written {
			s.messages = append(s.messages, &tangledv1.Message{
				Id: []byte(w.id), Witness: &tangledv1.Witness{Seat: w.seat, Round: w.round},
			})
		}
		if got, err := twoWitnessRounds(t.Context(), s); err != nil || got != test.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, test.want)
		}
		if len(s.asked) != 1 || s.asked[0] != tangledv1.Kind_KIND_WITNESS {
			t.Errorf("asked for kinds %v", s.asked)
		}
	}
}

// anchorList is a ProofsService with the anchors from first on, each with a
// commitment of one byte.
type anchorList struct {
	tangledv1.ProofsServiceClient
	first       uint64
	commitments string
}

func (l *anchorList) ListAnchors(_ context.Context, r *tangledv1.ListAnchorsRequest, _ ...grpc.CallOption) (*tangledv1.ListAnchorsResponse, error) {
	reply := new(tangledv1.ListAnchorsResponse)
	for i := range l.commitments {
		if at := l.first + uint64(i); at >= r.GetFrom() && at < r.GetFrom()+uint64(r.GetLimit()) {
			reply.Anchors = append(reply.Anchors, &tangledv1.Anchor{Index: at, Commitment: []byte{l.commitments[i]}})
		}
	}
	return reply, nil
}

func TestFirstDifference(t *testing.T) {
	long := make([]byte, 2*anchorsPage+500)
	other := append([]byte(nil), long...)
	other[2*anchorsPage+7] = 1
	for name, test := range map[string]struct {
		a, b anchorList
		last uint64
		want uint64
	}{
		"equal":                   {anchorList{nil, 1, "abc"}, anchorList{nil, 1, "abc"}, 3, 0},
		"first":                   {anchorList{nil, 1, "abc"}, anchorList{nil, 1, "xbc"}, 3, 1},
		"last":                    {anchorList{nil, 1, "abc"}, anchorList{nil, 1, "abx"}, 3, 3},
		"beyond what is asked":    {anchorList{nil, 1, "abc"}, anchorList{nil, 1, "abx"}, 2, 0},
		"the old ones are gone":   {anchorList{nil, 1, "abc"}, anchorList{nil, 3, "c"}, 3, 0},
		"differs in what is left": {anchorList{nil, 1, "abc"}, anchorList{nil, 3, "x"}, 3, 3},
		"on the third page":       {anchorList{nil, 1, string(long)}, anchorList{nil, 1, string(other)}, uint64(len(long)), 2*anchorsPage + 8},
	} {
		if got, err := firstDifference(t.Context(), &test.a, &test.b, test.last); err != nil || got != test.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, test.want)
		}
	}
}
