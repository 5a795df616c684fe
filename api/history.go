package api

import (
	"context"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/storage"
)

const (
	// defaultPage and maxPage bound how many messages a Query streams.
	defaultPage = 1000
	maxPage     = 100_000
	// pieceBytes is how much is read from the store at once. An open read of the
	// store pins files and memory and keeps it from closing, so none is open while a
	// client is waited for, and none goes on for long where little is selected.
	pieceBytes = 1 << 20
)

// historyService is tangled.v1.HistoryService.
type historyService struct {
	tangledv1.UnimplementedHistoryServiceServer
	*Server
}

// selection is what a Query asks for.
type selection struct {
	storage.Query
	kinds kinds
}

func (s historyService) selection(req *tangledv1.QueryRequest) (selection, error) {
	f, err := newFilter(req)
	if err != nil {
		return selection{}, err
	}
	q := selection{kinds: f.kinds, Query: storage.Query{
		Topics:     f.topics,
		Issuer:     f.issuer,
		From:       req.GetFromNs(),
		To:         req.GetToNs(),
		Descending: req.GetDescending(),
		WithFinal:  req.GetWithFinal(),
	}}
	if q.To != 0 && q.From > q.To {
		return q, argumentf("TIME_RANGE", "from %d ns is after to %d ns", q.From, q.To)
	}
	if req.GetPageToken() != "" {
		q.After, err = parsePageToken(req.GetPageToken(), s.genesis, q)
	}
	return q, err
}

func pageLimit(asked uint32) int {
	if asked == 0 {
		return defaultPage
	}
	return int(min(asked, maxPage))
}

func (s historyService) Query(req *tangledv1.QueryRequest, stream grpc.ServerStreamingServer[tangledv1.QueryResponse]) error {
	q, err := s.selection(req)
	if err != nil {
		return err
	}
	token := newPageToken(s.genesis, q)
	for left, more := pageLimit(req.GetLimit()), true; left > 0 && more; {
		var piece []storage.Record
		if piece, q.After, more, err = s.read(stream.Context(), q, left); err != nil {
			return err
		}
		for _, r := range piece {
			m := s.protoMessage(r.Message, r.Seen, req.GetIncludeRaw())
			m.Final = protoFinal(r.Final)
			if err := stream.Send(&tangledv1.QueryResponse{Message: m, PageToken: token.at(r.Message.ID())}); err != nil {
				return err
			}
		}
		left -= len(piece)
	}
	return nil
}

// read looks at about pieceBytes of messages and returns the next at most limit of
// them that q selects, the last one looked at, and whether there may be more.
func (s historyService) read(ctx context.Context, q selection, limit int) (piece []storage.Record, last message.ID, more bool, err error) {
	size := 0
	for r, err := range s.node.Query(ctx, q.Query) {
		if err != nil {
			return nil, last, false, err
		}
		last = r.Message.ID()
		size += len(r.Message.Bytes())
		if q.kinds.has(r.Message.Kind) {
			piece = append(piece, r)
		}
		if len(piece) == limit || size >= pieceBytes {
			more = true
			break
		}
	}
	if q.WithFinal {
		err = s.dropDoubtful(ctx, piece)
	}
	return piece, last, more, err
}

// dropDoubtful takes from what was read the positions that an alarm puts in doubt.
func (s *Server) dropDoubtful(ctx context.Context, piece []storage.Record) error {
	info, err := s.node.Info(ctx)
	if err != nil || info.Alarm == nil {
		return err
	}
	for i := range piece {
		if f := piece[i].Final; f != nil && f.Anchor >= info.Alarm.Index {
			piece[i].Final = nil
		}
	}
	return nil
}

func (s historyService) Tail(req *tangledv1.TailRequest, stream grpc.ServerStreamingServer[tangledv1.TailResponse]) error {
	filter, err := newFilter(req)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	events := s.node.Tail(ctx)
	// The headers tell the client that whatever becomes durable from now on comes.
	if err := stream.SendHeader(nil); err != nil {
		cancel() // the sequence gives its place up only when it is read to its end
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		if !filter.accepts(e.Message) {
			continue
		}
		err := stream.Send(&tangledv1.TailResponse{
			Message:   s.protoMessage(e.Message, 0, req.GetIncludeRaw()),
			DurableNs: protoTime(e.Durable),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
