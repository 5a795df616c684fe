package main

import (
	"context"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newTailCommand() *cobra.Command {
	var client clientFlags
	var topic, issuer string
	var limit int
	var kinds []string
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print messages as they reach a node's disk",
		Long: `tail prints what becomes durable on a node from now on, in that order, until it is
interrupted or has printed --limit messages. A reader that falls 16,384 messages
behind is cut off; query has what it missed. --timeout does not apply. What tail
shows is durable here and not yet final: see follow for that.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled tail --config net/node1/tangled.toml --topic 'air/#'
  tangled tail --api 127.0.0.1:7702 --json | jq .content`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFilter(topic); err != nil {
				return err
			}
			key, err := parseIssuer(issuer)
			if err != nil {
				return err
			}
			if err := checkStreamLimit(limit); err != nil {
				return err
			}
			selected, err := parseKinds(kinds)
			if err != nil {
				return err
			}
			p := &readingPrinter{out: cmd.OutOrStdout(), json: wantsJSON(cmd), kinds: len(selected) > 0}
			request := &tangledv1.TailRequest{Topic: topic, Issuer: key, Kinds: selected}
			return client.follow(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return tail(ctx, conn, request, p, limit)
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&topic, "topic", "", "MQTT topic filter")
	f.StringVar(&issuer, "issuer", "", "only messages that this key signed, 64 hexadecimal digits")
	addKindFlag(cmd, &kinds)
	f.IntVar(&limit, "limit", 0, "end after so many messages; 0 is never")
	return cmd
}

func tail(ctx context.Context, conn *grpc.ClientConn, request *tangledv1.TailRequest, p *readingPrinter, limit int) error {
	stream, err := tangledv1.NewHistoryServiceClient(conn).Tail(ctx, request)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		m := r.GetMessage()
		if err := p.print(newReading(m, r.GetDurableNs(), ""), m); err != nil || n == limit {
			return err
		}
	}
}
