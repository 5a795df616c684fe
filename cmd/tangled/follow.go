package main

import (
	"context"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newFollowCommand() *cobra.Command {
	var client clientFlags
	var from, topic, issuer string
	var kinds []string
	var limit int
	var cursors bool
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Print final messages in the order of the network",
		Long: `follow prints final messages in the one order that all nodes agree on: first the
history, then what becomes final, without a gap and without a repeat, until it is
interrupted or has printed --limit messages. --timeout does not apply.

Each line begins with its cursor. Give the last one to --cursor, on this node or on
any other of the network, to go on behind it. Where few messages are selected the
cursor moves on without them; --cursors prints these too, on lines of their own.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled follow --config net/node1/tangled.toml --topic 'air/#'
  tangled follow --api 127.0.0.1:7722 --cursor 12:4 --json | jq -r '.cursor, .content'`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			after, err := parseCursor(from)
			if err != nil {
				return usagef("--cursor: %w", err)
			}
			if err := checkFilter(topic); err != nil {
				return err
			}
			key, err := parseIssuer(issuer)
			if err != nil {
				return err
			}
			selected, err := parseKinds(kinds)
			if err != nil {
				return err
			}
			if err := checkStreamLimit(limit); err != nil {
				return err
			}
			p := &readingPrinter{out: cmd.OutOrStdout(), json: wantsJSON(cmd), kinds: len(selected) > 0, cursors: true}
			request := &tangledv1.FollowRequest{After: after.proto(), Topic: topic, Kinds: selected, Issuer: key}
			return client.follow(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return follow(ctx, conn, request, p, limit, cursors)
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&from, "cursor", "", "go on behind this cursor, ANCHOR:INDEX; the beginning by default")
	f.StringVar(&topic, "topic", "", "MQTT topic filter")
	f.StringVar(&issuer, "issuer", "", "only messages that this key signed, 64 hexadecimal digits")
	addKindFlag(cmd, &kinds)
	f.IntVar(&limit, "limit", 0, "end after so many messages; 0 is never")
	f.BoolVar(&cursors, "cursors", false, "print cursors that no message comes with")
	return cmd
}

func follow(ctx context.Context, conn *grpc.ClientConn, request *tangledv1.FollowRequest, p *readingPrinter, limit int, cursors bool) error {
	stream, err := tangledv1.NewHistoryServiceClient(conn).Follow(ctx, request)
	if err != nil {
		return err
	}
	for n := 0; limit == 0 || n < limit; {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		at, m := cursorOf(r.GetCursor()), r.GetMessage()
		if m == nil {
			if cursors {
				err = p.printCursor(at)
			}
		} else {
			n++
			row := newReading(m, 0, "")
			row.setFinal(at, r.GetOutcome())
			err = p.print(row, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
