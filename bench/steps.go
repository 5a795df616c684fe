package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// StepsOptions describe a series of loads over MQTT on one network.
type StepsOptions struct {
	// Options but Via, Rate, Sources, Warmup, Duration, Issuers and Queries.
	Options
	// Sources are how many there are in each step, each with a connection to the
	// first node; Rates are how many readings a second each publishes. Every rate
	// goes through all sources.
	Sources []int
	Rates   []float64
	// Step is how long each takes.
	Step time.Duration
	// Done, if not nil, is told of each step when it has ended.
	Done func(Step)
}

// DLTaaS is the series that a city's sensors were modelled with in the literature:
// few sources of one or ten readings a second at one site.
func DLTaaS(o Options, step time.Duration) StepsOptions {
	return StepsOptions{Options: o, Sources: []int{1, 2, 5, 10, 20, 50, 100}, Rates: []float64{1, 10}, Step: step}
}

// Step is what one of a series measured.
type Step struct {
	Sources int     `json:"sources"`
	Rate    float64 `json:"rate"` // readings a second of a source
	// Rates of all sources, in readings a second.
	Offered float64 `json:"offered_per_second"`
	Durable float64 `json:"durable_per_second"`
	Final   float64 `json:"final_per_second"` // of the step's readings, whenever they were final
	// Publish is from when a reading was due to its PUBACK, FinalAfter from there to
	// when it was final on all nodes.
	Publish    Percentiles `json:"publish_ms"`
	FinalAfter Percentiles `json:"final_ms"`
	Lost       uint64      `json:"lost"`
}

// StepsResult is a series.
type StepsResult struct {
	Steps        []Step `json:"steps"`
	Nodes        int    `json:"nodes"`
	Seats        int    `json:"seats"`
	MessageBytes int    `json:"message_bytes"` // of content
	PowBits      int    `json:"pow_bits"`
	Cores        int    `json:"cores"`
}

// Steps measures a series of loads on one new network.
func Steps(ctx context.Context, o StepsOptions) (result StepsResult, err error) {
	o.Via, o.Duration, o.Warmup, o.Options.Sources = MQTT, o.Step, 0, 1
	o.ensureDefaults()
	if err := o.validate(); err != nil {
		return StepsResult{}, err
	}
	r, err := openRig(ctx, o.Options)
	if err != nil {
		return StepsResult{}, err
	}
	defer func() { err = errors.Join(err, r.close(context.WithoutCancel(ctx))) }()
	result = StepsResult{
		Nodes: o.Nodes, Seats: r.seats(), MessageBytes: o.Size, PowBits: o.PowBits, Cores: runtime.GOMAXPROCS(0),
	}
	first := uint32(0)
	r.loads = len(o.Rates) * len(o.Sources)
	for _, rate := range o.Rates {
		for _, sources := range o.Sources {
			r.at++
			step, err := r.step(ctx, first, sources, rate)
			if err != nil {
				return StepsResult{}, fmt.Errorf("%d sources at %v readings a second: %w", sources, rate, err)
			}
			first += uint32(sources)
			result.Steps = append(result.Steps, step)
			if o.Done != nil {
				o.Done(step)
			}
		}
	}
	return result, nil
}

// step measures one load; the number of its first source tells its readings from
// those of others.
func (r *rig) step(ctx context.Context, first uint32, sources int, rate float64) (step Step, err error) {
	l := newLoad(r.opts, first, r.opts.Duration)
	if err := r.connect(ctx, l, sources, sources); err != nil {
		return Step{}, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	l.setRate(rate * float64(sources))
	if _, err := r.expose(ctx, l); err != nil {
		return Step{}, err
	}
	o, seconds := l.within(0, l.until+ackPatience), l.until.Seconds()
	return Step{
		Sources: sources, Rate: rate,
		Offered: round3(float64(o.offered) / seconds),
		Durable: round3(float64(o.durable) / seconds),
		Final:   round3(float64(len(o.finalAfter)) / seconds),
		Publish: percentiles(o.ack), FinalAfter: percentiles(o.finalAfter),
		Lost: l.lost(),
	}, nil
}
