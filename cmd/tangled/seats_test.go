package main

import (
	"strings"
	"testing"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func TestOwnSeat(t *testing.T) {
	seats := []*tangledv1.Seat{{Weight: 1}, {Weight: 1}}
	one := uint32(1)
	for want, info := range map[string]*tangledv1.InfoResponse{
		"none: the network has no committee": {},
		"none":                               {Seats: seats},
		"1, writes witnesses":                {Seats: seats, Seat: &one},
		"1, silent":                          {Seats: seats, Seat: &one, Silent: true},
	} {
		if got := ownSeat(info); !strings.HasPrefix(got, want) || want == "none" && got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// An alarm is shown, and what it says comes from what others sent.
func TestStatusAlarm(t *testing.T) {
	var b strings.Builder
	info := &tangledv1.InfoResponse{Alarm: "anchor 7\x1b", Seats: []*tangledv1.Seat{{Round: 5, Seen: true}, {Weight: 3}}, Round: 6}
	if err := printStatus(info, nil, &b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{`alarm anchor 7\x1b`, "0 seen 5 0", "1 not seen 0 3", "a quorum has reached round 6"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %s", text, want)
		}
	}
	if err := trouble(info); err == nil || !strings.HasSuffix(err.Error(), `any more: anchor 7\x1b`) {
		t.Errorf("got %v", err)
	}
	if err := trouble(&tangledv1.InfoResponse{Unhealthy: "full"}); err == nil {
		t.Error("a node that takes no data is no trouble")
	}
	if err := trouble(&tangledv1.InfoResponse{Silent: true}); err != nil {
		t.Errorf("got %v for a node that is well", err)
	}
	s := newNodeStatus(info, nil)
	if s.Alarm == "" || len(s.Seats) != 2 || !s.Seats[0].Seen || s.Seats[1].Seat != 1 || s.Seats[1].Weight != 3 || s.Seat != nil {
		t.Errorf("got %+v", s)
	}
}
