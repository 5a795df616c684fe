package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/prometheus/client_golang/prometheus"

	"tangled/bench/countfs"
	"tangled/internal/localnet"
	"tangled/node"
)

const (
	// askEvery is how often the nodes are asked whether they have come as far as
	// they are waited for.
	askEvery = 50 * time.Millisecond
	// meetPatience bounds the wait for neighbours.
	meetPatience = 30 * time.Second
	// settlePatience is how long nothing may become final before what is not is
	// given up.
	settlePatience = 30 * time.Second
)

// rig is a running network with its meters.
type rig struct {
	opts       Options
	network    *localnet.Network
	disk       countfs.FS
	traffic    *traffic
	registries []*prometheus.Registry
	anchors    []*anchorTimes // of each node
	at, loads  int            // which load of how many this is

	watching sync.WaitGroup
	stop     context.CancelFunc
}

// openRig starts the network and waits until neighbours have met.
func openRig(ctx context.Context, o Options) (*rig, error) {
	r := &rig{opts: o, disk: countfs.New(vfs.Default), traffic: new(traffic), stop: func() {}}
	var err error
	r.network, err = localnet.Start(ctx, localnet.Options{
		Name: "bench", Middle: o.Nodes, Seats: o.Seats, Dir: o.Dir, DataBits: o.PowBits,
		Edges: o.Via != Direct, Logger: o.Logger, FS: r.disk,
		Transports: []libp2p.Option{
			libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
			libp2p.BandwidthReporter(r.traffic),
		},
		Registerer: func(string) prometheus.Registerer {
			registry := prometheus.NewRegistry()
			r.registries = append(r.registries, registry)
			return registry
		},
	})
	if err != nil {
		return nil, fmt.Errorf("start the network: %w", err)
	}
	if err := r.meet(ctx); err != nil {
		return nil, errors.Join(err, r.network.Close(ctx))
	}
	watch, stop := context.WithCancel(ctx)
	r.stop = stop
	for _, m := range r.network.Members {
		times := newAnchorTimes(m.Node.LastAnchor())
		r.anchors = append(r.anchors, times)
		r.watching.Go(func() { times.watch(watch, m.Node) })
	}
	return r, nil
}

func (r *rig) close(ctx context.Context) error {
	r.stop()
	r.watching.Wait()
	return r.network.Close(ctx)
}

// seats is how many there are.
func (r *rig) seats() int { return len(r.network.Genesis.Committee) }

// meet waits until every node has all its neighbours.
func (r *rig) meet(ctx context.Context) error {
	wanted := make([]int, len(r.network.Members))
	for _, e := range localnet.Edges(len(wanted)) {
		wanted[e[0]]++
		wanted[e[1]]++
	}
	limited, cancel := context.WithTimeout(ctx, meetPatience)
	defer cancel()
	for limited.Err() == nil {
		infos, err := r.infos(limited)
		if err != nil {
			return err
		}
		met := true
		for i, info := range infos {
			met = met && info.Peers >= wanted[i]
		}
		if met {
			return nil
		}
		pause(limited, askEvery)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the nodes have not met within %v", meetPatience)
}

func (r *rig) infos(ctx context.Context) ([]node.Info, error) {
	infos := make([]node.Info, len(r.network.Members))
	for i, m := range r.network.Members {
		var err error
		if infos[i], err = m.Node.Info(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return infos, nil
}

// counts is what all nodes have counted.
func (r *rig) counts() (counts, error) {
	c := make(counts)
	for _, registry := range r.registries {
		if err := c.gather(registry); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sizeOnDisk is what the data of all nodes takes, in bytes.
func (r *rig) sizeOnDisk() (uint64, error) {
	var size uint64
	for _, m := range r.network.Members {
		n, err := sizeOf(filepath.Join(r.opts.Dir, m.Name))
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}
