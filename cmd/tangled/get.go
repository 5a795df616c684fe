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
		Long: `get shows a stored message by the ID that submit and query print, and whether it is
final: at which place in the order of the network, and with what outcome. Until then
it shows the weight of the committee's seats that stand on it, and its confidence:
the share of this node's tips that do, which is local and can fall again. A message
that the node does not store is exit code 3.
` + clientHelp + "\n" + exitHelp,
		Example:           `  tangled get --api 127.0.0.1:7702 "$(tangled submit --api 127.0.0.1:7702 --topic a 5)"`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseMessageID(args[0])
			if err != nil {
				return err
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return get(ctx, conn, id, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	return cmd
}

func parseMessageID(s string) (message.ID, error) {
	id, err := message.ParseID(s)
	if err != nil {
		return id, usagef("message ID %q: %w", s, err)
	}
	return id, nil
}

// standing is what a node knows about a message beside its content.
type standing struct {
	reading
	Finality    string   `json:"finality"`             // pending, final, stale
	Confidence  *float64 `json:"confidence,omitempty"` // absent when it is not measured
	Exact       bool     `json:"exact,omitempty"`
	Weight      uint64   `json:"weight"` // of the seats that stand on it while it is pending
	TotalWeight uint64   `json:"total_weight"`
	ReplacedBy  hexBytes `json:"replaced_by,omitempty"`
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
	s := newStanding(m, meta)
	if asJSON {
		return writeJSON(out, s)
	}
	return s.print(m, out)
}

func newStanding(m *tangledv1.Message, meta *tangledv1.MetadataResponse) standing {
	s := standing{
		reading:  newReading(m, m.GetSeenNs(), ""),
		Finality: strings.ToLower(strings.TrimPrefix(meta.GetFinality().String(), "FINALITY_")),
		Weight:   meta.GetWeight(), TotalWeight: meta.GetTotalWeight(), ReplacedBy: meta.GetReplacedBy(),
	}
	if f := meta.GetFinal(); f != nil {
		s.setFinal(cursorOf(f), f.GetOutcome())
	}
	if meta.GetMeasured() {
		c := meta.GetConfidence()
		s.Confidence, s.Exact = &c, meta.GetExact()
	}
	return s
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
	t.row("finality", s.finality())
	if len(s.ReplacedBy) > 0 {
		t.row("replaced by", s.ReplacedBy.String())
	}
	if s.Finality != "final" {
		t.row("confidence", s.confidence())
	}
	t.row("kind", s.Kind)
	if d := m.GetData(); d != nil {
		t.row("topic", d.GetTopic())
		t.row("content type", d.GetContentType())
		t.row("event time", timeCell(d.GetEventTimeNs()))
	}
	if s.Transfer != nil {
		s.Transfer.rows(t)
	} else {
		t.row("content", payloadCell(m))
	}
	return t.flush()
}

// finality is where the message became final, or how far it has come.
func (s standing) finality() string {
	switch {
	case s.Cursor != "":
		return fmt.Sprintf("final at %s: %s", s.Cursor, s.Outcome)
	case s.Finality == "pending":
		return fmt.Sprintf("pending: seats of weight %d of %d stand on it", s.Weight, s.TotalWeight)
	}
	return s.Finality
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
