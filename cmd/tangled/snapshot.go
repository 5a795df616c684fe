package main

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/snapshot"
)

func newSnapshotCommand() *cobra.Command {
	client := new(clientFlags)
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Make, list, fetch and check snapshots of the ledger",
		Long: `A snapshot is a file from which a node begins at an anchor instead of at the genesis:
the accounts, and what of the history the live part still stands on. Its body has the
same bytes, and so the same digest, on every node, and a quorum's signatures prove it.

create, list and fetch speak to a running node; inspect and verify need none.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled snapshot create --config net/node1/tangled.toml
  tangled snapshot verify snapshot-000000000123.tsnap --genesis net/genesis.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	client.addWith(cmd, 10*time.Minute)
	cmd.AddCommand(
		newSnapshotCreateCommand(client), newSnapshotListCommand(client), newSnapshotFetchCommand(client),
		newSnapshotInspectCommand(client), newSnapshotVerifyCommand(),
	)
	return cmd
}

func newSnapshotCreateCommand(client *clientFlags) *cobra.Command {
	var anchor uint64
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Write a snapshot at an anchor and wait for it",
		Long: `create has the node write a snapshot at the next anchor, or at the one of --anchor,
and prints anchor, digest and path, which is on the node's machine. Nodes that are
asked for the same anchor print the same digest. The state of an anchor that has
passed is gone: then it ends with exit code 1, unless the node wrote that snapshot.
--timeout is how long to wait for the anchor and the file, 10 minutes by default.`,
		Example: `  tangled snapshot create --config net/node1/tangled.toml
  tangled snapshot create --api 127.0.0.1:7702 --anchor 5000 --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				reply, err := tangledv1.NewUpkeepServiceClient(conn).CreateSnapshot(ctx, &tangledv1.CreateSnapshotRequest{Anchor: anchor})
				if err != nil {
					return err
				}
				return newSnapshotFile(reply.GetSnapshot()).show(cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	cmd.Flags().Uint64Var(&anchor, "anchor", 0, "anchor to wait for; 0 is the next one")
	return cmd
}

func newSnapshotListCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Short:             "List the snapshots that a node keeps, the oldest first",
		Example:           `  tangled snapshot list --config net/node1/tangled.toml`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				reply, err := tangledv1.NewUpkeepServiceClient(conn).ListSnapshots(ctx, &tangledv1.ListSnapshotsRequest{})
				if err != nil {
					return err
				}
				return listSnapshots(reply.GetSnapshots(), cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
}

func listSnapshots(list []*tangledv1.Snapshot, out io.Writer, asJSON bool) error {
	t := newTable(out, "ANCHOR", "BYTES", "PATH")
	for _, s := range list {
		if asJSON {
			if err := writeJSON(out, newSnapshotFile(s)); err != nil {
				return err
			}
			continue
		}
		t.row(strconv.FormatUint(s.GetAnchor(), 10), strconv.FormatUint(s.GetSize(), 10), s.GetPath())
	}
	if asJSON {
		return nil
	}
	return t.flush()
}

func newSnapshotFetchCommand(client *clientFlags) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "fetch --peer ID",
		Short: "Fetch a peer's newest snapshot and verify it",
		Long: `fetch has the node take the newest snapshot of a connected peer, verify every byte of
it against the genesis and keep it beside its own. The node's ledger stays as it is.
Interrupting the command ends the work.`,
		Example:           `  tangled snapshot fetch --config net/node1/tangled.toml --peer 12D3KooW...`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkPeerFlag(from); err != nil {
				return err
			}
			var got *tangledv1.Snapshot
			err := client.work(cmd, "fetch", func(ctx context.Context, conn *grpc.ClientConn, b *bar) error {
				stream, err := tangledv1.NewUpkeepServiceClient(conn).FetchSnapshot(ctx, &tangledv1.FetchSnapshotRequest{PeerId: from})
				return eachStep(stream, err, b, func(step *tangledv1.FetchSnapshotResponse) { got = step.GetSnapshot() })
			})
			if err != nil {
				return err
			}
			return newSnapshotFile(got).show(cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	addPeerFlag(cmd, client, &from)
	return cmd
}

func newSnapshotInspectCommand(client *clientFlags) *cobra.Command {
	var genesisPath string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what is in a snapshot file, without a node",
		Long: `inspect reads the whole file, verifies it as verify does, and prints its figures and
the digest of its body. The genesis is that of --genesis, else the one that the
--config file or $TANGLED_CONFIG names. - is standard input.`,
		Example:           `  tangled snapshot inspect snapshot-000000000123.tsnap --genesis net/genesis.toml`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: snapshotFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := client.genesis(genesisPath)
			if err != nil {
				return err
			}
			info, err := readSnapshot(cmd, args[0], snapshot.ReadOptions{Genesis: g})
			if err != nil {
				return err
			}
			return newSnapshotContent(info).show(cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	cmd.Flags().StringVar(&genesisPath, "genesis", "", "the network's genesis.toml")
	return cmd
}

func newSnapshotVerifyCommand() *cobra.Command {
	var genesisPath, trust string
	cmd := &cobra.Command{
		Use:   "verify FILE --genesis FILE",
		Short: "Check a snapshot file without a node",
		Long: `verify checks every byte of a snapshot against the genesis: that a quorum of the
committee signed its commitment, that the commitments follow one another and their
lists are whole, and that the accounts are those of that anchor. Exit code 0 says that
all of it holds, 1 that something does not, and what; 2 that there was nothing to
check. - is standard input.

The genesis says whose signatures count: take it from somebody you trust. --trust is
your own word on one commitment, in place of a quorum's: J:HASH, as anchors show
prints them on a node you trust.`,
		Example: `  tangled snapshot verify snapshot-000000000123.tsnap --genesis net/genesis.toml
  tangled snapshot verify s.tsnap --genesis net/genesis.toml --trust 123:7bd6840e...`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: snapshotFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if genesisPath == "" {
				return usagef("--genesis is missing: the file of the network, from somebody you trust")
			}
			word, err := parseTrusted(trust)
			if err != nil {
				return usagef("--trust %w", err)
			}
			options := snapshot.ReadOptions{Trust: word.option()}
			if options.Genesis, err = readGenesis(genesisPath); err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			info, err := readSnapshot(cmd, args[0], options)
			if err != nil {
				return err
			}
			return newSnapshotContent(info).show(cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&genesisPath, "genesis", "", "the network's genesis.toml")
	f.StringVar(&trust, "trust", "", "J:HASH of a commitment that you vouch for")
	return cmd
}
