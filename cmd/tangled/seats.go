package main

import (
	"fmt"
	"io"
	"strconv"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// seatStatus is a seat of the committee in JSON, as the node sees it.
type seatStatus struct {
	Seat   int      `json:"seat"`
	Key    hexBytes `json:"key"`
	Weight uint64   `json:"weight"`
	Round  uint64   `json:"round"`
	Seen   bool     `json:"seen"`
}

func newSeatStatus(seats []*tangledv1.Seat) []seatStatus {
	all := make([]seatStatus, len(seats))
	for i, s := range seats {
		all[i] = seatStatus{Seat: i, Key: s.GetKey(), Weight: s.GetWeight(), Round: s.GetRound(), Seen: s.GetSeen()}
	}
	return all
}

// ownSeat tells whether the node is on the committee and does its part.
func ownSeat(i *tangledv1.InfoResponse) string {
	switch {
	case len(i.GetSeats()) == 0:
		return "none: the network has no committee, and nothing becomes final"
	case i.Seat == nil:
		return "none"
	case i.GetSilent():
		return fmt.Sprintf("%d, silent: the log says why", i.GetSeat())
	}
	return fmt.Sprintf("%d, writes witnesses", i.GetSeat())
}

// printSeats prints the committee as a table.
func printSeats(i *tangledv1.InfoResponse, out io.Writer) error {
	t := newTable(out, "SEAT", "STATE", "ROUND", "WEIGHT", "KEY")
	for n, s := range i.GetSeats() {
		state := "not seen"
		if s.GetSeen() {
			state = "seen"
		}
		t.row(strconv.Itoa(n), state, strconv.FormatUint(s.GetRound(), 10), strconv.FormatUint(s.GetWeight(), 10),
			hexBytes(s.GetKey()).String())
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "a quorum has reached round %d\n", i.GetRound())
	return err
}
