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
	// pieceBytes is how much of a page is read from the store at once. An open read
	// of the store pins files and memory and keeps it from closing, so none is open
	// while a client is waited for.
	pieceBytes = 1 << 20
)

// historyService is tangled.v1.HistoryService.
type historyService struct {
	tangledv1.UnimplementedHistoryServiceServer
	*Server
}

// selection reads what a Query asks for.
func (s historyService) selection(req *tangledv1.QueryRequest) (q storage.Query, err error) {
	q = storage.Query{From: req.GetFromNs(), To: req.GetToNs(), Descending: req.GetDescending()}
	if q.Topics, err = parseTopic(req.GetTopic()); err != nil {
		return q, err
	}
	if q.Issuer, err = parseIssuer(req.GetIssuer()); err != nil {
		return q, err
	}
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
		if piece, more, err = s.read(stream.Context(), q, left); err != nil {
			return err
		}
		for _, r := range piece {
			q.After = r.Message.ID()
			err := stream.Send(&tangledv1.QueryResponse{
				Message:   protoMessage(r.Message, r.Seen, req.GetIncludeRaw()),
				PageToken: token.at(q.After),
			})
			if err != nil {
				return err
			}
		}
		left -= len(piece)
	}
	return nil
}

// read returns the next at most limit messages of q, about pieceBytes, and
// whether there may be more.
func (s historyService) read(ctx context.Context, q storage.Query, limit int) (piece []storage.Record, more bool, err error) {
	size := 0
	for r, err := range s.node.Query(ctx, q) {
		if err != nil {
			return nil, false, err
		}
		piece = append(piece, r)
		if size += len(r.Message.Bytes()); len(piece) == limit || size >= pieceBytes {
			return piece, true, nil
		}
	}
	return piece, false, nil
}

// tailFilter selects messages of the live stream.
type tailFilter struct {
	topics message.Filter
	issuer *message.Issuer
}

func newTailFilter(req *tangledv1.TailRequest) (f tailFilter, err error) {
	if f.topics, err = parseTopic(req.GetTopic()); err != nil {
		return f, err
	}
	f.issuer, err = parseIssuer(req.GetIssuer())
	return f, err
}

func (f tailFilter) accepts(m *message.Message) bool {
	if f.issuer != nil && m.Issuer != *f.issuer {
		return false
	}
	if f.topics.String() == "" {
		return true
	}
	data, err := m.Data()
	return err == nil && f.topics.Match(data.Topic)
}

func (s historyService) Tail(req *tangledv1.TailRequest, stream grpc.ServerStreamingServer[tangledv1.TailResponse]) error {
	filter, err := newTailFilter(req)
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
			Message:   protoMessage(e.Message, 0, req.GetIncludeRaw()),
			DurableNs: protoTime(e.Durable),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
