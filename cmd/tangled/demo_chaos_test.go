package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"tangled/genesis"
	"tangled/internal/localnet"
	"tangled/node"
)

// startSleeper runs a program that does nothing, and returns its process ID.
func startSleeper(t *testing.T, ctx context.Context) (*localnet.Process, int) {
	t.Helper()
	p, err := localnet.StartProcess(ctx, localnet.ProcessOptions{
		Name: "sleeper", Path: "sh", Args: []string{"-c", "echo $$; exec sleep 600"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		p.Stop(now)
	})
	line, err := p.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		t.Fatal(err)
	}
	return p, pid
}

// TestChaos: processes are killed as long as it lasts, each kill is told of, and
// all are back at the end. A process that ends by itself ends it.
func TestChaos(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &city{restarts: newDistribution()}
	var processes []*localnet.Process
	var pids []int
	for range 3 {
		p, pid := startSleeper(t, ctx)
		processes, pids = append(processes, p), append(pids, pid)
		c.nodes = append(c.nodes, &demoNode{name: "sleeper", role: node.Middle})
	}
	during, end := context.WithCancel(ctx)
	var told []string
	err := c.chaos(during, processes, time.Millisecond, func(line string) {
		if told = append(told, line); len(told) == 10 {
			end()
		}
	})
	if err != nil || len(told) != 10 || c.kills.Load() != 10 || !strings.Contains(told[9], "kill 10, sleeper (middle)") {
		t.Errorf("%v after %d kills, told %q", err, c.kills.Load(), told)
	}
	changed := 0
	for i, p := range processes {
		line, err := p.Ready(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(string(line))
		if err != nil {
			t.Fatal(err)
		}
		if pid != pids[i] {
			changed++
		}
		pids[i] = pid
	}
	if changed == 0 {
		t.Error("no process is another one now")
	}

	victim, err := os.FindProcess(pids[1])
	if err == nil {
		err = victim.Signal(syscall.SIGTERM)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = c.chaos(ctx, processes, time.Millisecond, func(string) {})
	if err == nil || err.Error() != "sleeper ended by itself: signal: terminated" {
		t.Errorf("a process that ended by itself: %v", err)
	}
}

// TestTroubleEndsTheLoad: where a node fails, the sensors do not go on for ever.
func TestTroubleEndsTheLoad(t *testing.T) {
	broker := stubBroker(t, func(p *packets.Publish) *packets.Puback {
		return &packets.Puback{PacketID: p.PacketID, Properties: &packets.Properties{}}
	})
	o := demoOptions{sensors: 1, rate: 100}
	l, err := newLoad(t.Context(), o, []string{broker})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	failed := errors.New("failed")
	d := &demo{opts: o, load: l, city: new(city)}
	d.city.trouble = func(_ context.Context, tell func(string)) error {
		tell("one node is about to fail")
		return failed
	}
	var out strings.Builder
	if err := d.publish(t.Context(), newScreen(&out, false)); err != failed {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "one node is about to fail\n") {
		t.Errorf("told %q", &out)
	}
	// And what befalls the city ends with the load.
	d.opts.duration = 20 * time.Millisecond
	d.city.trouble = func(ctx context.Context, _ func(string)) error {
		<-ctx.Done()
		return nil
	}
	if err := d.publish(t.Context(), newScreen(&out, false)); err != nil {
		t.Error(err)
	}
}

// TestMakeNetwork: what init writes, and what the demo's flags change of it.
func TestMakeNetwork(t *testing.T) {
	o := demoOptions{middle: 5, permanodes: 2, bits: 3, window: 20 * time.Second, retention: time.Minute}
	n, err := o.makeNetwork(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if g := n.genesis; g.Name != cityName || len(g.Committee) != 5 || g.Window != o.window || g.DataBits != 3 || g.WitnessBits != genesis.DefaultWitnessBits {
		t.Errorf("genesis %+v", g)
	}
	for i, m := range n.members {
		c := m.config
		permanode := i >= 5
		if (c.Role == node.Permanode) != permanode || c.MQTT.MaxConnectionsPerAddress != chaosConnections {
			t.Errorf("%s: %+v", m.name, c)
		}
		if got := c.Storage.Retention; permanode && got != forever || !permanode && got != keepTime(time.Minute) {
			t.Errorf("%s keeps %v", m.name, got)
		}
		if got := c.Storage.SnapshotInterval; !permanode && got != interval(15*time.Second) {
			t.Errorf("%s writes a snapshot every %v", m.name, got)
		}
	}
}
