package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// TestKill kills a node's process again and again, each time at a random moment
// under MQTT load: whatever it acknowledged must be on its disk after a restart,
// and reach its neighbour.
func TestKill(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	configs := writeTestNetwork(t, 2)
	neighbour := startProcess(t, configs[1])
	var acked ackedReadings
	for round := range 3 {
		victim := startProcess(t, configs[0])
		// Enough to be in the midst of it, and never at the same point.
		moment := acked.count() + 50 + rand.IntN(1500)
		publishUntilKilled(t, ctx, victim, &acked, round, moment)
	}
	victim := startProcess(t, configs[0])
	t.Logf("%d readings acknowledged in 3 lives", acked.count())
	for _, p := range []*process{victim, neighbour} {
		acked.wantAll(t, ctx, p.API)
	}
	victim.stop(t)
	neighbour.stop(t)
}

// publishUntilKilled publishes from several clients and kills the process once
// the moment-th reading is acknowledged. It returns when all clients have ended.
func publishUntilKilled(t *testing.T, ctx context.Context, p *process, acked *ackedReadings, round, moment int) {
	t.Helper()
	kill := make(chan struct{})
	acked.notify(moment, kill)
	// A Publish under way does not notice by itself that the connection is gone.
	publishing, end := context.WithCancel(ctx)
	defer end()
	var clients sync.WaitGroup
	for i := range 8 {
		client := connect(t, ctx, p.MQTT, fmt.Sprintf("sensor-%d-%d", round, i))
		clients.Go(func() {
			for n := 0; ; n++ {
				reading := fmt.Sprintf("%d/%d/%d", round, i, n)
				// A reading whose acknowledgement never comes may be lost or not.
				reply, err := client.Publish(publishing, &paho.Publish{
					QoS: 1, Topic: fmt.Sprintf("kill/%d", i), Payload: []byte(reading),
				})
				if err != nil {
					return
				}
				if reply.ReasonCode < 0x80 {
					acked.add(reading)
				}
			}
		})
	}
	select {
	case <-kill:
	case <-ctx.Done():
		t.Error("too few readings were acknowledged")
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	<-p.exited
	end()
	clients.Wait()
}

func connect(t *testing.T, ctx context.Context, address, id string) *paho.Client {
	t.Helper()
	var dialler net.Dialer
	conn, err := dialler.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := paho.NewClient(paho.ClientConfig{Conn: conn, PacketTimeout: patience})
	reply, err := client.Connect(ctx, &paho.Connect{ClientID: id, KeepAlive: 30, CleanStart: true})
	if err != nil {
		t.Fatalf("connect %s: %v (%+v)", id, err, reply)
	}
	return client
}

// ackedReadings are what was acknowledged.
type ackedReadings struct {
	mu       sync.Mutex
	readings map[string]bool
	moment   int
	reached  chan struct{}
}

func (a *ackedReadings) add(reading string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readings == nil {
		a.readings = make(map[string]bool)
	}
	a.readings[reading] = true
	if len(a.readings) >= a.moment && a.reached != nil {
		close(a.reached)
		a.reached = nil
	}
}

func (a *ackedReadings) notify(moment int, reached chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moment, a.reached = moment, reached
}

func (a *ackedReadings) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.readings)
}

// wantAll waits until a node has every acknowledged reading.
func (a *ackedReadings) wantAll(t *testing.T, ctx context.Context, api string) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+api, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		stored, err := storedReadings(ctx, conn)
		if err != nil {
			t.Fatalf("query %s: %v", api, err)
		}
		var missing []string
		for reading := range a.readings {
			if !stored[reading] {
				missing = append(missing, reading)
			}
		}
		if len(missing) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s never had %d of %d acknowledged readings, such as %s", api, len(missing), len(a.readings), missing[0])
		}
	}
}

func storedReadings(ctx context.Context, conn *grpc.ClientConn) (map[string]bool, error) {
	stream, err := tangledv1.NewHistoryServiceClient(conn).Query(ctx, &tangledv1.QueryRequest{Topic: "kill/#", Limit: 100_000})
	if err != nil {
		return nil, err
	}
	stored := make(map[string]bool)
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stored, nil
		}
		if err != nil {
			return nil, err
		}
		stored[string(r.GetMessage().GetData().GetContent())] = true
	}
}

// writeTestNetwork makes a network and returns its nodes' configs.
func writeTestNetwork(t *testing.T, nodes int) []string {
	t.Helper()
	var bases basePorts
	base, err := bases.next()
	if err != nil {
		t.Fatal(err)
	}
	p := testPlan(nodes)
	p.BasePort, p.Start = base, time.Now()
	n, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "net")
	if err := n.write(dir); err != nil {
		t.Fatal(err)
	}
	configs := make([]string, nodes)
	for i, m := range n.members {
		configs[i] = filepath.Join(dir, m.name, configFile)
	}
	return configs
}

// process is a running `tangled run`.
type process struct {
	readiness
	cmd    *exec.Cmd
	logs   *strings.Builder // to be read after exited
	exited chan struct{}
}

// startProcess runs a node and waits until it is ready. The process ends with the
// test.
func startProcess(t *testing.T, config string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("tangled", "run", "--json", "--config", config), logs: new(strings.Builder), exited: make(chan struct{})}
	p.cmd.Stderr = p.logs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	go func() {
		defer close(p.exited)
		p.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // an error tells that it has ended
		<-p.exited
	})
	if readErr == nil {
		readErr = json.Unmarshal(line, &p.readiness)
	}
	if readErr != nil {
		p.cmd.Process.Kill()
		<-p.exited
		t.Fatalf("%s was not ready: %v\n%s", config, readErr, p.logs)
	}
	return p
}

// stop interrupts the process and wants an orderly end.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	if !p.cmd.ProcessState.Success() || strings.Contains(p.logs.String(), "level=ERROR") {
		t.Errorf("%v\n%s", p.cmd.ProcessState, p.logs)
	}
}
