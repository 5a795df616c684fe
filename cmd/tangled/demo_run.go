package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/localnet"
	"tangled/node"
)

// demo is a running demo.
type demo struct {
	opts        demoOptions
	net         *localnet.Network
	load        *load
	propagation *propagation
	started     time.Time
	// stopped is the member that --kill-seat has begun to stop. Only who stops it
	// looks at its node and edges any more.
	stopped *localnet.Member
}

// runDemo returns an error if a reading was lost or something did not work.
func runDemo(ctx context.Context, o demoOptions, out io.Writer, asJSON bool) (err error) {
	dir, remove, err := demoDir(o.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	network, err := localnet.Start(ctx, localnet.Options{
		Name: "florence", Middle: o.middle, Permanodes: o.permanodes,
		Dir: dir, DataBits: o.bits, Edges: true,
	})
	if err != nil {
		return fmt.Errorf("start the city: %w", err)
	}
	// After Ctrl-C the city still has to be read back and closed in order.
	tidy := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, network.Close(tidy)) }()
	d := &demo{opts: o, net: network, propagation: newPropagation()}
	var watch sync.WaitGroup
	watchCtx, endWatch := context.WithCancel(tidy)
	defer watch.Wait()
	defer endWatch()
	for _, m := range network.Members {
		if n := m.Node; m.Role == node.Middle || m == d.permanode() {
			watch.Go(func() { d.propagation.follow(watchCtx, n, m == d.permanode()) })
		}
	}
	if d.load, err = newLoad(ctx, o, d.brokers()); err != nil {
		return fmt.Errorf("connect the sensors: %w", err)
	}
	defer d.load.close()
	if err := d.waitForPeers(ctx); err != nil {
		return err
	}
	conn, err := d.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	history := tangledv1.NewHistoryServiceClient(conn)
	final := &finality{load: d.load, done: make(chan struct{})}
	watch.Go(func() { final.follow(watchCtx, history) })
	collectLess()
	screen := newScreen(out, asJSON)
	screen.begin(d)
	stopErr := d.publish(ctx, screen)
	seconds := time.Since(d.started).Seconds()
	screen.settling()
	finalErr := final.wait(tidy)
	screen.auditing()
	found, err := d.audit(tidy, history)
	if err != nil {
		return fmt.Errorf("read the history back: %w", err)
	}
	return errors.Join(screen.end(d.result(found, seconds)), finalErr, stopErr)
}

// dial makes the connection to the permanode by which it is asked as any client
// asks.
func (d *demo) dial() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+d.permanode().API.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// demoGC is the demo's GOGC where the environment sets none.
const demoGC = 800

// collectLess trades memory for latency: a whole city and all its sensors share
// this process, and each collection of their one heap is seen by all of them.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(demoGC)
	}
	runtime.GC() // what starting up left behind
}

// demoDir makes the folder for the nodes' data.
func demoDir(dir string) (path string, remove func() error, err error) {
	if dir != "" {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", nil, usagef("data folder: %w", err)
		}
		return dir, func() error { return nil }, nil
	}
	if path, err = os.MkdirTemp("", "tangled-demo-"); err != nil {
		return "", nil, err
	}
	return path, func() error { return os.RemoveAll(path) }, nil
}

// brokers are the addresses that sensors publish to.
func (d *demo) brokers() []string {
	var addrs []string
	for _, m := range d.net.Members {
		if m.MQTT != nil {
			addrs = append(addrs, m.MQTT.Addr().String())
		}
	}
	return addrs
}

// permanode is the member whose history is checked.
func (d *demo) permanode() *localnet.Member {
	for _, m := range d.net.Members {
		if m.Role == node.Permanode {
			return m
		}
	}
	return nil
}

// waitForPeers returns when every neighbourhood is connected, or when Ctrl-C
// was pressed meanwhile.
func (d *demo) waitForPeers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	want := make(map[int]int)
	for _, e := range localnet.Edges(len(d.net.Members)) {
		want[e[0]]++
		want[e[1]]++
	}
	for i, m := range d.net.Members {
		for {
			info, err := m.Node.Info(ctx)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s has not met its neighbours: %w", m.Name, err)
			}
			if info.Peers >= want[i] {
				break
			}
			pause(ctx, 20*time.Millisecond)
		}
	}
	return nil
}

// publish lets the sensors publish for the duration or until ctx ends, stops a
// seat meanwhile if that is wanted, and shows how it goes.
func (d *demo) publish(ctx context.Context, s *screen) error {
	d.started = time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.load.run(ctx, d.started, d.opts.duration)
	}()
	var kill <-chan time.Time // nil never comes
	if d.opts.killSeat > 0 {
		timer := time.NewTimer(d.opts.killSeat)
		defer timer.Stop()
		kill = timer.C
	}
	killed := make(chan error, 1)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.show(d)
		case <-kill:
			d.stopped = d.lastSeat()
			go func() { killed <- stopInOrder(ctx, d.stopped) }()
		case <-done:
			if d.stopped == nil {
				return nil
			}
			return <-killed
		}
	}
}

// pause waits for d or for ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
