package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tangled/bench/parts"
)

func newBenchSyncCommand() *cobra.Command {
	return storedPart[parts.SyncResult]{messages: 1_000_000, run: parts.Sync, show: showSync}.command(&cobra.Command{
		Use:   "sync",
		Short: "Measure how fast an empty node catches up with a history",
		Long: `sync makes a history of signed readings of 256 bytes in a node, which holds the one
seat of its network, until all of them are final. Then it starts an empty permanode
beside it, over TCP on loopback, and measures how long that takes until it shows the
same commitment. Making the history takes a few minutes for a million readings and is
no part of the figure. Both nodes share this process and its cores.

The node that catches up checks encodings, work, lists and Merkle roots, works out
every message ID, commitment, outcome and state hash anew, and verifies the quorum's
signatures over the commitments. It does not verify the signature of each message: a
message's ID covers its signature, and a quorum that took nothing unsigned signed the
commitment that includes the ID.`,
		Example: `  tangled bench sync
  tangled bench sync --messages 100000 --json`,
	})
}

func showSync(out io.Writer, r parts.SyncResult) error {
	t := newTable(out)
	t.row("messages", fmt.Sprintf("%d (%d readings), in %d anchors, %s", r.Messages, r.Readings, r.Anchors, bytesText(r.Bytes)))
	t.row("history made in", secondsText(r.BuildSeconds))
	t.row("caught up in", secondsText(r.Seconds))
	t.row("synced", rateText(r.MessagesPerSecond))
	t.row("verified", strings.Join(r.Verified, ", "))
	t.row("not verified", "signatures of single messages: a quorum signed commitments to their IDs, which cover them")
	t.row("commitment", r.Commitment+", the same on both nodes")
	t.row("cores", fmt.Sprintf("%d, for both nodes", r.Cores))
	return t.flush()
}
