package main

import (
	"context"
	"fmt"
	"io"

	"tangled/bench"
)

// runBenchSteps measures a preset: a table that grows by a row a step, or one object
// at the end.
func runBenchSteps(ctx context.Context, f benchFlags, out io.Writer, s *benchScreen) error {
	o := bench.DLTaaS(f.Options, f.step)
	if !s.json {
		fmt.Fprintln(out, stepRow("SOURCES", "EACH/S", "OFFERED/S", "DURABLE/S", "FINAL/S", "PUBLISH P50", "P95", "P99", "FINAL P50", "P95", "LOST"))
		o.Done = func(step bench.Step) {
			s.end()
			printStep(out, step)
		}
	}
	result, err := bench.Steps(ctx, o)
	s.end()
	if err != nil {
		return err
	}
	if s.json {
		if err := writeJSON(out, result); err != nil {
			return err
		}
	}
	return drawBench(f.plot, stepCharts(result))
}

func printStep(out io.Writer, s bench.Step) {
	ms := func(v float64) string { return fmt.Sprintf("%.1f ms", v) }
	fmt.Fprintln(out, stepRow(
		fmt.Sprint(s.Sources), fmt.Sprint(s.Rate), perSecond(s.Offered), perSecond(s.Durable), perSecond(s.Final),
		ms(s.Publish.P50), ms(s.Publish.P95), ms(s.Publish.P99), ms(s.FinalAfter.P50), ms(s.FinalAfter.P95), fmt.Sprint(s.Lost)))
}

// stepRow is a line of columns that stay as wide as they are: the rows come one by
// one.
func stepRow(cells ...string) string {
	line := ""
	for _, cell := range cells {
		line += fmt.Sprintf("%11s ", cell)
	}
	return line[:len(line)-1]
}
