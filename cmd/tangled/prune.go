package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newPruneCommand() *cobra.Command {
	var client clientFlags
	var before, toSize string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "prune --before TIME | --to-size SIZE",
		Short: "Delete old messages from a node, or tell what would go",
		Long: `prune has a node delete its oldest messages: those before a time, or as many as it
takes for the store to fit a size, and give their room back to the disk. A node does
this by itself, by its storage.retention and storage.max_disk; the command is for more
than that, and --dry-run for knowing beforehand.

What the live part of the DAG stands on stays, and so do messages under a legal hold,
with their proofs. Nothing goes that no snapshot stands for. A permanode deletes
nothing. Interrupting the command ends the work between two steps of it, each of which
leaves a whole store.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled prune --config net/node1/tangled.toml --before 720h --dry-run
  tangled prune --config net/node1/tangled.toml --before 2026-05-01T00:00:00Z
  tangled prune --config net/node1/tangled.toml --to-size 20GiB --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := pruneRequest(before, toSize)
			if err != nil {
				return err
			}
			req.DryRun = dryRun
			var report *tangledv1.PruneReport
			err = client.work(cmd, "prune", func(ctx context.Context, conn *grpc.ClientConn, b *bar) error {
				stream, err := tangledv1.NewUpkeepServiceClient(conn).Prune(ctx, req)
				return eachStep(stream, err, b, func(step *tangledv1.PruneResponse) { report = step.GetReport() })
			})
			if err != nil {
				return err
			}
			return showPruned(report, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&before, "before", "", "delete messages from before this time, or older than this, such as 720h")
	f.StringVar(&toSize, "to-size", "", "delete the oldest messages until the store takes no more, such as 20GiB")
	f.BoolVar(&dryRun, "dry-run", false, "delete nothing, and tell by topic what would go")
	return cmd
}

// pruneRequest reads what to delete.
func pruneRequest(before, toSize string) (*tangledv1.PruneRequest, error) {
	if (before == "") == (toSize == "") {
		return nil, usagef("want one of --before and --to-size")
	}
	ns, err := timeFlag("before", before)
	if err != nil || toSize == "" {
		return &tangledv1.PruneRequest{BeforeNs: ns}, err
	}
	n, err := parseSize(toSize)
	if err == nil && n == 0 {
		err = fmt.Errorf("size %q: want more than nothing", toSize)
	}
	if err != nil {
		return nil, usagef("--to-size: %w", err)
	}
	return &tangledv1.PruneRequest{ToSize: uint64(n)}, nil
}

// pruned is a PruneReport in JSON.
type pruned struct {
	DryRun       bool         `json:"dry_run"`
	Before       *time.Time   `json:"before,omitempty"`
	Snapshot     uint64       `json:"snapshot"`
	Anchors      uint64       `json:"anchors"`
	Messages     uint64       `json:"messages"`
	Bytes        uint64       `json:"bytes"`
	Kept         uint64       `json:"kept"`
	DiskBefore   uint64       `json:"disk_before"`
	DiskAfter    uint64       `json:"disk_after"`
	CompleteFrom uint64       `json:"complete_from"`
	Topics       []topicTotal `json:"topics,omitempty"`
	MoreTopics   bool         `json:"more_topics,omitempty"`
}

type topicTotal struct {
	Topic    string `json:"topic"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

func newPruned(r *tangledv1.PruneReport) pruned {
	p := pruned{
		DryRun: r.GetDryRun(), Before: timeOf(r.GetBeforeNs()), Snapshot: r.GetSnapshot(), Anchors: r.GetAnchors(),
		Messages: r.GetMessages(), Bytes: r.GetBytes(), Kept: r.GetKept(), DiskBefore: r.GetDiskBefore(),
		DiskAfter: r.GetDiskAfter(), CompleteFrom: r.GetCompleteFrom(), MoreTopics: r.GetMoreTopics(),
	}
	for _, t := range r.GetTopics() {
		p.Topics = append(p.Topics, topicTotal{t.GetTopic(), t.GetMessages(), t.GetBytes()})
	}
	return p
}

func showPruned(r *tangledv1.PruneReport, out io.Writer, asJSON bool) error {
	p := newPruned(r)
	if asJSON {
		return writeJSON(out, p)
	}
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	if p.DryRun {
		t := newTable(out, "TOPIC", "MESSAGES", "BYTES")
		for _, topic := range p.Topics {
			name := topic.Topic
			if name == "" {
				name = "(none)"
			}
			t.row(name, count(topic.Messages), count(topic.Bytes))
		}
		if p.MoreTopics {
			t.row("...", "", "")
		}
		t.row("all", count(p.Messages), count(p.Bytes))
		if err := t.flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	t := newTable(out)
	what := "deleted"
	if p.DryRun {
		what = "would go"
	}
	t.row(what, fmt.Sprintf("%d messages, %s, of before %s", p.Messages, bytesCell(p.Bytes), timeText(p.Before)))
	t.row("kept", fmt.Sprintf("%d older ones, by a hold or their topic", p.Kept))
	t.row("anchors", fmt.Sprintf("%d whole", p.Anchors))
	if p.Snapshot > 0 {
		t.row("snapshot", fmt.Sprintf("of anchor %d stands for them", p.Snapshot))
	}
	t.row("complete", fmt.Sprintf("from anchor %d on", p.CompleteFrom))
	if p.DryRun {
		t.row("disk", bytesCell(p.DiskBefore))
	} else {
		t.row("disk", fmt.Sprintf("%s, %s before", bytesCell(p.DiskAfter), bytesCell(p.DiskBefore)))
	}
	return t.flush()
}

// bytesCell is a number of bytes for people.
func bytesCell(n uint64) string {
	if n < uint64(kibibyte) {
		return strconv.FormatUint(n, 10) + " bytes"
	}
	v, unit := float64(n), ""
	for _, u := range sizeUnits() {
		if v < 1024 {
			break
		}
		v, unit = v/1024, u
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
}
