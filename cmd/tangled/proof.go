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
	"tangled/genesis"
	"tangled/message"
	"tangled/proof"
)

func newProofCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proof",
		Short: "Get and verify proofs that a message is in the ledger",
		Long: `A proof is a file that shows anybody who has the network's genesis.toml that a
message is in the ledger, when, and with what outcome. It needs no node and no
network, and holds for ever.

` + exitHelp,
		Example: `  tangled proof get --config net/node1/tangled.toml ID > p.json
  tangled proof verify p.json --genesis net/genesis.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProofGetCommand(), newProofVerifyCommand())
	return cmd
}

func newProofGetCommand() *cobra.Command {
	var client clientFlags
	var wait bool
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Print the proof that a message is in the ledger",
		Long: `get prints the proof of a final message, to be kept byte for byte. A node gives
proofs of what it still holds: a permanode of everything, others of what is younger
than their retention.

Exit code 6 says that the message is not final yet, or that its anchor is not signed
yet, which comes a moment later; --wait waits for it, up to --timeout.
` + clientHelp + "\n" + exitHelp,
		Example:           `  tangled proof get --config net/node1/tangled.toml --wait ID > p.json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseMessageID(args[0])
			if err != nil {
				return err
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return getProof(ctx, conn, id, wait, cmd.OutOrStdout())
			})
		},
	}
	client.add(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until there is one")
	return cmd
}

func getProof(ctx context.Context, conn *grpc.ClientConn, id message.ID, wait bool, out io.Writer) error {
	client := tangledv1.NewProofsServiceClient(conn)
	var text []byte
	err := poll(ctx, func() (done bool, err error) {
		reply, err := client.GetProof(ctx, &tangledv1.GetProofRequest{Id: id[:]})
		if isNotFinal(err) && wait {
			return false, nil
		}
		text = reply.GetProof()
		return true, err
	})
	switch {
	case errors.Is(err, errStillWaiting):
		return &exitError{code: exitNotFinal, err: fmt.Errorf("message %v is still not final", id)}
	case isNotFinal(err):
		return &exitError{code: exitNotFinal, err: fmt.Errorf("message %v is not final yet: try again in a second, or --wait", id)}
	case err != nil:
		return err
	}
	_, err = out.Write(text)
	return err
}

func newProofVerifyCommand() *cobra.Command {
	var genesisPath string
	cmd := &cobra.Command{
		Use:   "verify FILE --genesis FILE",
		Short: "Check a proof without a node and tell what it proves",
		Long: `verify checks every step of a proof against the genesis: the issuer's signature, the
way from the message to a commitment of the ledger, and that seats with more than
two thirds of the weight signed it. It prints what is proven, or ends with exit
code 1 and the reason; 2 says that there was nothing to check. - is standard input.

The genesis says whose signatures count: take it from somebody you trust, not from
whoever hands you the proof.`,
		Example: `  tangled proof verify p.json --genesis net/genesis.toml
  tangled proof get --api 127.0.0.1:7702 ID | tangled proof verify - --genesis net/genesis.toml --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if genesisPath == "" {
				return usagef("--genesis is missing: the file of the network, from somebody you trust")
			}
			text, err := readProof(args[0], cmd.InOrStdin())
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			g, err := readGenesis(genesisPath)
			if err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			return verifyProof(text, g, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	cmd.Flags().StringVar(&genesisPath, "genesis", "", "the network's genesis.toml")
	return cmd
}

// readProof reads no more of what is no proof than it takes to tell.
func readProof(path string, stdin io.Reader) ([]byte, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		stdin = f
	}
	text, err := io.ReadAll(io.LimitReader(stdin, proof.MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

func readGenesis(path string) (*genesis.Genesis, error) {
	text, err := readSmall(path, maxGenesisSize)
	if err != nil {
		return nil, err
	}
	g, err := genesis.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

func verifyProof(text []byte, g *genesis.Genesis, out io.Writer, asJSON bool) error {
	p, err := proof.Decode(text)
	if err != nil {
		return err
	}
	statement, err := p.Verify(g)
	if err != nil {
		return err
	}
	proven, err := newProvenMessage(statement)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(out, proven)
	}
	var content []byte
	if d, err := statement.Message.Data(); err == nil {
		content = d.Content
	}
	return proven.print(content, out)
}
