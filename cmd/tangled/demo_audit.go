package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

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
func (d *demo) audit(ctx context.Context) (found uint64, err error) {
	conn, err := grpc.NewClient(d.permanode().API.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	history := tangledv1.NewHistoryServiceClient(conn)
	_, acked := d.load.counts()
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
	open := make(map[string]map[uint64][sha256.Size]byte, len(l.sources))
	for _, s := range l.sources {
		left := make(map[uint64][sha256.Size]byte, len(s.acked))
		for seq, sum := range s.acked {
			left[seq] = sum
		}
		open[s.sensor.topic] = left
	}
	var found uint64
	request := &tangledv1.QueryRequest{Topic: "florence/device/#", Limit: auditPage}
	for {
		page, err := queryPage(ctx, history, request, func(m *tangledv1.Message) {
			content := m.GetData().GetContent()
			var r sensorReading
			if json.Unmarshal(content, &r) != nil {
				return
			}
			left := open[m.GetData().GetTopic()]
			if sum, ok := left[r.Seq]; ok && sum == sha256.Sum256(content) {
				delete(left, r.Seq)
				found++
			}
		})
		if err != nil || page < auditPage {
			return found, err
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
