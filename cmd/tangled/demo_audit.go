package main

import (
	"context"
	"errors"
	"io"
	"time"

	tangledv1 "tangled/api/proto/tangled/v1"
)

const (
	// auditPatience is how long the permanode may take to complete its history
	// without any progress.
	auditPatience = 30 * time.Second
	auditPage     = 50_000
)

// audit reads the history back from the permanode until every acknowledged
// reading is there, or nothing more comes, and returns how many are.
func (d *demo) audit(ctx context.Context, history tangledv1.HistoryServiceClient) (found uint64, err error) {
	acked := d.load.acked.Load()
	for progress := time.Now(); ; {
		n, err := d.load.findIn(ctx, history)
		if err != nil || n == acked {
			return n, err
		}
		if n > found {
			found, progress = n, time.Now()
		}
		if time.Since(progress) > auditPatience {
			return found, nil
		}
		pause(ctx, time.Second)
	}
}

// findIn counts the acknowledged readings that are in a node's history with
// the same sequence number and bytes.
func (l *load) findIn(ctx context.Context, history tangledv1.HistoryServiceClient) (uint64, error) {
	seen := make(map[*source][]bool, len(l.sources))
	for _, s := range l.sources {
		seen[s] = make([]bool, s.record.len())
	}
	var found uint64
	request := &tangledv1.QueryRequest{Topic: cityTopic, Limit: auditPage}
	for {
		page, err := queryPage(ctx, history, request, func(m *tangledv1.Message) {
			s, seq, sum, ok := l.identify(m)
			if ok && s.record.acknowledged(seq, sum) && !seen[s][seq] {
				seen[s][seq] = true
				found++
			}
		})
		if err != nil || page < auditPage {
			return found, err
		}
	}
}

// seatRound is what a seat may write one witness for.
type seatRound struct {
	seat  uint32
	round uint64
}

// twoWitnessRounds counts, in a node's whole history, the rounds for which any seat
// wrote two different witnesses.
func twoWitnessRounds(ctx context.Context, history tangledv1.HistoryServiceClient) (int, error) {
	written := make(map[seatRound]string) // the ID of the first one
	twice := make(map[uint64]bool)
	request := &tangledv1.QueryRequest{Limit: auditPage, Kinds: []tangledv1.Kind{tangledv1.Kind_KIND_WITNESS}}
	for {
		page, err := queryPage(ctx, history, request, func(m *tangledv1.Message) {
			w, id := m.GetWitness(), string(m.GetId())
			place := seatRound{w.GetSeat(), w.GetRound()}
			if first, ok := written[place]; !ok {
				written[place] = id
			} else if first != id {
				twice[place.round] = true
			}
		})
		if err != nil || page < auditPage {
			return len(twice), err
		}
	}
}

// queryPage reads one page, leaves in request how to go on, and returns how
// many messages there were.
func queryPage(ctx context.Context, history tangledv1.HistoryServiceClient, request *tangledv1.QueryRequest, each func(*tangledv1.Message)) (n int, err error) {
	stream, err := history.Query(ctx, request)
	if err != nil {
		return 0, err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		each(r.GetMessage())
		request.PageToken = r.GetPageToken()
		n++
	}
}
