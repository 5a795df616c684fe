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
}

func (d *demo) result(found uint64, seconds float64) demoResult {
	acked := d.load.acked.Load()
	r := demoResult{
		Published:         d.load.published.Load(),
		Acknowledged:      acked,
		Found:             found,
		Lost:              acked - found,
		Final:             d.load.finals.Load(),
		AckMS:             d.load.acks.percentiles(),
		PropagationMS:     d.propagation.delays.percentiles(),
		PropagationAll:    d.propagation.complete(),
		FinalMS:           d.load.delays.percentiles(),
		MessagesPerSecond: float64(acked) / seconds,
		Nodes:             len(d.net.Members),
		Seats:             len(d.net.Genesis.Committee),
		SensorsMoved:      d.load.moved.Load(),
		DataBits:          d.opts.bits,
	}
	if d.stopped != nil {
		r.SeatsStopped = 1
	}
	return r
}

// verdict is nil if everything published is acknowledged, final and in the
// history.
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
	return nil
}
