package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

func newGetCommand() *cobra.Command {
	var client clientFlags
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show one message and how it stands",
		Long: `get shows a stored message by the ID that submit and query print, and its
confidence: the share of this node's tips that stand on it, which is local and can
fall again. A message that the node does not store is exit code 3.
` + clientHelp + "\n" + exitHelp,
		Example:           `  tangled get --api 127.0.0.1:7702 "$(tangled submit --api 127.0.0.1:7702 --topic a 5)"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := message.ParseID(args[0])
			if err != nil {
				return usagef("message ID %q: %w", args[0], err)
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return get(ctx, conn, id, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	return cmd
}

// standing is what a node knows about a message beside its content.
type standing struct {
	reading
	Confidence *float64 `json:"confidence,omitempty"` // absent when it is not measured
	Exact      bool     `json:"exact,omitempty"`
}

func get(ctx context.Context, conn *grpc.ClientConn, id message.ID, out io.Writer, asJSON bool) error {
	client := tangledv1.NewMessagesServiceClient(conn)
	found, err := client.Get(ctx, &tangledv1.GetRequest{Id: id[:]})
	if err != nil {
		return err
	}
	meta, err := client.Metadata(ctx, &tangledv1.MetadataRequest{Id: id[:]})
	if err != nil {
		return err
	}
	m := found.GetMessage()
	s := standing{reading: newReading(m, m.GetSeenNs(), "")}
	if meta.GetMeasured() {
		c := meta.GetConfidence()
		s.Confidence, s.Exact = &c, meta.GetExact()
	}
	if asJSON {
		return writeJSON(out, s)
	}
	return s.print(m, out)
}

func (s standing) print(m *tangledv1.Message, out io.Writer) error {
	parents := make([]string, len(s.Parents))
	for i, p := range s.Parents {
		parents[i] = p.String()
	}
	t := newTable(out)
	t.row("ID", s.ID.String())
	t.row("issuer", s.Issuer.String())
	t.row("time", timeCell(m.GetTimestampNs()))
	t.row("parents", strings.Join(parents, " "))
	t.row("seen here", timeCell(m.GetSeenNs()))
	t.row("confidence", s.confidence())
	if d := m.GetData(); d != nil {
		t.row("topic", d.GetTopic())
		t.row("content type", d.GetContentType())
		t.row("event time", timeCell(d.GetEventTimeNs()))
		t.row("content", contentCell(d.GetContent()))
	}
	return t.flush()
}

func (s standing) confidence() string {
	switch {
	case s.Confidence == nil:
		return "not measured: it is older than the live DAG"
	case !s.Exact && *s.Confidence > 0.99:
		return "above 99 %" // a sample of the tips says no more
	}
	return fmt.Sprintf("%.0f %%", 100**s.Confidence)
}
