package main

import "github.com/spf13/cobra"

// newBenchPartCommands are the benchmarks of single parts.
func newBenchPartCommands() []*cobra.Command { return nil }
