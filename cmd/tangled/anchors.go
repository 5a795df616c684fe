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

func newAnchorsCommand() *cobra.Command {
	client := new(clientFlags)
	cmd := &cobra.Command{
		Use:   "anchors",
		Short: "List, show and follow what the committee made final",
		Long: `An anchor is a step in which messages become final: the committee agreed on it, and
every node works out the same commitment from it, which stands for the whole ledger
up to there. Two nodes that show the same commitment hold the same ledger.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled anchors list --api 127.0.0.1:7702
  tangled anchors show --api 127.0.0.1:7702 12
  tangled anchors follow --config net/node1/tangled.toml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	client.add(cmd)
	cmd.AddCommand(newAnchorsListCommand(client), newAnchorsShowCommand(client), newAnchorsFollowCommand(client))
	return cmd
}

func newAnchorsListCommand(client *clientFlags) *cobra.Command {
	var from uint64
	var limit uint32
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the last anchors, the newest first",
		Long: `list prints the last --limit anchors, or those from --from on down. SIGNED is the
anchor whose commitment a quorum of the committee signed, and with it all before; -
where the signatures are still on their way.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 1000 {
				return usagef("--limit %d: want 1..1000", limit)
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				reply, err := tangledv1.NewProofsServiceClient(conn).ListAnchors(ctx,
					&tangledv1.ListAnchorsRequest{From: from, Limit: limit, Descending: true})
				if err != nil {
					return err
				}
				p := anchorPrinter{out: cmd.OutOrStdout(), json: wantsJSON(cmd)}
				for _, a := range reply.GetAnchors() {
					if err := p.print(a); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "the first to list; the last one there is by default")
	cmd.Flags().Uint32Var(&limit, "limit", 20, "at most so many, 1..1000")
	return cmd
}

func newAnchorsShowCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "show [N]",
		Short:             "Show one anchor, the last by default",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			var index uint64
			if len(args) > 0 {
				var err error
				if index, err = strconv.ParseUint(args[0], 10, 64); err != nil || index == 0 {
					return usagef("anchor %q: want a number from 1", args[0])
				}
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				reply, err := tangledv1.NewProofsServiceClient(conn).GetAnchor(ctx, &tangledv1.GetAnchorRequest{Index: index})
				if err != nil {
					return err
				}
				return showAnchor(newAnchor(reply.GetAnchor()), cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
}

func newAnchorsFollowCommand(client *clientFlags) *cobra.Command {
	var from uint64
	var limit int
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Print anchors as they come",
		Long: `follow prints the anchors from --from on, or those that come from now on, until it is
interrupted or has printed --limit of them. --timeout does not apply.`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStreamLimit(limit); err != nil {
				return err
			}
			p := anchorPrinter{out: cmd.OutOrStdout(), json: wantsJSON(cmd)}
			return client.follow(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return followAnchors(ctx, conn, from, limit, &p)
			})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "the first to print; the next to come by default")
	cmd.Flags().IntVar(&limit, "limit", 0, "end after so many; 0 is never")
	return cmd
}

func followAnchors(ctx context.Context, conn *grpc.ClientConn, from uint64, limit int, p *anchorPrinter) error {
	stream, err := tangledv1.NewProofsServiceClient(conn).FollowAnchors(ctx, &tangledv1.FollowAnchorsRequest{From: from})
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := p.print(r.GetAnchor()); err != nil || n == limit {
			return err
		}
	}
}

// anchor is an anchor in JSON.
type anchor struct {
	Index      uint64     `json:"index"`
	ID         hexBytes   `json:"id"`
	LedgerTime *time.Time `json:"ledger_time"`
	Count      uint64     `json:"count"`
	Commitment hexBytes   `json:"commitment"`
	Preimage   hexBytes   `json:"preimage"`
	Signed     uint64     `json:"signed,omitempty"` // absent while no signatures are here
}

func newAnchor(a *tangledv1.Anchor) anchor {
	return anchor{
		Index: a.GetIndex(), ID: a.GetId(), LedgerTime: timeOf(a.GetLedgerTimeNs()), Count: a.GetCount(),
		Commitment: a.GetCommitment(), Preimage: a.GetPreimage(), Signed: a.GetSignedIndex(),
	}
}

func (a anchor) signed() string {
	if a.Signed == 0 {
		return "-"
	}
	return strconv.FormatUint(a.Signed, 10)
}

func showAnchor(a anchor, out io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(out, a)
	}
	t := newTable(out)
	t.row("anchor", strconv.FormatUint(a.Index, 10))
	t.row("ID", a.ID.String())
	t.row("ledger time", timeText(a.LedgerTime))
	t.row("messages", strconv.FormatUint(a.Count, 10))
	t.row("commitment", a.Commitment.String())
	t.row("signed at", a.signed())
	return t.flush()
}

// anchorPrinter prints anchors, a line each.
type anchorPrinter struct {
	out    io.Writer
	json   bool
	headed bool
}

func (p *anchorPrinter) print(from *tangledv1.Anchor) error {
	a := newAnchor(from)
	if p.json {
		return writeJSON(p.out, a)
	}
	if !p.headed {
		p.headed = true
		if err := p.line("ANCHOR", "LEDGER TIME", "MESSAGES", "SIGNED", "COMMITMENT"); err != nil {
			return err
		}
	}
	return p.line(strconv.FormatUint(a.Index, 10), timeText(a.LedgerTime),
		strconv.FormatUint(a.Count, 10), a.signed(), a.Commitment.String())
}

func (p *anchorPrinter) line(index, at, count, signed, commitment string) error {
	_, err := fmt.Fprintf(p.out, "%-8s  %-24s  %-8s  %-8s  %s\n", index, at, count, signed, commitment)
	return err
}
