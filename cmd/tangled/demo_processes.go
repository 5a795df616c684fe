package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"tangled/genesis"
	"tangled/internal/localnet"
	"tangled/node"
)

const (
	// chaosPorts are where the nodes of a demo with --chaos find theirs: a killed
	// node has to come back to its own, so they are below the range that Linux takes
	// outgoing ports from.
	chaosPorts, chaosPortsEnd = 30_000, 32_700
	// chaosConnections are as many as the sensors of all brokers, which may have gone
	// to one.
	chaosConnections = 1 << 15
	// chaosPatience is how long a node may take to end before it is killed.
	chaosPatience = 2 * closeTimeout
	logFile       = "log" // of a demo's node, in its folder
)

// startProcesses makes a network as init does and starts a process for each of its
// nodes.
func startProcesses(ctx context.Context, o demoOptions, dir string) (*city, error) {
	n, err := o.makeNetwork(dir)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	processes := make([]*localnet.Process, len(n.members))
	c := &city{genesis: n.genesis, nodes: make([]*demoNode, len(n.members)), restarts: newDistribution()}
	c.close = func(ctx context.Context) error { return stopAll(ctx, processes) }
	c.trouble = func(ctx context.Context, tell func(string)) error { return c.chaos(ctx, processes, o.chaosEvery, tell) }
	logs := make([]string, len(n.members))
	c.faults = func() (*faults, error) { return faultsIn(logs) }
	errs := make([]error, len(n.members))
	var all sync.WaitGroup
	for i, m := range n.members {
		folder := filepath.Join(dir, m.name)
		logs[i] = filepath.Join(folder, logFile)
		all.Go(func() {
			processes[i], c.nodes[i], errs[i] = startMember(ctx, self, folder, m)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, c.close(ctx))
	}
	return c, nil
}

// makeNetwork writes a network to dir.
func (o *demoOptions) makeNetwork(dir string) (*network, error) {
	nodes := o.middle + o.permanodes
	base, err := freeBase(nodes)
	if err != nil {
		return nil, err
	}
	p := plan{
		Network: cityName, Nodes: nodes, Permanodes: o.permanodes, Seats: min(o.middle, genesis.MaxSeats),
		Window: o.window, Host: "127.0.0.1", BasePort: base, Start: time.Now(),
		Bits: o.bits, TransferBits: genesis.DefaultTransferBits, WitnessBits: genesis.DefaultWitnessBits,
		MaxIncluded: genesis.DefaultMaxIncluded,
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	n, err := p.build()
	if err != nil {
		return nil, err
	}
	for _, m := range n.members {
		o.adjust(m.config)
	}
	return n, n.write(dir)
}

// adjust makes the settings in which a demo differs from what init writes.
func (o *demoOptions) adjust(c *config) {
	c.MQTT.MaxConnections, c.MQTT.MaxConnectionsPerAddress = chaosConnections, chaosConnections
	if c.Role != node.Middle {
		return
	}
	c.Storage.Retention = keepTime(o.retention)
	if every := o.snapshotInterval(); every > 0 {
		c.Storage.SnapshotInterval = interval(every)
	}
}

// freeBase finds a base port for which all ports of so many nodes are free.
func freeBase(nodes int) (int, error) {
	bases := (chaosPortsEnd-chaosPorts)/portsPerNode - nodes + 1
	for range 200 {
		base := chaosPorts + portsPerNode*rand.IntN(bases)
		if portsFree(base, nodes) {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports between %d and %d", nodes*portsPerNode, chaosPorts, chaosPortsEnd)
}

func portsFree(base, nodes int) bool {
	for i := range nodes {
		for which := range lastPort + 1 {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(plan{BasePort: base}.port(i, which)))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}

// startMember starts a node's process and waits until it is ready.
func startMember(ctx context.Context, self, folder string, m member) (*localnet.Process, *demoNode, error) {
	p, err := localnet.StartProcess(ctx, localnet.ProcessOptions{
		Name: m.name, Path: self, Log: filepath.Join(folder, logFile),
		Args: []string{"run", "--json", "--config", filepath.Join(folder, configFile)},
	})
	if err != nil {
		return nil, nil, err
	}
	line, err := p.Ready(ctx)
	if err != nil {
		return p, nil, err
	}
	var ready readiness
	if err := json.Unmarshal(line, &ready); err != nil {
		return p, nil, fmt.Errorf("%s: its first line is %q: %w", m.name, line, err)
	}
	n := &demoNode{name: m.name, role: m.config.Role, api: ready.API, neighbours: len(m.config.Gossip.Peers)}
	if n.role == node.Middle {
		n.mqtt = ready.MQTT
	}
	return p, n, nil
}

// stopAll ends all processes at once; those that never started are nil.
func stopAll(ctx context.Context, processes []*localnet.Process) error {
	ctx, cancel := context.WithTimeout(ctx, chaosPatience)
	defer cancel()
	errs := make([]error, len(processes))
	var all sync.WaitGroup
	for i, p := range processes {
		if p != nil {
			all.Go(func() { errs[i] = p.Stop(ctx) })
		}
	}
	all.Wait()
	return errors.Join(errs...)
}
