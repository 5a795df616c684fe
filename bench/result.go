package bench

import (
	"math"
	"slices"
	"time"
)

// Percentiles are in milliseconds, rounded to the microsecond; zero where there was
// nothing to measure.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Result is what a run measured. Rates are of readings a second of the measured
// time.
type Result struct {
	// Durable were acknowledged, Final were final on all nodes, Offered were due or,
	// without a rate, sent.
	Durable float64 `json:"durable_per_second"`
	Final   float64 `json:"final_per_second"`
	Offered float64 `json:"offered_per_second"`
	// Ack and FinalAfter are of what was acknowledged in the measured time, from when
	// it was due.
	Ack        Percentiles `json:"ack_ms"`
	FinalAfter Percentiles `json:"final_ms"`
	// CPU is what all nodes used for a durable reading, in microseconds; CPUByStage
	// divides it, with the generator's beside it. See Stages.
	CPU        float64            `json:"cpu_us_per_message"`
	CPUByStage map[string]float64 `json:"cpu_us_by_stage"`
	// RSSPeak is the process's, in bytes, the generator's with it.
	RSSPeak uint64 `json:"rss_peak_bytes"`
	// Disk is what a node's files have for a reading once all have settled, in bytes.
	Disk float64 `json:"disk_bytes_per_message"`
	// WriteAmplification is the bytes written to files over the bytes of messages
	// made durable, of the whole run.
	WriteAmplification float64 `json:"write_amplification"`
	// Gossip is what the nodes sent each other in the whole run, in bytes.
	Gossip uint64 `json:"gossip_bytes"`
	// Dropped is what was dropped or refused anywhere in the whole run, by reason;
	// what is dropped between nodes is fetched again.
	Dropped map[string]uint64 `json:"dropped"`
	// Lost is how many acknowledged readings of the whole run are not final on every
	// node.
	Lost uint64 `json:"lost"`

	Nodes        int     `json:"nodes"`
	Seats        int     `json:"seats"`
	MessageBytes int     `json:"message_bytes"` // of content
	PowBits      int     `json:"pow_bits"`
	Cores        int     `json:"cores"`
	Via          Via     `json:"via"`
	GeneratorCPU float64 `json:"generator_cpu_us_per_message"`

	// Query is of the reads alongside; nil without Options.Queries.
	Query *QueryResult `json:"queries,omitempty"`

	// Timeline is the run second by second, with the warm-up.
	Timeline []Second `json:"-"`
}

// QueryResult is of the reads alongside, in the measured time.
type QueryResult struct {
	PerSecond float64     `json:"per_second"`
	Took      Percentiles `json:"ms"`
}

// Second is what happened in a second of a run.
type Second struct {
	At             float64 // seconds since the load began, where it ends
	Durable, Final uint64  // readings
	Ack            Percentiles
}

// quantile is the value that a share q of sorted does not exceed; zero of none.
func quantile[T any](sorted []T, q float64) (none T) {
	if len(sorted) == 0 {
		return none
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// percentiles sorts times.
func percentiles(times []micros) Percentiles {
	slices.Sort(times)
	ms := func(q float64) float64 { return float64(quantile(times, q)) / 1000 }
	return Percentiles{P50: ms(0.50), P95: ms(0.95), P99: ms(0.99)}
}

// round3 keeps what a figure is good for.
func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// isFinal tells whether a reading is final on every node.
func (l *load) isFinal(r reading) bool { return r.final != 0 && r.nodes == l.nodes }

// outcome is what the records of a load say about a span of it.
type outcome struct {
	offered, durable, final uint64
	ack, finalAfter         []micros
}

// within looks at what happened from one time on to another, since the load began.
func (l *load) within(from, to time.Duration) outcome {
	var o outcome
	in := func(t time.Duration) bool { return from <= t && t < to }
	for _, s := range l.sources {
		for _, r := range s.readings {
			if in(r.due) {
				o.offered++
			}
			if r.acked != 0 && in(r.due+r.acked.duration()) {
				o.durable++
				o.ack = append(o.ack, r.acked)
				if l.isFinal(r) {
					o.finalAfter = append(o.finalAfter, r.final)
				}
			}
			if l.isFinal(r) && in(r.due+r.final.duration()) {
				o.final++
			}
		}
		for _, due := range s.unsent {
			if in(due) {
				o.offered++
			}
		}
	}
	return o
}

// lost counts the acknowledged readings that are not final on every node.
func (l *load) lost() uint64 {
	n := uint64(0)
	for _, s := range l.sources {
		for _, r := range s.readings {
			if r.acked != 0 && r.nodes != l.nodes {
				n++
			}
		}
	}
	return n
}

// timeline is the load second by second.
func (l *load) timeline() []Second {
	seconds := make([]Second, int(math.Ceil(l.until.Seconds())))
	acks := make([][]micros, len(seconds))
	at := func(t time.Duration) (int, bool) { i := int(t / time.Second); return i, i < len(seconds) }
	for _, s := range l.sources {
		for _, r := range s.readings {
			if i, ok := at(r.due + r.acked.duration()); ok && r.acked != 0 {
				seconds[i].Durable++
				acks[i] = append(acks[i], r.acked)
			}
			if i, ok := at(r.due + r.final.duration()); ok && l.isFinal(r) {
				seconds[i].Final++
			}
		}
	}
	for i := range seconds {
		seconds[i].At = float64(i + 1)
		seconds[i].Ack = percentiles(acks[i])
	}
	return seconds
}
