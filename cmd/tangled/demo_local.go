package main

import (
	"context"
	"time"

	"tangled/internal/localnet"
)

// startLocal starts a city in this process.
func startLocal(ctx context.Context, o demoOptions, dir string) (*city, error) {
	logged := new(faults)
	network, err := localnet.Start(ctx, localnet.Options{
		Name: cityName, Middle: o.middle, Permanodes: o.permanodes, Window: o.window, Retention: o.retention,
		SnapshotInterval: o.snapshotInterval(), Dir: dir, DataBits: o.bits, Edges: true,
		Logger: logged.logger(),
	})
	if err != nil {
		return nil, err
	}
	c := &city{genesis: network.Genesis, close: network.Close, restarts: newDistribution()}
	c.faults = func() (*faults, error) { return logged, nil }
	for _, m := range network.Members {
		n := &demoNode{name: m.Name, role: m.Role, api: m.API.Addr().String()}
		if m.MQTT != nil {
			n.mqtt = m.MQTT.Addr().String()
		}
		c.nodes = append(c.nodes, n)
	}
	for _, e := range localnet.Edges(len(c.nodes)) {
		c.nodes[e[0]].neighbours++
		c.nodes[e[1]].neighbours++
	}
	if o.killSeat > 0 {
		last := lastSeat(network)
		c.trouble = func(ctx context.Context, tell func(string)) error {
			if pause(ctx, o.killSeat); ctx.Err() != nil {
				return nil
			}
			c.nodes[last].stopped.Store(true)
			return stopInOrder(ctx, network.Members[last])
		}
	}
	return c, nil
}

// snapshotInterval is how often a node writes a snapshot: nothing is deleted but
// behind those it keeps. Zero is never.
func (o *demoOptions) snapshotInterval() time.Duration {
	return min(o.retention/4, time.Hour)
}
