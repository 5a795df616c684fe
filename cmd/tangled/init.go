package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tangled/genesis"
)

// defaultBasePort is below the range that Linux takes outgoing ports from.
const defaultBasePort = 7700

func newInitCommand() *cobra.Command {
	var p plan
	var dir string
	cmd := &cobra.Command{
		Use:   "init --network NAME --nodes N --dir DIR",
		Short: "Make a new network: genesis, keys and one folder per node",
		Long: `init makes a network that can be started at once: genesis.toml, swarm.key, and
for each node a folder with its key and its tangled.toml, in which every node has
ports of its own and its neighbours. Node i of base port B gossips on B+10(i-1),
takes MQTT on the port after that and gRPC on the next. Up to five nodes are all
neighbours; more form a ring with chords, four neighbours each.

The files refer to each other by relative paths: the directory can be moved, and a
node's folder can go to another machine together with genesis.toml and swarm.key
in the folder above. MQTT and gRPC listen on 127.0.0.1 whatever --host is: they
ask nobody for credentials.

A directory that is not empty is refused. The directory appears whole or not at
all.`,
		Example: `  tangled init --network florence --nodes 3 --dir net
  tangled init --network pisa --nodes 12 --permanodes 2 --host 10.0.0.5 --dir pisa`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("permanodes") {
				p.Permanodes = min(p.Permanodes, p.Nodes)
			}
			p.Start = time.Now()
			return runInit(p, dir, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Network, "network", "", "name: lower-case letters, digits and '-'")
	f.IntVar(&p.Nodes, "nodes", 3, "how many nodes")
	f.StringVar(&dir, "dir", "", "directory to make")
	f.IntVar(&p.Permanodes, "permanodes", 1, "how many of them keep the full history, the last ones")
	f.IntVar(&p.Bits, "bits", genesis.DefaultDataBits, "work of a data message, in leading zero bits")
	f.DurationVar(&p.Window, "window", genesis.DefaultWindow, "how far back the live part of the DAG reaches")
	f.StringVar(&p.Host, "host", "127.0.0.1", "IP address that the nodes gossip on")
	f.IntVar(&p.BasePort, "base-port", defaultBasePort, "first port of the first node")
	return cmd
}

func runInit(p plan, dir string, out io.Writer, asJSON bool) error {
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
	Nodes     []initMember `json:"nodes"`
}

type initMember struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
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
	for _, m := range n.members {
		c := m.config
		r.Nodes = append(r.Nodes, initMember{
			Name: m.name, Role: string(c.Role), PeerID: m.id.String(),
			Config: filepath.Join(dir, m.name, configFile),
			Gossip: c.Gossip.Listen[0].String(), MQTT: c.MQTT.Listen, API: c.API.Listen, Peers: len(c.Gossip.Peers),
		})
	}
	return r
}

func (r initReport) print(out io.Writer) error {
	fmt.Fprintf(out, "Made the network %s (%x) in %s.\n\n", r.Network, []byte(r.NetworkID), r.Dir)
	t := newTable(out, "NODE", "ROLE", "GOSSIP", "MQTT", "GRPC", "NEIGHBOURS")
	for _, m := range r.Nodes {
		t.row(m.Name, m.Role, m.Gossip, m.MQTT, m.API, fmt.Sprint(m.Peers))
	}
	if err := t.flush(); err != nil {
		return err
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
