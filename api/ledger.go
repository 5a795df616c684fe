package api

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
	"tangled/node"
	"tangled/storage"
)

// ledgerService is tangled.v1.LedgerService.
type ledgerService struct {
	tangledv1.UnimplementedLedgerServiceServer
	*Server
}

func (s ledgerService) Balance(ctx context.Context, req *tangledv1.BalanceRequest) (*tangledv1.BalanceResponse, error) {
	address, err := parseAddress(req.GetAddress())
	if err != nil {
		return nil, err
	}
	b, err := s.node.Balance(ctx, address)
	if err != nil {
		return nil, err
	}
	return &tangledv1.BalanceResponse{
		Address:      b.Address[:],
		Balance:      b.Account.Balance,
		NextNonce:    b.NextNonce,
		Anchor:       b.Anchor,
		LedgerTimeNs: b.Time,
	}, nil
}

func (s ledgerService) Transfer(ctx context.Context, req *tangledv1.TransferRequest) (*tangledv1.TransferResponse, error) {
	if err := s.checkWait(req.GetWait()); err != nil {
		return nil, err
	}
	t, err := message.DecodeTransfer(req.GetTransfer())
	if err != nil {
		return nil, err
	}
	carrier, err := s.node.Transfer(ctx, t)
	if err != nil {
		return nil, err
	}
	receipt, err := s.receipt(ctx, node.Receipt{ID: carrier, State: node.Durable}, req.GetWait())
	if err != nil {
		return nil, err
	}
	id := t.ID(s.network)
	return &tangledv1.TransferResponse{TransferId: id[:], Receipt: receipt}, nil
}

func (s ledgerService) TransferStatus(_ context.Context, req *tangledv1.TransferStatusRequest) (*tangledv1.TransferStatusResponse, error) {
	id, err := parseTransferID(req.GetTransferId())
	if err != nil {
		return nil, err
	}
	fate, err := s.node.TransferFate(id)
	if err != nil {
		return nil, fmt.Errorf("transfer %v: %w", id, err)
	}
	final := storage.Final{Anchor: fate.Cursor.Anchor, Index: fate.Cursor.Index, Outcome: uint8(fate.Outcome)}
	return &tangledv1.TransferStatusResponse{Carrier: fate.Carrier[:], Final: protoFinal(&final)}, nil
}

func (s ledgerService) AccountHistory(req *tangledv1.AccountHistoryRequest, stream grpc.ServerStreamingServer[tangledv1.AccountHistoryResponse]) error {
	address, err := parseAddress(req.GetAddress())
	if err != nil {
		return err
	}
	after := parseCursor(req.GetAfter())
	for left, more := pageLimit(req.GetLimit()), true; left > 0 && more; {
		var piece []node.FinalEvent
		if piece, more, err = s.read(stream.Context(), address, after, req.GetDescending(), left); err != nil {
			return err
		}
		for _, e := range piece {
			after = e.Cursor
			err := stream.Send(&tangledv1.AccountHistoryResponse{
				Cursor:  protoCursor(e.Cursor),
				Message: s.protoMessage(e.Message, 0, false),
				Outcome: protoOutcome(e.Outcome),
			})
			if err != nil {
				return err
			}
		}
		left -= len(piece)
	}
	return nil
}

// read returns the next at most limit transfers of an account, about pieceBytes, and
// whether there may be more.
func (s ledgerService) read(ctx context.Context, address message.Address, after node.Cursor, descending bool, limit int) (piece []node.FinalEvent, more bool, err error) {
	size := 0
	for e, err := range s.node.AccountHistory(ctx, address, after, descending) {
		if err != nil {
			return nil, false, err
		}
		piece = append(piece, e)
		if size += len(e.Message.Bytes()); len(piece) == limit || size >= pieceBytes {
			return piece, true, nil
		}
	}
	return piece, false, nil
}
