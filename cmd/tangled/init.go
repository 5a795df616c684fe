package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tangled/genesis"
)

// defaultBasePort is below the range that Linux takes outgoing ports from.
const defaultBasePort = 7700

func newInitCommand() *cobra.Command {
	var p plan
	var dir string
	var balances []string
	cmd := &cobra.Command{
		Use:   "init --network NAME --nodes N --dir DIR",
		Short: "Make a new network: genesis, keys and one folder per node",
		Long: `init makes a network that can be started at once: genesis.toml, swarm.key, and
for each node a folder with its key and its tangled.toml, in which every node has
ports of its own and its neighbours. Node i of base port B gossips on B+10(i-1),
takes MQTT on the port after that and gRPC on the next. Up to five nodes are all
neighbours; more form a ring with chords, four neighbours each.

The first --seats nodes are the committee, with equal weight: they decide what is
final, as long as more than two thirds of them agree. Four seats are the fewest
that bear a faulty one. --balance gives an address tokens, for ever: there never
will be more. --supply makes a key for them, treasury.key in the directory: whoever
has that file can spend them. Without either nobody owns anything.

The files refer to each other by relative paths: the directory can be moved, and a
node's folder can go to another machine together with genesis.toml and swarm.key
in the folder above. MQTT and gRPC listen on 127.0.0.1 whatever --host is: they
ask nobody for credentials.

A directory that is not empty is refused. The directory appears whole or not at
all, also where init is killed: then init can be run again, and names what to
remove. What is allowed and yet seldom meant is told on standard error.`,
		Example: `  tangled init --network florence --nodes 3 --dir net
  tangled init --network pisa --nodes 12 --permanodes 2 --seats 7 --host 10.0.0.5 --dir pisa
  tangled init --network siena --nodes 4 --supply 1000000 --dir siena`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("permanodes") {
				p.Permanodes = min(p.Permanodes, p.Nodes)
			}
			if !cmd.Flags().Changed("seats") {
				p.Seats = min(p.Nodes, defaultSeats)
			}
			var err error
			if p.Balances, err = allotmentFlags("balance", balances); err != nil {
				return err
			}
			p.Start = time.Now()
			return runInit(p, dir, cmd.OutOrStdout(), cmd.ErrOrStderr(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Network, "network", "", "name: lower-case letters, digits and '-'")
	f.IntVar(&p.Nodes, "nodes", 3, "how many nodes")
	f.StringVar(&dir, "dir", "", "directory to make")
	f.IntVar(&p.Permanodes, "permanodes", 1, "how many of them keep the full history, the last ones")
	f.IntVar(&p.Seats, "seats", defaultSeats, "how many of them are the committee, the first ones; never more than nodes")
	f.StringArrayVar(&balances, "balance", nil, "ADDRESS=AMOUNT that it owns from the start; may be repeated")
	f.Uint64Var(&p.Supply, "supply", 0, "amount that a key made for it owns from the start")
	f.IntVar(&p.Bits, "bits", genesis.DefaultDataBits, "work of a data message, in leading zero bits")
	f.IntVar(&p.TransferBits, "transfer-bits", genesis.DefaultTransferBits, "and of a transfer")
	f.IntVar(&p.WitnessBits, "witness-bits", genesis.DefaultWitnessBits, "and of a witness")
	f.IntVar(&p.MaxIncluded, "max-included", genesis.DefaultMaxIncluded, "how many messages become final in one step at most")
	f.DurationVar(&p.Window, "window", genesis.DefaultWindow, "how far back the live part of the DAG reaches")
	f.StringVar(&p.Host, "host", "127.0.0.1", "IP address that the nodes gossip on")
	f.IntVar(&p.BasePort, "base-port", defaultBasePort, "first port of the first node")
	return cmd
}

func runInit(p plan, dir string, out, hints io.Writer, asJSON bool) error {
	switch {
	case p.Network == "":
		return usagef("--network is missing")
	case dir == "":
		return usagef("--dir is missing")
	}
	if err := p.validate(); err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	n, err := p.build()
	if err != nil {
		return err
	}
	if err := n.write(dir); err != nil {
		return err
	}
	for _, w := range n.genesis.Warnings() {
		fmt.Fprintln(hints, "warning:", w)
	}
	others, err := unfinished(dir)
	if err != nil {
		return err
	}
	for _, path := range others {
		fmt.Fprintf(hints, "warning: %s is of an init that did not come to its end: remove it, unless that runs still\n", plain(path))
	}
	report := n.report(dir)
	if asJSON {
		return writeJSON(out, report)
	}
	return report.print(out)
}

// initReport tells what init made.
type initReport struct {
	Network   string       `json:"network"`
	NetworkID hexBytes     `json:"network_id"`
	Dir       string       `json:"dir"`
	Treasury  *initSupply  `json:"treasury,omitempty"`
	Nodes     []initMember `json:"nodes"`
}

type initSupply struct {
	Key     string `json:"key"`
	Address string `json:"address"`
	Amount  uint64 `json:"amount"`
}

type initMember struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	Seat   *int   `json:"seat,omitempty"`
	PeerID string `json:"peer_id"`
	Config string `json:"config"`
	Gossip string `json:"gossip"`
	MQTT   string `json:"mqtt"`
	API    string `json:"api"`
	Peers  int    `json:"peers"`
}

func (n *network) report(dir string) initReport {
	id := n.genesis.Network()
	r := initReport{Network: n.genesis.Name, NetworkID: id[:], Dir: dir}
	if t := n.treasury; t != nil {
		r.Treasury = &initSupply{filepath.Join(dir, treasuryFile), t.address.String(), t.amount}
	}
	for _, m := range n.members {
		c := m.config
		var seat *int
		if m.seat >= 0 {
			seat = &m.seat
		}
		r.Nodes = append(r.Nodes, initMember{
			Name: m.name, Role: string(c.Role), Seat: seat, PeerID: m.id.String(),
			Config: filepath.Join(dir, m.name, configFile),
			Gossip: c.Gossip.Listen[0].String(), MQTT: c.MQTT.Listen, API: c.API.Listen, Peers: len(c.Gossip.Peers),
		})
	}
	return r
}

func (r initReport) print(out io.Writer) error {
	fmt.Fprintf(out, "Made the network %s (%x) in %s.\n\n", r.Network, []byte(r.NetworkID), r.Dir)
	t := newTable(out, "NODE", "ROLE", "GOSSIP", "MQTT", "GRPC", "NEIGHBOURS", "SEAT")
	for _, m := range r.Nodes {
		seat := "-"
		if m.Seat != nil {
			seat = strconv.Itoa(*m.Seat)
		}
		t.row(m.Name, m.Role, m.Gossip, m.MQTT, m.API, strconv.Itoa(m.Peers), seat)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if s := r.Treasury; s != nil {
		fmt.Fprintf(out, `
%s owns the supply of %d, as %s.
Whoever has this file can spend it, and it cannot be made again: keep a copy and
keep it off this machine.
`, s.Key, s.Amount, s.Address)
	}
	first, last := r.Nodes[0], r.Nodes[len(r.Nodes)-1]
	_, err := fmt.Fprintf(out, `
Start each node in a terminal of its own:

  tangled run --config %s

Then put something in and find it again:

  tangled submit --config %s --topic air/1/pm10 21.5
  tangled query --config %s --topic 'air/#'

Back up %s: it is what lets a node into this network.
`, filepath.Join(r.Dir, "node1", configFile), first.Config, last.Config, filepath.Join(r.Dir, swarmKeyFile))
	return err
}
