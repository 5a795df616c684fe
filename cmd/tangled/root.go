package main

import (
	"github.com/spf13/cobra"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tangled",
		Short: "A node of a private city Tangle",
		Long: `tangled runs a node of a private city Tangle: a ledger of messages that approve
each other. Sensors speak MQTT to a node, nodes gossip with each other, and
anyone on the machine reads over gRPC or with the commands below.

` + exitHelp,
		Example: `  tangled init --network florence --nodes 3 --dir net
  tangled run --config net/node1/tangled.toml
  tangled submit --config net/node1/tangled.toml --topic air/1/pm10 21.5
  tangled query --config net/node2/tangled.toml --topic 'air/#'
  tangled proof get --config net/node1/tangled.toml --wait ID > p.json
  tangled proof verify p.json --genesis net/genesis.toml`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		// Without a run of its own cobra would take an unknown command for an
		// argument and print help.
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Bool("json", false, "print JSON, one object a line")
	root.AddCommand(
		newInitCommand(),
		newRunCommand(),
		newDemoCommand(),
		newSubmitCommand(),
		newGetCommand(),
		newQueryCommand(),
		newTailCommand(),
		newFollowCommand(),
		newAnchorsCommand(),
		newProofCommand(),
		newKeyCommand(),
		newBalanceCommand(),
		newTransferCommand(),
		newStatusCommand(),
		newPeersCommand(),
		newSnapshotCommand(),
		newPruneCommand(),
		newAuditCommand(),
		newDBCommand(),
		newBenchCommand(),
		newVersionCommand(),
	)
	return root
}

func wantsJSON(cmd *cobra.Command) bool {
	on, err := cmd.Flags().GetBool("json")
	return err == nil && on
}

// noFiles is for flags and arguments whose values a shell cannot guess.
func noFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}
