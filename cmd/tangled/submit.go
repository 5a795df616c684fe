package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/message"
)

func newSubmitCommand() *cobra.Command {
	var client clientFlags
	var topic, contentType, eventTime, file, wait string
	cmd := &cobra.Command{
		Use:   "submit --topic TOPIC [TEXT | --file FILE]",
		Short: "Put a reading into the ledger",
		Long: `submit makes a message of a reading and prints its ID once the message is on the
node's disk and queued for gossip. The content is TEXT, or the bytes of a file;
--file - reads standard input.

--wait final waits until the network has decided, a second or two where all goes
well. Exit code 6 says that --timeout came first: the ID is printed all the same, the
reading is durable and may become final later.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled submit --api 127.0.0.1:7702 --topic air/1/pm10 21.5
  tangled submit --config net/node1/tangled.toml --topic cam/3/jpeg --content-type image/jpeg --file shot.jpg
  tangled submit --config net/node1/tangled.toml --topic door/7 --wait final open
  date | tangled submit --topic clock --event-time 5s --file -`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &tangledv1.Data{Topic: topic, ContentType: contentType}
			if err := message.ValidateTopic(topic); err != nil {
				return usagef("--topic: %w", err)
			}
			if err := checkWait(wait); err != nil {
				return err
			}
			if eventTime != "" {
				ns, err := timeFlag("event-time", eventTime)
				if err != nil {
					return err
				}
				d.EventTimeNs = &ns
			}
			var err error
			if d.Content, err = readContent(args, file, cmd.InOrStdin()); err != nil {
				return err
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return submit(ctx, conn, d, wait == waitFinal, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	f := cmd.Flags()
	f.StringVar(&topic, "topic", "", "what the reading is filed under")
	f.StringVar(&contentType, "content-type", "", "media type of the content, such as text/plain")
	f.StringVar(&eventTime, "event-time", "", "when the reading was taken: RFC 3339, or how long ago")
	addWaitFlag(cmd, &wait)
	f.StringVar(&file, "file", "", "read the content from a file; - is standard input")
	return cmd
}

// submitted is the JSON of submit. Cursor and Outcome are there once it is final.
type submitted struct {
	ID      hexBytes `json:"id"`
	Topic   string   `json:"topic"`
	Cursor  string   `json:"cursor,omitempty"`
	Outcome string   `json:"outcome,omitempty"`
}

func submit(ctx context.Context, conn *grpc.ClientConn, d *tangledv1.Data, final bool, out io.Writer, asJSON bool) error {
	reply, err := tangledv1.NewMessagesServiceClient(conn).Submit(ctx, &tangledv1.SubmitRequest{Data: d})
	if err != nil {
		return err
	}
	s := submitted{ID: reply.GetReceipt().GetId(), Topic: d.GetTopic()}
	var waitErr error
	if final {
		var at *tangledv1.Final
		s.ID, at, waitErr = awaitFinal(ctx, conn, s.ID)
		if at != nil {
			s.Cursor, s.Outcome = cursorOf(at).String(), outcomeName(at.GetOutcome())
		}
	}
	if asJSON {
		err = writeJSON(out, s)
	} else {
		_, err = fmt.Fprintln(out, s.ID)
	}
	return errors.Join(err, waitErr)
}

// readContent takes the content from where the arguments say.
func readContent(args []string, file string, stdin io.Reader) ([]byte, error) {
	switch {
	case len(args) > 0 && file != "":
		return nil, usagef("TEXT and --file are two contents: give one")
	case len(args) > 0:
		return []byte(args[0]), nil
	case file == "":
		return nil, usagef("no content: give TEXT, or --file FILE, or --file - for standard input")
	case file == "-":
		return readBounded(stdin, "standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, file)
}

// readBounded reads what may fit a message, so that a large file is refused
// before all of it is in memory.
func readBounded(r io.Reader, name string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, message.MaxPayloadSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(content) > message.MaxPayloadSize {
		return nil, fmt.Errorf("%s is longer than a message holds, %d bytes", name, message.MaxPayloadSize)
	}
	return content, nil
}
