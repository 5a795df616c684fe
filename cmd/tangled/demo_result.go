package main

import (
	"errors"
	"fmt"
)

// demoResult is the last line of `tangled demo --json`.
type demoResult struct {
	Published         uint64      `json:"published"`
	Acknowledged      uint64      `json:"acknowledged"`
	Found             uint64      `json:"found"`
	Lost              uint64      `json:"lost"`
	Final             uint64      `json:"final"` // of those acknowledged
	AckMS             percentiles `json:"ack_ms"`
	PropagationMS     percentiles `json:"propagation_ms"`
	PropagationAll    bool        `json:"propagation_complete"` // every message was measured
	FinalMS           percentiles `json:"final_ms"`
	MessagesPerSecond float64     `json:"messages_per_second"`
	Nodes             int         `json:"nodes"`
	Seats             int         `json:"seats"`
	SeatsStopped      int         `json:"seats_stopped"`
	SensorsMoved      uint64      `json:"sensors_moved"` // times that one went to another broker
	DataBits          int         `json:"data_bits"`
	Kills             uint64      `json:"kills"`
	RestartMS         percentiles `json:"restart_ms"` // from a kill until the node was ready again
	Anchors           uint64      `json:"anchors"`    // on the permanode
	TwoWitnessRounds  int         `json:"two_witness_rounds"`
	Stored            storedNow   `json:"stored"`
	Faults            int         `json:"faults"` // that nodes logged at error level
	FirstFault        string      `json:"first_fault,omitempty"`
}

// storedNow is how many messages nodes have at the end.
type storedNow struct {
	MiddleMax uint64 `json:"middle_max"` // the middle node with the most
	Permanode uint64 `json:"permanode"`
}

// findings are what the nodes say when all is over.
type findings struct {
	found            uint64 // acknowledged readings in the permanode's history
	twoWitnessRounds int
	anchors          uint64
	stored           storedNow
	faults           int
	firstFault       string
}

func (d *demo) result(f findings, seconds float64) demoResult {
	acked := d.load.acked.Load()
	return demoResult{
		Published:         d.load.published.Load(),
		Acknowledged:      acked,
		Found:             f.found,
		Lost:              acked - f.found,
		Final:             d.load.finals.Load(),
		AckMS:             d.load.acks.percentiles(),
		PropagationMS:     d.propagation.delays.percentiles(),
		PropagationAll:    d.propagation.complete(),
		FinalMS:           d.load.delays.percentiles(),
		MessagesPerSecond: float64(acked) / seconds,
		Nodes:             len(d.city.nodes),
		Seats:             len(d.city.genesis.Committee),
		SeatsStopped:      len(d.city.nodes) - len(d.city.running()),
		SensorsMoved:      d.load.moved.Load(),
		DataBits:          d.opts.bits,
		Kills:             d.city.kills.Load(),
		RestartMS:         d.city.restarts.percentiles(),
		Anchors:           f.anchors,
		TwoWitnessRounds:  f.twoWitnessRounds,
		Stored:            f.stored,
		Faults:            f.faults,
		FirstFault:        f.firstFault,
	}
}

// verdict is nil if everything published is acknowledged, final and in the
// history, no seat wrote two witnesses for one round, and no node logged a fault.
func (r *demoResult) verdict() error {
	if n := r.Published - r.Acknowledged; n > 0 {
		return fmt.Errorf("%d of %d readings were not acknowledged", n, r.Published)
	}
	if r.Published == 0 {
		return errors.New("no reading was published")
	}
	if r.Lost > 0 {
		return fmt.Errorf("%d acknowledged readings are not in the permanode's history", r.Lost)
	}
	if n := r.Acknowledged - r.Final; n > 0 {
		return fmt.Errorf("%d acknowledged readings are not final on the permanode", n)
	}
	if r.TwoWitnessRounds > 0 {
		return fmt.Errorf("for %d rounds a seat wrote two different witnesses", r.TwoWitnessRounds)
	}
	if r.Faults > 0 {
		return fmt.Errorf("nodes logged %d faults, the first one: %s", r.Faults, plain(r.FirstFault))
	}
	return nil
}
