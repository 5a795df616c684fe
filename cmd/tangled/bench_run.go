package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"

	"tangled/bench"
)

// runBench measures and shows the figures.
func runBench(ctx context.Context, f benchFlags, out io.Writer, s *benchScreen) (err error) {
	dir, remove, err := benchDir(f.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	f.Dir, f.Progress = dir, s.progress
	if f.preset != "" {
		return runBenchSteps(ctx, f, out, s)
	}
	var profile bytes.Buffer
	if f.profile != "" {
		f.Profile = &profile
	}
	result, err := bench.Run(ctx, f.Options)
	s.end()
	if err != nil {
		return err
	}
	if s.json {
		err = writeJSON(out, result)
	} else {
		err = printBench(out, result)
	}
	if f.profile != "" {
		err = errors.Join(err, os.WriteFile(f.profile, profile.Bytes(), 0o666))
	}
	return errors.Join(err, drawBench(f.plot, benchCharts(result)))
}

// printBench shows a result to people.
func printBench(out io.Writer, r bench.Result) error {
	fmt.Fprintf(out, "%d nodes, %d seats, %d cores, via %s, readings of %d bytes with %d bits of work\n\n",
		r.Nodes, r.Seats, r.Cores, r.Via, r.MessageBytes, r.PowBits)
	t := newTable(out, "READINGS", "A SECOND", "", "P50", "P95", "P99")
	ms := func(v float64) string { return fmt.Sprintf("%.1f ms", v) }
	t.row("offered", perSecond(r.Offered), "", "", "", "")
	t.row("durable", perSecond(r.Durable), "after", ms(r.Ack.P50), ms(r.Ack.P95), ms(r.Ack.P99))
	t.row("final", perSecond(r.Final), "after", ms(r.FinalAfter.P50), ms(r.FinalAfter.P95), ms(r.FinalAfter.P99))
	if q := r.Query; q != nil {
		t.row("queries", perSecond(q.PerSecond), "took", ms(q.Took.P50), ms(q.Took.P95), ms(q.Took.P99))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nCPU a reading: %.1f us, and %.1f us of the load generator\n", r.CPU, r.GeneratorCPU)
	t = newTable(out)
	for _, stage := range bench.Stages() {
		t.row("  "+stage, fmt.Sprintf("%.1f us", r.CPUByStage[stage]))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nmemory %d MiB at most; on disk %.0f bytes a reading and node, written %.1f times; gossip %.1f MB\n",
		r.RSSPeak>>20, r.Disk, r.WriteAmplification, float64(r.Gossip)/1e6)
	for _, reason := range slices.Sorted(maps.Keys(r.Dropped)) {
		fmt.Fprintf(out, "dropped, %s: %d\n", reason, r.Dropped[reason])
	}
	_, err := fmt.Fprintf(out, "lost: %d\n", r.Lost)
	return err
}

func perSecond(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
