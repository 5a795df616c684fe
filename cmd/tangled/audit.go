package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newAuditCommand() *cobra.Command {
	var client clientFlags
	var of string
	cmd := &cobra.Command{
		Use:   "audit --peer ID",
		Short: "Compare a node's history with a peer's",
		Long: `audit has a node compare its history, anchor by anchor and message by message, with
that of a connected peer, as far as both have it. Exit code 0 says that both are equal
and right; 1 that some anchors are not, with their numbers and on whose side; 3 that
the peer is not connected. Interrupting the command ends the work.
` + clientHelp + "\n" + exitHelp,
		Example:           `  tangled audit --config net/node1/tangled.toml --peer 12D3KooW...`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPeerFlag(of); err != nil {
				return err
			}
			var report *tangledv1.AuditReport
			err := client.work(cmd, "audit", func(ctx context.Context, conn *grpc.ClientConn, b *bar) error {
				stream, err := tangledv1.NewUpkeepServiceClient(conn).Audit(ctx, &tangledv1.AuditRequest{PeerId: of})
				return eachStep(stream, err, b, func(step *tangledv1.AuditResponse) { report = step.GetReport() })
			})
			if err != nil {
				return err
			}
			return showAudit(report, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	client.add(cmd)
	addPeerFlag(cmd, &client, &of)
	return cmd
}

// audited is an AuditReport in JSON.
type audited struct {
	Equal    bool         `json:"equal"`
	First    uint64       `json:"first"`
	Last     uint64       `json:"last"`
	Messages uint64       `json:"messages"`
	Differ   []difference `json:"differ"`
	More     bool         `json:"more,omitempty"`
}

type difference struct {
	Anchor uint64 `json:"anchor"`
	Here   string `json:"here,omitempty"`
	There  string `json:"there,omitempty"`
}

// showAudit prints the report; anchors that differ are an error.
func showAudit(r *tangledv1.AuditReport, out io.Writer, asJSON bool) error {
	a := audited{First: r.GetFirst(), Last: r.GetLast(), Messages: r.GetMessages(), More: r.GetMore(), Differ: []difference{}}
	for _, d := range r.GetDiffer() {
		a.Differ = append(a.Differ, difference{d.GetAnchor(), d.GetHere(), d.GetThere()})
	}
	a.Equal = len(a.Differ) == 0
	var err error
	if asJSON {
		err = writeJSON(out, a)
	} else {
		err = a.print(out)
	}
	if err != nil || a.Equal {
		return err
	}
	return errors.New("the history differs at " + a.numbers())
}

// shownDifferences is how many anchors an error names.
const shownDifferences = 20

func (a audited) numbers() string {
	var list []string
	for _, d := range a.Differ[:min(len(a.Differ), shownDifferences)] {
		list = append(list, strconv.FormatUint(d.Anchor, 10))
	}
	text := "anchor "
	if len(a.Differ) > 1 {
		text = "anchors "
	}
	text += strings.Join(list, ", ")
	if a.More || len(a.Differ) > shownDifferences {
		text += " and more"
	}
	return text
}

func (a audited) print(out io.Writer) error {
	if a.Last < a.First || a.Last == 0 {
		_, err := fmt.Fprintln(out, "nothing to compare: there are no anchors that both have")
		return err
	}
	if !a.Equal {
		t := newTable(out, "ANCHOR", "HERE", "THERE")
		for _, d := range a.Differ {
			t.row(strconv.FormatUint(d.Anchor, 10), orRight(d.Here), orRight(d.There))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "compared anchors %d to %d, %d messages: %d differ\n", a.First, a.Last, a.Messages, len(a.Differ))
	return err
}

func orRight(what string) string {
	if what == "" {
		return "right"
	}
	return what
}
