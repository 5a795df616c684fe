package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/node"
)

// stubInfo is a NodeService that answers Info with what it holds; without, it is
// away.
type stubInfo struct {
	tangledv1.NodeServiceClient
	info *tangledv1.InfoResponse
}

func (s *stubInfo) Info(context.Context, *tangledv1.InfoRequest, ...grpc.CallOption) (*tangledv1.InfoResponse, error) {
	if s.info == nil {
		return nil, errors.New("away")
	}
	return s.info, nil
}

// TestTable: it fits a terminal of 100 columns, and a node that is stopped or away
// does not put the columns out of line.
func TestTable(t *testing.T) {
	infos := make([]*stubInfo, 5)
	d := &demo{city: new(city), propagation: newPropagation(), started: time.Now(), opts: demoOptions{duration: time.Minute}}
	for i := range infos {
		infos[i] = &stubInfo{info: &tangledv1.InfoResponse{
			Messages: 12_345_678, Tips: 1234, Peers: 3, Anchor: 123_456, LedgerTimeNs: uint64(time.Now().UnixNano()),
			Seats: []*tangledv1.Seat{{Seen: true}, {Seen: true}, {Seen: true}, {Seen: true}},
		}}
		role := node.Middle
		if i == 4 {
			role = node.Permanode
		}
		d.city.nodes = append(d.city.nodes, &demoNode{name: "node" + string(rune('1'+i)), role: role, info: infos[i]})
	}
	d.load, _ = oneSensor(3)
	d.load.acks = newDistribution()
	s := newScreen(t.Output(), false)
	s.beforeAt = time.Now().Add(-time.Hour)
	rows := func() []string {
		text := s.table(d)
		t.Log("\n" + text)
		lines := strings.Split(text, "\n")
		for _, line := range lines {
			if len(line) > 100 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
		return lines[:6]
	}
	for _, row := range rows()[1:] {
		if !strings.HasSuffix(row, "4 of 4") {
			t.Errorf("not all seats were seen: %s", row)
		}
	}
	d.city.nodes[3].stopped.Store(true)
	infos[1].info = nil
	lines := rows()
	at := strings.Index(lines[0], "SEATS")
	if lines[4][at:] != "-" || lines[2][at:] != "-" || lines[5][at:] != "4 of 4" ||
		!strings.HasPrefix(lines[4], "node4  stopped ") || !strings.HasPrefix(lines[2], "node2  away ") {
		t.Errorf("out of line:\n%s", strings.Join(lines, "\n"))
	}
}
