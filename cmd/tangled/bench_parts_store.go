package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tangled/bench/parts"
)

func newBenchStoreCommand() *cobra.Command {
	return storedPart[parts.StoreResult]{messages: 1_000_000, run: parts.Store, show: showStore}.command(&cobra.Command{
		Use:   "store",
		Short: "Measure how fast messages become durable, and what they take on disk",
		Long: `store writes readings of 256 bytes into a store, in synced batches of 512 with all
their index rows, and has anchors make them final. It tells the rate over each million,
which says whether the store becomes slower as it grows, and, after a compaction, the
bytes on disk. Signatures are made up: a store does not look at them.`,
		Example: `  tangled bench store
  tangled bench store --messages 10000000 --dir /data/bench --json`,
	})
}

func showStore(out io.Writer, r parts.StoreResult) error {
	t := newTable(out, "STORED", "RATE")
	for _, s := range r.Steps {
		t.row(fmt.Sprint(s.Messages), rateText(s.MessagesPerSecond))
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t = newTable(out)
	t.row("messages", fmt.Sprintf("%d in %s, %s", r.Messages, secondsText(r.Seconds), rateText(r.MessagesPerSecond)))
	t.row("last to first", fmt.Sprintf("%.0f %%", 100*r.LastToFirst))
	t.row("on disk", fmt.Sprintf("%.0f bytes a message, of which it has %.0f itself", r.BytesPerMessage, r.EncodedBytes))
	t.row("written", fmt.Sprintf("%.1f times", r.WriteAmplification))
	t.row("compacted in", secondsText(r.CompactSeconds))
	return t.flush()
}

func newBenchQueryCommand() *cobra.Command {
	return storedPart[parts.QueryResult]{messages: 1_000_000, run: parts.Query, show: showQuery}.command(&cobra.Command{
		Use:   "query",
		Short: "Measure how fast a store answers",
		Long: `query fills a store as bench store does, compacts it and opens it again. Then it asks,
one question after the other: any message by its ID with nothing of it in the store's
cache, one of the newest 10,000 by its ID, the newest 100 readings of a topic, and the
history in order. The operating system may have files in its memory all the while.`,
		Example: `  tangled bench query
  tangled bench query --messages 10000000 --dir /data/bench --json`,
	})
}

func showQuery(out io.Writer, r parts.QueryResult) error {
	fmt.Fprintf(out, "%d messages of %d topics, stored in %s\n\n", r.Messages, r.Topics, secondsText(r.FillSeconds))
	t := newTable(out, "QUESTION", "P50", "P99")
	ms := func(v float64) string { return fmt.Sprintf("%.3f ms", v) }
	t.row("newest 100 of a topic", ms(r.Newest.P50), ms(r.Newest.P99))
	t.row("recent message by ID", ms(r.Recent.P50), ms(r.Recent.P99))
	t.row("any message by ID, cold", ms(r.Cold.P50), ms(r.Cold.P99))
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nhistory in order: %s\n", rateText(r.HistoryPerSecond))
	return err
}
