package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

// queryFlags select stored messages.
type queryFlags struct {
	topic, issuer, from, to string
	kinds                   []string
	desc, final             bool
	limit                   uint32
	pageToken               string
}

func newQueryCommand() *cobra.Command {
	var client clientFlags
	var q queryFlags
	cmd := &cobra.Command{
		Use:   "query",
		Short: "Read stored messages",
		Long: `query prints the messages that a node stores, by the time of their issuers, the
oldest first. --topic takes MQTT wildcards: + for one level, # at the end for all
below. Times are RFC 3339 or how long ago: --from 10m. Transfers and the witnesses
of the committee are shown where --kind asks for them.

An answer ends at --limit messages; the last line on standard error then says how
to go on. With --json each object carries the page_token to go on behind it.
Content that is not printable text is base64.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled query --config net/node2/tangled.toml --topic 'air/+/pm10' --from 10m
  tangled query --api 127.0.0.1:7702 --desc --limit 5 --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			request, err := q.request()
			if err != nil {
				return err
			}
			p := &readingPrinter{out: cmd.OutOrStdout(), json: wantsJSON(cmd), kinds: len(q.kinds) > 0, cursors: q.final}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return query(ctx, conn, request, p, cmd.ErrOrStderr())
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&q.topic, "topic", "", "MQTT topic filter")
	f.StringVar(&q.issuer, "issuer", "", "only messages that this key signed, 64 hexadecimal digits")
	f.StringVar(&q.from, "from", "", "not before this time")
	f.StringVar(&q.to, "to", "", "before this time")
	addKindFlag(cmd, &q.kinds)
	f.BoolVar(&q.final, "final", false, "show where each message became final")
	f.BoolVar(&q.desc, "desc", false, "newest first")
	f.Uint32Var(&q.limit, "limit", 1000, "at most so many messages, 1..100000")
	f.StringVar(&q.pageToken, "page-token", "", "go on behind the message that had this token")
	return cmd
}

func (q *queryFlags) request() (*tangledv1.QueryRequest, error) {
	if q.limit < 1 || q.limit > 100_000 {
		return nil, usagef("--limit %d: want 1..100000", q.limit)
	}
	if err := checkFilter(q.topic); err != nil {
		return nil, err
	}
	issuer, err := parseIssuer(q.issuer)
	if err != nil {
		return nil, err
	}
	from, err := timeFlag("from", q.from)
	if err != nil {
		return nil, err
	}
	to, err := timeFlag("to", q.to)
	if err != nil {
		return nil, err
	}
	kinds, err := parseKinds(q.kinds)
	if err != nil {
		return nil, err
	}
	return &tangledv1.QueryRequest{
		Topic: q.topic, Issuer: issuer, FromNs: from, ToNs: to,
		Descending: q.desc, Limit: q.limit, PageToken: q.pageToken,
		Kinds: kinds, WithFinal: q.final,
	}, nil
}

func query(ctx context.Context, conn *grpc.ClientConn, q *tangledv1.QueryRequest, p *readingPrinter, hints io.Writer) error {
	stream, err := tangledv1.NewHistoryServiceClient(conn).Query(ctx, q)
	if err != nil {
		return err
	}
	var count uint32
	var token string
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		count, token = count+1, r.GetPageToken()
		m := r.GetMessage()
		if err := p.print(newReading(m, m.GetSeenNs(), token), m); err != nil {
			return err
		}
	}
	if count == q.GetLimit() && !p.json {
		fmt.Fprintln(hints, "There may be more: --page-token", token)
	}
	return nil
}

// checkFilter refuses what is not a topic filter; empty selects everything.
func checkFilter(s string) error {
	if s == "" {
		return nil
	}
	if _, err := message.ParseFilter(s); err != nil {
		return usagef("--topic: %w", err)
	}
	return nil
}

func parseIssuer(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(message.Issuer{}) {
		return nil, usagef("--issuer %q: want %d hexadecimal digits", s, 2*len(message.Issuer{}))
	}
	return b, nil
}
