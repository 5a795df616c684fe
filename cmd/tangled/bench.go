package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tangled/bench"
	"tangled/genesis"
	"tangled/internal/localnet"
)

// benchFlags are the flags of `tangled bench` as they stand.
type benchFlags struct {
	bench.Options
	via     string
	preset  string
	step    time.Duration
	plot    string
	profile string
}

const presetDLTaaS = "dltaas"

func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how much this machine takes, as a whole and part by part",
		Long: `bench starts a network of real nodes in this process, on loopback TCP and the disk
under --dir, has readings published for --duration after --warmup, and tells how many
a second became durable and final, how long that took, and what it cost. At the end
it looks for every acknowledged reading on every node's disk.

Without --rate each of --sources publishes its next reading when the one before was
acknowledged: the most that the network takes. With --rate the readings are due at
a time, and latencies count from then on.

--via direct calls the node as its MQTT and gRPC servers do for a sensor: the node
selects tips, signs and does the work; with --issuers the readings are signed under
so many keys outside the node, which then verifies them. --via grpc submits on
streams, --via mqtt publishes at QoS 1 over 100 connections.

CPU time is of the whole process without the load generator, whose share is told
apart; a CPU profile divides it among the stages of a message's way. What the stages
are, and how each figure is measured, is in docs/performance.md.

--preset dltaas is a series of runs on one network: 1, 2, 5, 10, 20, 50 and 100
sources, at 1 and at 10 readings a second each, over MQTT into one node, --step each.`,
		Example: `  tangled bench
  tangled bench --nodes 4 --rate 5000 --json > new.json
  tangled bench compare old.json new.json
  tangled bench --via mqtt --plot mqtt.png --profile mqtt.pprof
  tangled bench --preset dltaas --plot dltaas.html`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Via = bench.Via(f.via)
			if err := f.validate(cmd); err != nil {
				return err
			}
			err := runBench(cmd.Context(), f, cmd.OutOrStdout(), newBenchScreen(cmd.ErrOrStderr(), wantsJSON(cmd)))
			if option := new(bench.OptionError); errors.As(err, &option) {
				return usagef("--%v", option)
			}
			return err
		},
	}
	f.define(cmd)
	cmd.AddCommand(newBenchCompareCommand())
	cmd.AddCommand(newBenchPartCommands()...)
	return cmd
}

// define makes the flags.
func (f *benchFlags) define(cmd *cobra.Command) {
	s := cmd.Flags()
	s.IntVar(&f.Nodes, "nodes", 1, "middle nodes, in a ring with one chord")
	s.IntVar(&f.Seats, "seats", 0, "nodes with a seat on the committee; 0 is all, at most 31; -1 is none: then nothing becomes final")
	s.DurationVar(&f.Duration, "duration", 20*time.Second, "how long to measure")
	s.DurationVar(&f.Warmup, "warmup", 3*time.Second, "how long there is load before")
	s.Float64Var(&f.Rate, "rate", 0, "readings a second in the whole network; 0 is as many as it takes")
	s.IntVar(&f.Size, "size", 256, "bytes of a reading")
	s.IntVar(&f.Topics, "topics", 100, "topics that the sources share")
	s.IntVar(&f.Issuers, "issuers", 0, "keys that sign the readings outside the node; 0: the node signs")
	s.IntVar(&f.Sources, "sources", 0, "how many publish at the same time; 0 is 512, over MQTT 400")
	s.StringVar(&f.via, "via", string(bench.Direct), "how readings come in: direct, grpc or mqtt")
	s.IntVar(&f.PowBits, "pow-bits", genesis.DefaultDataBits, "proof of work of a reading, in leading zero bits")
	s.Float64Var(&f.Queries, "queries", 0, "reads a second alongside, each of the newest 100 readings of a topic")
	s.StringVar(&f.preset, "preset", "", "a series of runs: dltaas")
	s.DurationVar(&f.step, "step", 20*time.Second, "how long each run of a preset takes")
	s.StringVar(&f.plot, "plot", "", "draw the figures into this file, .png or .html")
	s.StringVar(&f.profile, "profile", "", "write the CPU profile of the measured time into this file, for go tool pprof")
	s.StringVar(&f.Dir, "dir", "", "keep the nodes' data in this new folder (default: a temporary one, removed at the end)")
	for name, values := range map[string][]string{
		"via":    {string(bench.Direct), string(bench.GRPC), string(bench.MQTT)},
		"preset": {presetDLTaaS},
	} {
		if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the flag is defined above
		}
	}
}

// validate finds what the flags of this command do not say; what the others cannot
// be, bench tells.
func (f *benchFlags) validate(cmd *cobra.Command) error {
	switch ext := filepath.Ext(f.plot); {
	case f.preset != "" && f.preset != presetDLTaaS:
		return usagef("preset %q, want %s", f.preset, presetDLTaaS)
	case f.plot != "" && ext != ".png" && ext != ".html":
		return usagef("--plot %s: want a name that ends in .png or .html", f.plot)
	case f.Duration <= 0 || f.Size <= 0 || f.Topics <= 0 || f.Nodes <= 0:
		return usagef("--duration, --size, --topics and --nodes want to be above 0")
	case f.step <= 0:
		return usagef("step %v, want above 0", f.step)
	case f.Seats < localnet.NoSeats:
		return usagef("%d seats, want -1 for none, 0 for all nodes, or a number", f.Seats)
	case f.Sources < 0:
		return usagef("%d sources, want above 0", f.Sources)
	}
	if f.preset == "" {
		return nil
	}
	fixed := []string{"via", "rate", "sources", "issuers", "duration", "warmup", "queries", "profile"}
	if i := slices.IndexFunc(fixed, cmd.Flags().Changed); i >= 0 {
		return usagef("--%s does not go with --preset, which sets it", fixed[i])
	}
	return nil
}

// benchDir makes the folder for the nodes' data.
func benchDir(dir string) (path string, remove func() error, err error) {
	if dir != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, usagef("data folder: %w", err)
		}
		return dir, func() error { return nil }, nil
	}
	if path, err = os.MkdirTemp("", "tangled-bench-"); err != nil {
		return "", nil, err
	}
	return path, func() error { return os.RemoveAll(path) }, nil
}
