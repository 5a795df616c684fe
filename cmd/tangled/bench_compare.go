package main

import (
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"tangled/bench"
)

func newBenchCompareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare OLD.json NEW.json",
		Short: "Set two results of bench --json side by side",
		Long: `compare prints every figure of two results that bench --json wrote: the old one, the
new one, and new over old. A figure that is in one of them alone has a dash.`,
		Example: `  tangled bench --json > old.json
  tangled bench --json > new.json
  tangled bench compare old.json new.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return compareBench(cmd.OutOrStdout(), args[0], args[1], wantsJSON(cmd))
		},
	}
}

// changeJSON is a bench.Change as JSON.
type changeJSON struct {
	Figure string   `json:"figure"`
	Old    *float64 `json:"old"`
	New    *float64 `json:"new"`
	Ratio  *float64 `json:"ratio"`
}

func compareBench(out io.Writer, before, after string, asJSON bool) error {
	old, err := os.ReadFile(before)
	if err != nil {
		return err
	}
	now, err := os.ReadFile(after)
	if err != nil {
		return err
	}
	changes, err := bench.Compare(old, now)
	if err != nil {
		return fmt.Errorf("compare %s with %s: %w", before, after, err)
	}
	cell := func(v float64, ok bool, digits int) string {
		if !ok {
			return "-"
		}
		return strconv.FormatFloat(v, 'f', digits, 64)
	}
	pointer := func(v float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &v
	}
	t := newTable(out, "FIGURE", "OLD", "NEW", "RATIO")
	for _, c := range changes {
		ratio, ok := c.Ratio()
		if asJSON {
			line := changeJSON{c.Name, pointer(c.Old, c.HasOld), pointer(c.New, c.HasNew), pointer(ratio, ok)}
			if err := writeJSON(out, line); err != nil {
				return err
			}
			continue
		}
		t.row(c.Name, cell(c.Old, c.HasOld, -1), cell(c.New, c.HasNew, -1), cell(ratio, ok, 3))
	}
	if asJSON {
		return nil
	}
	return t.flush()
}
