package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newPeersCommand() *cobra.Command {
	client := new(clientFlags)
	cmd := &cobra.Command{
		Use:   "peers",
		Short: "List, add and remove a node's neighbours",
		Long: `peers lists and changes the neighbours of a running node. Changes hold at once and
after a restart, whatever tangled.toml lists.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled peers list --api 127.0.0.1:7702
  tangled peers add --api 127.0.0.1:7702 /ip4/10.0.0.7/tcp/7700/p2p/12D3KooW...
  tangled peers remove --api 127.0.0.1:7702 12D3KooW...`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	client.add(cmd)
	cmd.AddCommand(newPeersListCommand(client), newPeersAddCommand(client), newPeersRemoveCommand(client))
	return cmd
}

func newPeersListCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "list",
		Short:             "List neighbours and whoever else is connected",
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				return listPeers(ctx, conn, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
}

func newPeersAddCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "add ADDR",
		Short: "Make a peer a neighbour",
		Long: `add lets a peer in and dials it, now and after a restart. ADDR is a multiaddress
that ends in the peer's ID. The peer has to list this node too, unless it is open.
The command does not wait for a connection: see peers list.`,
		Example:           `  tangled peers add --api 127.0.0.1:7702 /ip4/10.0.0.7/tcp/7700/p2p/12D3KooW...`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parsePeerAddr(args[0]); err != nil {
				return &exitError{code: exitUsage, err: err}
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				reply, err := tangledv1.NewNodeServiceClient(conn).AddPeer(ctx, &tangledv1.AddPeerRequest{Addr: args[0]})
				if err != nil {
					return err
				}
				return reportPeer(cmd, "added", reply.GetId())
			})
		},
	}
}

func newPeersRemoveCommand(client *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:               "remove ID",
		Short:             "Drop a neighbour and refuse it from now on",
		Example:           `  tangled peers remove --api 127.0.0.1:7702 12D3KooW...`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := peer.Decode(args[0]); err != nil {
				return usagef("peer ID %q: %w", args[0], err)
			}
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				_, err := tangledv1.NewNodeServiceClient(conn).RemovePeer(ctx, &tangledv1.RemovePeerRequest{Id: args[0]})
				if err != nil {
					return err
				}
				return reportPeer(cmd, "removed", args[0])
			})
		},
	}
}

// reportPeer tells what was done to one peer.
func reportPeer(cmd *cobra.Command, done, id string) error {
	if wantsJSON(cmd) {
		return writeJSON(cmd.OutOrStdout(), map[string]string{done: id})
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), done, plain(id))
	return err
}

// peerStatus is a peer in JSON.
type peerStatus struct {
	ID          string     `json:"id"`
	Addrs       []string   `json:"addrs"`
	Neighbour   bool       `json:"neighbour"`
	Connected   bool       `json:"connected"`
	Inbound     bool       `json:"inbound"`
	Since       *time.Time `json:"since,omitempty"`
	Penalty     float64    `json:"penalty"`
	BannedUntil *time.Time `json:"banned_until,omitempty"`
	FramesIn    uint64     `json:"frames_in"`
	FramesOut   uint64     `json:"frames_out"`
	LastError   string     `json:"last_error,omitempty"`
}

func newPeerStatus(p *tangledv1.Peer) peerStatus {
	return peerStatus{
		ID: p.GetId(), Addrs: p.GetAddrs(), Neighbour: p.GetNeighbour(), Connected: p.GetConnected(),
		Inbound: p.GetInbound(), Since: timeOf(p.GetSinceNs()), Penalty: p.GetPenalty(),
		BannedUntil: timeOf(p.GetBannedUntilNs()), FramesIn: p.GetFramesIn(), FramesOut: p.GetFramesOut(),
		LastError: p.GetLastError(),
	}
}

func listPeers(ctx context.Context, conn *grpc.ClientConn, out io.Writer, asJSON bool) error {
	client := tangledv1.NewNodeServiceClient(conn)
	list, err := client.ListPeers(ctx, &tangledv1.ListPeersRequest{})
	if err != nil {
		return err
	}
	if !asJSON {
		return printPeers(uint64(time.Now().UnixNano()), list.GetPeers(), out)
	}
	for _, p := range list.GetPeers() {
		if err := writeJSON(out, newPeerStatus(p)); err != nil {
			return err
		}
	}
	return nil
}

// printPeers prints a table; now is in nanoseconds since the Unix epoch.
func printPeers(now uint64, peers []*tangledv1.Peer, out io.Writer) error {
	t := newTable(out, "PEER", "STATE", "FOR", "IN", "OUT", "PENALTY", "ADDRESSES", "LAST ERROR")
	for _, p := range peers {
		t.row(p.GetId(), peerState(now, p), ageCell(now, p.GetSinceNs()),
			strconv.FormatUint(p.GetFramesIn(), 10), strconv.FormatUint(p.GetFramesOut(), 10),
			strconv.FormatFloat(p.GetPenalty(), 'f', 1, 64), strings.Join(p.GetAddrs(), " "), p.GetLastError())
	}
	return t.flush()
}

func peerState(now uint64, p *tangledv1.Peer) string {
	switch {
	case p.GetBannedUntilNs() > now:
		return "banned"
	case !p.GetConnected():
		return "away"
	case !p.GetNeighbour():
		return "guest"
	}
	return "connected"
}
