package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	tangledv1 "tangled/api/proto/tangled/v1"
)

func newStatusCommand() *cobra.Command {
	var client clientFlags
	var gaps bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how a node is doing",
		Long: `status shows a node's identity, what it holds, how far finality has come, the seats
of the committee, its peers and whether it takes data. It ends with exit code 1 when
the node runs but takes no data, or has raised an alarm.

--gaps shows instead which anchors' messages are not here, and why: "never" for what
was before the snapshot that the node began with, "pruned" for what is older than the
retention, "topic" where messages of some topics are kept for a shorter time.
` + clientHelp + "\n" + exitHelp,
		Example: `  tangled status --config net/node1/tangled.toml
  tangled status --api 127.0.0.1:7702 --json | jq .messages
  tangled status --config net/node1/tangled.toml --gaps`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return client.call(cmd.Context(), func(ctx context.Context, conn *grpc.ClientConn) error {
				if gaps {
					return showGaps(ctx, conn, cmd.OutOrStdout(), wantsJSON(cmd))
				}
				return showStatus(ctx, conn, cmd.OutOrStdout(), wantsJSON(cmd))
			})
		},
	}
	client.add(cmd)
	cmd.Flags().BoolVar(&gaps, "gaps", false, "show which anchors' messages are not here")
	return cmd
}

// nodeStatus is the JSON of status.
type nodeStatus struct {
	Healthy    bool         `json:"healthy"`
	Unhealthy  string       `json:"unhealthy,omitempty"`
	Network    string       `json:"network"`
	NetworkID  hexBytes     `json:"network_id"`
	Genesis    hexBytes     `json:"genesis"`
	PeerID     string       `json:"peer_id"`
	Issuer     hexBytes     `json:"issuer"`
	Role       string       `json:"role"`
	Version    string       `json:"version"`
	Addrs      []string     `json:"addrs"`
	Started    *time.Time   `json:"started"`
	Clock      *time.Time   `json:"clock"`
	LedgerTime *time.Time   `json:"ledger_time"`
	Window     string       `json:"window"`
	DataBits   uint32       `json:"data_bits"`
	Messages   uint64       `json:"messages"`
	Vertices   uint64       `json:"vertices"`
	Tips       uint64       `json:"tips"`
	Orphans    uint64       `json:"orphans"`
	Held       uint64       `json:"held"`
	Newest     hexBytes     `json:"newest"`
	Anchor     uint64       `json:"anchor"`
	Commitment hexBytes     `json:"commitment"`
	Waiting    uint64       `json:"waiting"`
	Round      uint64       `json:"round"`
	Seat       *uint32      `json:"seat,omitempty"`
	Silent     bool         `json:"silent"`
	Alarm      string       `json:"alarm,omitempty"`
	Seats      []seatStatus `json:"seats"`
	Kept       keptStatus   `json:"kept"`
	Connected  uint32       `json:"connected"`
	Peers      []peerStatus `json:"peers"`
}

func newNodeStatus(i *tangledv1.InfoResponse, peers []*tangledv1.Peer) nodeStatus {
	s := nodeStatus{
		Healthy: i.GetUnhealthy() == "", Unhealthy: i.GetUnhealthy(),
		Network: i.GetNetwork(), NetworkID: i.GetNetworkId(), Genesis: i.GetGenesis(),
		PeerID: i.GetPeerId(), Issuer: i.GetIssuer(), Role: i.GetRole(), Version: i.GetVersion(), Addrs: i.GetAddrs(),
		Started: timeOf(i.GetStartedNs()), Clock: timeOf(i.GetServerTimeNs()), LedgerTime: timeOf(i.GetLedgerTimeNs()),
		Window: time.Duration(i.GetWindowNs()).String(), DataBits: i.GetDataBits(),
		Messages: i.GetMessages(), Vertices: i.GetVertices(), Tips: i.GetTips(), Orphans: i.GetOrphans(), Held: i.GetHeld(),
		Anchor: i.GetAnchor(), Commitment: i.GetCommitment(), Waiting: i.GetWaiting(), Round: i.GetRound(),
		Seat: i.Seat, Silent: i.GetSilent(), Alarm: i.GetAlarm(), Seats: newSeatStatus(i.GetSeats()),
		Kept: newKeptStatus(i), Newest: i.GetNewest(), Connected: i.GetPeers(), Peers: []peerStatus{},
	}
	for _, p := range peers {
		s.Peers = append(s.Peers, newPeerStatus(p))
	}
	return s
}

func showStatus(ctx context.Context, conn *grpc.ClientConn, out io.Writer, asJSON bool) error {
	client := tangledv1.NewNodeServiceClient(conn)
	info, err := client.Info(ctx, &tangledv1.InfoRequest{})
	if err != nil {
		return err
	}
	list, err := client.ListPeers(ctx, &tangledv1.ListPeersRequest{})
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(out, newNodeStatus(info, list.GetPeers()))
	} else {
		err = printStatus(info, list.GetPeers(), out)
	}
	if err != nil {
		return err
	}
	return trouble(info)
}

// trouble is an error for a node that runs and does not do what it is there for.
func trouble(i *tangledv1.InfoResponse) error {
	if i.GetUnhealthy() != "" {
		return errors.New("the node takes no data: " + plain(i.GetUnhealthy()))
	}
	return alarm(i)
}

// alarm is an error for a node whose ledger is not what the committee signed.
func alarm(i *tangledv1.InfoResponse) error {
	if i.GetAlarm() != "" {
		return errors.New("nothing is final here any more: " + plain(i.GetAlarm()))
	}
	return nil
}

func printStatus(i *tangledv1.InfoResponse, peers []*tangledv1.Peer, out io.Writer) error {
	health := "takes data"
	if i.GetUnhealthy() != "" {
		health = "takes no data: " + i.GetUnhealthy()
	}
	count := func(n uint64) string { return strconv.FormatUint(n, 10) }
	t := newTable(out)
	t.row("health", health)
	t.row("network", fmt.Sprintf("%s (%x)", i.GetNetwork(), i.GetNetworkId()))
	t.row("peer ID", i.GetPeerId())
	t.row("issuer", hexBytes(i.GetIssuer()).String())
	t.row("role", i.GetRole())
	t.row("version", i.GetVersion())
	t.row("up for", ageCell(i.GetServerTimeNs(), i.GetStartedNs()))
	t.row("window", time.Duration(i.GetWindowNs()).String())
	t.row("work", fmt.Sprintf("%d bits", i.GetDataBits()))
	t.row("messages", count(i.GetMessages()))
	t.row("in the live DAG", count(i.GetVertices()))
	t.row("tips", count(i.GetTips()))
	t.row("orphans", count(i.GetOrphans()))
	t.row("held", count(i.GetHeld()))
	t.row("anchor", fmt.Sprintf("%d (%x)", i.GetAnchor(), i.GetCommitment()))
	t.row("ledger time", timeCell(i.GetLedgerTimeNs()))
	printKept(i, t)
	t.row("waiting", fmt.Sprintf("%d to become final", i.GetWaiting()))
	t.row("seat", ownSeat(i))
	if i.GetAlarm() != "" {
		t.row("alarm", i.GetAlarm())
	}
	t.row("newest", hexBytes(i.GetNewest()).String())
	t.row("peers", fmt.Sprintf("%d connected of %d", i.GetPeers(), len(peers)))
	if err := t.flush(); err != nil {
		return err
	}
	if len(i.GetSeats()) > 0 {
		fmt.Fprintln(out)
		if err := printSeats(i, out); err != nil {
			return err
		}
	}
	if len(peers) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	return printPeers(i.GetServerTimeNs(), peers, out)
}
