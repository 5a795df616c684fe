package api

import (
	"context"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

// messagesService is tangled.v1.MessagesService.
type messagesService struct {
	tangledv1.UnimplementedMessagesServiceServer
	*Server
}

// issue makes a message of a reading.
func (s *Server) issue(ctx context.Context, d *tangledv1.Data, wait tangledv1.Wait) (*tangledv1.Receipt, error) {
	if err := s.checkWait(wait); err != nil {
		return nil, err
	}
	data, err := parseData(d)
	if err != nil {
		return nil, err
	}
	id, err := s.node.Issue(ctx, data)
	if err != nil {
		return nil, err
	}
	return s.receipt(ctx, node.Receipt{ID: id, State: node.Durable}, wait)
}

func (s messagesService) Submit(ctx context.Context, req *tangledv1.SubmitRequest) (*tangledv1.SubmitResponse, error) {
	receipt, err := s.issue(ctx, req.GetData(), req.GetWait())
	if err != nil {
		return nil, err
	}
	return &tangledv1.SubmitResponse{Receipt: receipt}, nil
}

func (s messagesService) Prepare(context.Context, *tangledv1.PrepareRequest) (*tangledv1.PrepareResponse, error) {
	p := s.node.Prepare()
	return &tangledv1.PrepareResponse{
		Network:          p.Network[:],
		Genesis:          s.genesis[:],
		Parents:          protoIDs(p.Parents),
		LeastTimestampNs: p.Timestamp,
		Bits:             uint32(p.Bits),
		ServerTimeNs:     protoTime(time.Now()),
	}, nil
}

func (s messagesService) SubmitSigned(ctx context.Context, req *tangledv1.SubmitSignedRequest) (*tangledv1.SubmitSignedResponse, error) {
	if err := s.checkWait(req.GetWait()); err != nil {
		return nil, err
	}
	taken, err := s.node.Submit(ctx, req.GetMessage())
	if err != nil {
		return nil, err
	}
	receipt, err := s.receipt(ctx, taken, req.GetWait())
	if err != nil {
		return nil, err
	}
	return &tangledv1.SubmitSignedResponse{Receipt: receipt}, nil
}

func (s messagesService) Get(ctx context.Context, req *tangledv1.GetRequest) (*tangledv1.GetResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	r, err := s.node.Get(id)
	if err != nil {
		return nil, err
	}
	reply := &tangledv1.GetResponse{Message: s.protoMessage(r.Message, r.Seen, req.GetIncludeRaw())}
	if !req.GetWithFinal() {
		return reply, nil
	}
	md, err := s.node.Metadata(ctx, id)
	if err != nil {
		return nil, err
	}
	reply.Message.Final, reply.ReplacedBy = protoFinal(md.Final), protoID(md.ReplacedBy)
	return reply, nil
}

func (s messagesService) Metadata(ctx context.Context, req *tangledv1.MetadataRequest) (*tangledv1.MetadataResponse, error) {
	id, err := parseID(req.GetId())
	if err != nil {
		return nil, err
	}
	md, err := s.node.Metadata(ctx, id)
	if err != nil {
		return nil, err
	}
	return &tangledv1.MetadataResponse{
		Id:          md.ID[:],
		Solid:       md.Solid,
		SeenNs:      md.Seen,
		Measured:    md.Measured,
		Confidence:  md.Confidence(),
		Tips:        uint32(md.Tips),
		Reached:     uint32(md.Reached),
		Exact:       md.Exact,
		Weight:      md.Weight,
		TotalWeight: md.Total,
		Finality:    protoFinality(&md),
		Final:       protoFinal(md.Final),
		ReplacedBy:  protoID(md.ReplacedBy),
	}, nil
}
