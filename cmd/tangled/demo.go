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

	"github.com/spf13/cobra"

	"tangled/genesis"
	"tangled/internal/localnet"
	"tangled/node"
)

// demoOptions are the flags of `tangled demo`.
type demoOptions struct {
	middle     int
	permanodes int
	sensors    int
	rate       float64 // readings a second and sensor
	duration   time.Duration
	bits       int
	dir        string
}

func (o *demoOptions) validate() error {
	switch {
	case o.middle < 1 || o.permanodes < 1:
		return usagef("want at least one middle node and one permanode")
	case o.sensors < 1 || o.sensors > 20_000:
		return usagef("%d sensors, want 1 to 20,000", o.sensors)
	case o.rate <= 0 || o.rate > 1000:
		return usagef("rate %v, want above 0 and up to 1,000 readings a second and sensor", o.rate)
	case o.duration < 0:
		return usagef("duration %v is negative", o.duration)
	case o.bits < 0 || o.bits > genesis.MaxBits:
		return usagef("%d bits, want 0 to %d", o.bits, genesis.MaxBits)
	}
	return nil
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a small city on this machine and check that no reading is lost",
		Long: `demo starts middle nodes and a permanode on loopback, in a ring with one chord, an
MQTT broker on each middle node, and simulated city sensors that publish JSON
readings at QoS 1. It shows what happens until --duration is over or Ctrl-C is
pressed. Then it reads every acknowledged reading back from the permanode over
gRPC and compares sequence number and bytes. It fails if one was lost.`,
		Example: `  tangled demo
  tangled demo --duration 20s --sensors 1000 --rate 2 --json`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			return runDemo(cmd.Context(), o, cmd.OutOrStdout(), wantsJSON(cmd))
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.middle, "middle", 4, "middle nodes, each with an MQTT broker")
	f.IntVar(&o.permanodes, "permanodes", 1, "permanodes")
	f.IntVar(&o.sensors, "sensors", 200, "simulated sensors")
	f.Float64Var(&o.rate, "rate", 1, "readings a second of each sensor")
	f.DurationVar(&o.duration, "duration", 0, "how long the sensors publish; 0 is until Ctrl-C")
	f.IntVar(&o.bits, "bits", genesis.DefaultDataBits, "proof of work of a message, in leading zero bits")
	f.StringVar(&o.dir, "dir", "", "keep the nodes' data in this new folder (default: a temporary one, removed at the end)")
	return cmd
}

// demoResult is the last line of `tangled demo --json`.
type demoResult struct {
	Published         uint64      `json:"published"`
	Acknowledged      uint64      `json:"acknowledged"`
	Found             uint64      `json:"found"`
	Lost              uint64      `json:"lost"`
	AckMS             percentiles `json:"ack_ms"`
	PropagationMS     percentiles `json:"propagation_ms"`
	PropagationAll    bool        `json:"propagation_complete"` // every message was measured
	MessagesPerSecond float64     `json:"messages_per_second"`
	Nodes             int         `json:"nodes"`
	DataBits          int         `json:"data_bits"`
}

// demo is a running demo.
type demo struct {
	opts        demoOptions
	net         *localnet.Network
	load        *load
	propagation *propagation
	started     time.Time
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
		watch.Go(func() { d.propagation.follow(watchCtx, m, d.permanode()) })
	}
	if d.load, err = newLoad(ctx, o, d.brokers()); err != nil {
		return fmt.Errorf("connect the sensors: %w", err)
	}
	defer d.load.close()
	if err := d.waitForPeers(ctx); err != nil {
		return err
	}
	collectLess()
	screen := newScreen(out, asJSON)
	screen.begin(d)
	d.publish(ctx, screen)
	seconds := time.Since(d.started).Seconds()
	screen.auditing()
	found, err := d.audit(tidy)
	if err != nil {
		return fmt.Errorf("read the history back: %w", err)
	}
	return screen.end(d.result(found, seconds))
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

// publish lets the sensors publish for the duration or until ctx ends, and
// shows how it goes.
func (d *demo) publish(ctx context.Context, s *screen) {
	d.started = time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.load.run(ctx, d.started, d.opts.duration)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.show(d)
		case <-done:
			return
		}
	}
}

func (d *demo) result(found uint64, seconds float64) demoResult {
	published, acked := d.load.counts()
	return demoResult{
		Published:         published,
		Acknowledged:      acked,
		Found:             found,
		Lost:              acked - found,
		AckMS:             d.load.acks.percentiles(),
		PropagationMS:     d.propagation.delays.percentiles(),
		PropagationAll:    d.propagation.complete(),
		MessagesPerSecond: float64(acked) / seconds,
		Nodes:             len(d.net.Members),
		DataBits:          d.opts.bits,
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
