package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// keptStatus is what status tells of what a node keeps.
type keptStatus struct {
	CompleteFrom  uint64 `json:"complete_from"`
	Gaps          uint32 `json:"gaps"`
	Snapshot      uint64 `json:"snapshot"`
	DiskBytes     uint64 `json:"disk_bytes"`
	DiskWarning   bool   `json:"disk_warning"`
	CatchingUp    bool   `json:"catching_up"`
	CatchUpTarget uint64 `json:"catch_up_target,omitempty"`
}

func newKeptStatus(i *tangledv1.InfoResponse) keptStatus {
	return keptStatus{
		CompleteFrom: i.GetCompleteFrom(), Gaps: i.GetGaps(), Snapshot: i.GetSnapshot(), DiskBytes: i.GetDiskBytes(),
		DiskWarning: i.GetDiskWarning(), CatchingUp: i.GetCatchingUp(), CatchUpTarget: i.GetCatchUpTarget(),
	}
}

// printKept adds the rows of what is kept.
func printKept(i *tangledv1.InfoResponse, t table) {
	t.row("complete", completeText(i.GetCompleteFrom(), i.GetAnchor(), i.GetGaps()))
	if i.GetSnapshot() > 0 {
		t.row("snapshot", fmt.Sprintf("of anchor %d", i.GetSnapshot()))
	}
	if i.GetCatchingUp() {
		text := fmt.Sprintf("at anchor %d", i.GetAnchor())
		if target := i.GetCatchUpTarget(); target > 0 {
			text += fmt.Sprintf(" of %d", target)
		}
		t.row("catching up", text)
	}
	disk := bytesCell(i.GetDiskBytes())
	if i.GetDiskWarning() {
		disk += ", and too little room: see the log"
	}
	t.row("disk", disk)
}

// completeText says which anchors have everything.
func completeText(from, last uint64, gaps uint32) string {
	switch {
	case last == 0:
		return "nothing is final yet"
	case from > last:
		return fmt.Sprintf("no anchor up to %d", last)
	case gaps == 0:
		return fmt.Sprintf("anchors %d to %d", from, last)
	case gaps == 1:
		return fmt.Sprintf("anchors %d to %d, a gap before: see --gaps", from, last)
	}
	return fmt.Sprintf("anchors %d to %d, %d gaps before: see --gaps", from, last, gaps)
}

// gapStatus is the JSON of status --gaps.
type gapStatus struct {
	CompleteFrom uint64   `json:"complete_from"`
	Last         uint64   `json:"last"`
	Gaps         []gapRow `json:"gaps"`
}

type gapRow struct {
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Reason string `json:"reason"`
}

func showGaps(ctx context.Context, conn *grpc.ClientConn, out io.Writer, asJSON bool) error {
	reply, err := tangledv1.NewUpkeepServiceClient(conn).ListGaps(ctx, &tangledv1.ListGapsRequest{})
	if err != nil {
		return err
	}
	s := gapStatus{CompleteFrom: reply.GetCompleteFrom(), Last: reply.GetLast(), Gaps: []gapRow{}}
	for _, g := range reply.GetGaps() {
		s.Gaps = append(s.Gaps, gapRow{g.GetFirst(), g.GetLast(), g.GetReason()})
	}
	if asJSON {
		return writeJSON(out, s)
	}
	t := newTable(out, "FIRST", "LAST", "WHY")
	for _, g := range s.Gaps {
		t.row(strconv.FormatUint(g.First, 10), strconv.FormatUint(g.Last, 10), g.Reason)
	}
	if len(s.Gaps) > 0 {
		if err := t.flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	_, err = fmt.Fprintln(out, "complete:", completeText(s.CompleteFrom, s.Last, 0))
	return err
}
