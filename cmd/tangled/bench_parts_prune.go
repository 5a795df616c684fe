package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tangled/bench/parts"
)

func newBenchPruneCommand() *cobra.Command {
	return storedPart[parts.PruneResult]{messages: 1_000_000, run: parts.Prune, show: showPrune}.command(&cobra.Command{
		Use:   "prune",
		Short: "Measure how fast old messages are deleted, and what room comes back",
		Long: `prune fills a store with final messages, readings of 256 bytes, and compacts it. Then
it deletes all but the newest tenth, behind an anchor, as a node does by its retention,
and compacts again. The share that came back is what the store lost of the room that
the deleted messages took, their share of the room being that of all messages.`,
		Example: `  tangled bench prune
  tangled bench prune --messages 200000 --json`,
	})
}

func showPrune(out io.Writer, r parts.PruneResult) error {
	t := newTable(out)
	t.row("messages", fmt.Sprintf("%d, stored in %s", r.Messages, secondsText(r.FillSeconds)))
	t.row("deleted", fmt.Sprintf("%d, with %d anchors, in %s", r.Pruned, r.Anchors, secondsText(r.Seconds)))
	t.row("compacted in", secondsText(r.CompactSeconds))
	t.row("on disk", fmt.Sprintf("%s before, %s after", bytesText(r.DiskBefore), bytesText(r.DiskAfter)))
	t.row("came back", fmt.Sprintf("%.0f %%", 100*r.ShareBack))
	return t.flush()
}
