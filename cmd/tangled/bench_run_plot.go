package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"tangled/bench"
	"tangled/bench/chart"
)

// drawBench draws charts into a file; without a name, nowhere.
func drawBench(path string, charts []chart.Chart) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	if err := errors.Join(chart.Write(f, filepath.Ext(path), charts), f.Close()); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}

// benchCharts are those of one run, second by second.
func benchCharts(r bench.Result) []chart.Chart {
	line := func(name string, of func(bench.Second) float64) chart.Series {
		s := chart.Series{Name: name}
		for _, second := range r.Timeline {
			s.Points = append(s.Points, chart.Point{X: second.At, Y: of(second)})
		}
		return s
	}
	seconds := chart.Axis{Label: "seconds, with the warm-up"}
	return []chart.Chart{{
		Title: fmt.Sprintf("Throughput: %d nodes, %d cores, via %s, %d bytes", r.Nodes, r.Cores, r.Via, r.MessageBytes),
		X:     seconds, Y: chart.Axis{Label: "readings a second"},
		Series: []chart.Series{
			line("durable", func(s bench.Second) float64 { return float64(s.Durable) }),
			line("final on all nodes", func(s bench.Second) float64 { return float64(s.Final) }),
		},
	}, {
		Title: "Time until a reading is acknowledged", X: seconds, Y: chart.Axis{Label: "ms", Log: true},
		Series: []chart.Series{
			line("p50", func(s bench.Second) float64 { return s.Ack.P50 }),
			line("p95", func(s bench.Second) float64 { return s.Ack.P95 }),
			line("p99", func(s bench.Second) float64 { return s.Ack.P99 }),
		},
	}}
}

// stepCharts are those of a series.
func stepCharts(r bench.StepsResult) []chart.Chart {
	var rates []float64
	for _, s := range r.Steps {
		if !slices.Contains(rates, s.Rate) {
			rates = append(rates, s.Rate)
		}
	}
	line := func(name string, rate float64, of func(bench.Step) float64) chart.Series {
		series := chart.Series{Name: fmt.Sprintf("%s, %v/s", name, rate)}
		for _, s := range r.Steps {
			if s.Rate == rate {
				series.Points = append(series.Points, chart.Point{X: float64(s.Sources), Y: of(s)})
			}
		}
		return series
	}
	sources := chart.Axis{Label: "sources", Log: true}
	latency := chart.Chart{
		Title: "Publishing latency, PUBLISH to PUBACK, by readings a second and source", X: sources, Y: chart.Axis{Label: "ms", Log: true},
	}
	throughput := chart.Chart{
		Title: "Throughput on the Tangle, by readings a second and source", X: sources, Y: chart.Axis{Label: "readings a second", Log: true},
	}
	for _, rate := range rates {
		latency.Series = append(latency.Series,
			line("p50", rate, func(s bench.Step) float64 { return s.Publish.P50 }),
			line("p95", rate, func(s bench.Step) float64 { return s.Publish.P95 }))
		throughput.Series = append(throughput.Series,
			line("offered", rate, func(s bench.Step) float64 { return s.Offered }),
			line("final", rate, func(s bench.Step) float64 { return s.Final }))
	}
	return []chart.Chart{latency, throughput}
}
