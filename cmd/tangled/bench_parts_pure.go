package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tangled/bench/parts"
)

func newBenchPowCommand() *cobra.Command {
	return purePart(&cobra.Command{
		Use:   "pow",
		Short: "Measure the kernels of the proof of work",
		Long: `pow measures how many nonces a second one core tries with each kernel, as the median of
three short runs. sum256 is the plain way, one hash of the library a nonce, to compare
with. A kernel that this machine cannot run is not available; a node takes the chosen.`,
		Example: `  tangled bench pow
  tangled bench pow --json`,
	}, parts.Pow, showPow)
}

func showPow(out io.Writer, r parts.PowResult) error {
	t := newTable(out, "KERNEL", "LANES", "MH/S A CORE", "")
	for _, k := range r.Kernels {
		rate, note := "not available", ""
		if k.Available {
			rate = fmt.Sprintf("%.2f", k.HashesPerSecond/1e6)
		}
		if k.Name == r.Chosen {
			note = "chosen"
		}
		t.row(k.Name, fmt.Sprint(k.Lanes), rate, note)
	}
	return t.flush()
}

func newBenchVerifyCommand() *cobra.Command {
	return purePart(&cobra.Command{
		Use:   "verify",
		Short: "Measure the verification of signatures",
		Long: `verify measures what the signature of a message of 256 bytes costs one core, one by one
and in batches, as the median of three runs. Known keys are those of issuers seen
before: the verifier keeps them in the form in which it needs them.`,
		Example: `  tangled bench verify
  tangled bench verify --json`,
	}, parts.Verify, showVerify)
}

func showVerify(out io.Writer, r parts.VerifyResult) error {
	t := newTable(out, "AT ONCE", "KEYS", "A MESSAGE", "A SECOND", "SPEEDUP")
	for _, w := range r.Ways {
		keys := "new"
		if w.KnownKeys {
			keys = "known"
		}
		t.row(fmt.Sprint(w.Batch), keys, fmt.Sprintf("%.1f us", w.PerMessage), fmt.Sprintf("%.0f", w.PerSecond), fmt.Sprintf("%.1f", w.Speedup))
	}
	return t.flush()
}

func newBenchTipsCommand() *cobra.Command {
	return purePart(&cobra.Command{
		Use:   "tips",
		Short: "Measure tip selection",
		Long: `tips measures what a message costs tip selection with 10,000 tips in the pool and 10,000
messages a second: parents are picked, one tip goes, a new one comes. It is the median
of three runs on one core.`,
		Example: `  tangled bench tips
  tangled bench tips --json`,
	}, parts.Tips, showTips)
}

func showTips(out io.Writer, r parts.TipsResult) error {
	t := newTable(out)
	t.row("tips", fmt.Sprint(r.Tips))
	t.row("parents picked", fmt.Sprintf("%.1f on average", r.Parents))
	t.row("a message", fmt.Sprintf("%.2f us", r.PerMessage))
	return t.flush()
}
