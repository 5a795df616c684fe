package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tangled/bench/parts"
)

// newBenchPartCommands are the benchmarks of single parts.
func newBenchPartCommands() []*cobra.Command {
	return []*cobra.Command{
		newBenchSyncCommand(),
		newBenchPruneCommand(),
		newBenchStoreCommand(),
		newBenchQueryCommand(),
		newBenchPowCommand(),
		newBenchVerifyCommand(),
		newBenchTipsCommand(),
	}
}

// partFlags are the flags of a benchmark of one part.
type partFlags struct {
	dir      string
	messages int
}

// storedPart is a benchmark that fills a folder with messages.
type storedPart[R any] struct {
	messages int // by default
	run      func(context.Context, parts.Options) (R, error)
	show     func(io.Writer, R) error
}

// command completes cmd with the flags and the running of the benchmark.
func (p storedPart[R]) command(cmd *cobra.Command) *cobra.Command {
	var flags partFlags
	cmd.Args, cmd.ValidArgsFunction = cobra.NoArgs, noFiles
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if flags.messages < parts.LeastMessages {
			return usagef("%d messages, want at least %d", flags.messages, parts.LeastMessages)
		}
		return p.measure(cmd, flags)
	}
	f := cmd.Flags()
	f.IntVar(&flags.messages, "messages", p.messages, "how many readings")
	f.StringVar(&flags.dir, "dir", "", "keep the data in this new folder (default: a temporary one, removed at the end)")
	return cmd
}

func (p storedPart[R]) measure(cmd *cobra.Command, flags partFlags) (err error) {
	dir, remove, err := benchDir(flags.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	steps := newStepBars(cmd.ErrOrStderr())
	result, err := p.run(cmd.Context(), parts.Options{Dir: dir, Messages: flags.messages, Progress: steps.at})
	steps.close()
	if err != nil {
		return err
	}
	return showPart(cmd, result, p.show)
}

// purePart completes cmd as a benchmark that needs no data on the disk.
func purePart[R any](cmd *cobra.Command, run func(context.Context) (R, error), show func(io.Writer, R) error) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = cobra.NoArgs, noFiles
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		result, err := run(cmd.Context())
		if err != nil {
			return err
		}
		return showPart(cmd, result, show)
	}
	return cmd
}

// showPart prints a result for people or as one object.
func showPart[R any](cmd *cobra.Command, result R, show func(io.Writer, R) error) error {
	if wantsJSON(cmd) {
		return writeJSON(cmd.OutOrStdout(), result)
	}
	return show(cmd.OutOrStdout(), result)
}

// stepBars is a bar for each step of long work, one after the other.
type stepBars struct {
	out  io.Writer
	step string
	bar  *bar // nil before the first step
}

func newStepBars(out io.Writer) *stepBars { return &stepBars{out: out} }

func (s *stepBars) at(step string, done, total uint64) {
	if s.bar == nil || step != s.step {
		s.close()
		s.step, s.bar = step, newBar(s.out, step)
	}
	s.bar.at(done, total)
}

func (s *stepBars) close() {
	if s.bar != nil {
		s.bar.close()
	}
}

// secondsText is a duration for people.
func secondsText(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

// bytesText is a number of bytes for people.
func bytesText(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// rateText is how many a second.
func rateText(perSecond float64) string { return fmt.Sprintf("%.0f a second", perSecond) }
