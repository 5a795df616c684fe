package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/genesis"
	"tangled/node"
)

// city is the nodes of a demo, in this process or in processes of their own.
type city struct {
	genesis *genesis.Genesis
	nodes   []*demoNode
	// trouble is what befalls the nodes while the sensors publish, until it is over
	// or ctx ends; tell takes a line for people. It is nil where nothing does.
	trouble func(ctx context.Context, tell func(line string)) error
	kills   atomic.Uint64
	// faults reads what the nodes logged as their own faults.
	faults func() (*faults, error)
	// restarts are the times from a kill until the node was ready again.
	restarts *distribution
	// close ends the nodes in order.
	close func(context.Context) error
}

// demoNode is a node as the demo sees it, wherever it runs: by its addresses and
// over its API, as any client does.
type demoNode struct {
	name       string
	role       node.Role
	mqtt       string // where its sensors publish; empty for none
	api        string
	neighbours int         // how many it has when all are connected
	stopped    atomic.Bool // in order and for good

	conn    *grpc.ClientConn
	info    tangledv1.NodeServiceClient
	history tangledv1.HistoryServiceClient
	proofs  tangledv1.ProofsServiceClient
}

// connect fills in the clients. It does not wait for the node.
func (n *demoNode) connect() error {
	// A killed node is back in a second: the default would look for it seldom.
	again := backoff.DefaultConfig
	again.BaseDelay, again.MaxDelay = 50*time.Millisecond, 500*time.Millisecond
	var err error
	n.conn, err = grpc.NewClient("passthrough:///"+n.api,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: time.Second}))
	if err != nil {
		return err
	}
	n.info = tangledv1.NewNodeServiceClient(n.conn)
	n.history = tangledv1.NewHistoryServiceClient(n.conn)
	n.proofs = tangledv1.NewProofsServiceClient(n.conn)
	return nil
}

// statusPatience is how long a node may take to tell how it is. One that is
// starting does not answer at all.
const statusPatience = time.Second

func (n *demoNode) status(ctx context.Context) (*tangledv1.InfoResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	return n.info.Info(ctx, &tangledv1.InfoRequest{})
}

const (
	// nodePatience bounds how long a node may take to do what it is waited for.
	nodePatience = time.Minute
	askAgain     = 20 * time.Millisecond
)

// await waits until a node answers and its answer is as wanted.
func (n *demoNode) await(ctx context.Context, what string, wanted func(*tangledv1.InfoResponse) bool) error {
	limited, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	last := errors.New("it never answered")
	for {
		info, err := n.status(limited)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case limited.Err() != nil:
			return fmt.Errorf("%s %s within %v: %w", n.name, what, nodePatience, last)
		case err != nil:
			last = err
		case wanted(info):
			return nil
		default:
			last = fmt.Errorf("it is at anchor %d with %d neighbours", info.GetAnchor(), info.GetPeers())
		}
		pause(limited, askAgain)
	}
}

// startCity starts the nodes that the options want, with their data in dir.
func startCity(ctx context.Context, o demoOptions, dir string) (*city, error) {
	start := startLocal
	if o.chaos {
		start = startProcesses
	}
	c, err := start(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if err := n.connect(); err != nil {
			return nil, errors.Join(err, c.Close(ctx))
		}
	}
	return c, nil
}

// Close ends the clients, then the nodes.
func (c *city) Close(ctx context.Context) error {
	var errs []error
	for _, n := range c.nodes {
		if n.conn != nil {
			errs = append(errs, n.conn.Close())
		}
	}
	return errors.Join(append(errs, c.close(ctx))...)
}

// brokers are the addresses that sensors publish to.
func (c *city) brokers() []string {
	var addrs []string
	for _, n := range c.nodes {
		if n.mqtt != "" {
			addrs = append(addrs, n.mqtt)
		}
	}
	return addrs
}

// permanode is the node whose history is checked.
func (c *city) permanode() *demoNode {
	for _, n := range c.nodes {
		if n.role == node.Permanode {
			return n
		}
	}
	return nil
}

// running are the nodes that were not stopped for good.
func (c *city) running() []*demoNode {
	var nodes []*demoNode
	for _, n := range c.nodes {
		if !n.stopped.Load() {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// meet returns when every node has met its neighbours, or when Ctrl-C was pressed
// meanwhile.
func (c *city) meet(ctx context.Context) error {
	for _, n := range c.nodes {
		err := n.await(ctx, "has not met its neighbours", func(i *tangledv1.InfoResponse) bool {
			return int(i.GetPeers()) >= n.neighbours
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
