package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
	"tangled/internal/localnet"
	"tangled/node"
)

// TestKill kills nodes' processes, each time a random one at a random moment under
// MQTT load: whatever a node acknowledged must be on its disk after a restart, and
// reach every other one; all have to agree on what is final, and no seat may have
// written two witnesses for one round.
func TestKill(t *testing.T) { killRounds(t, 3, 2*patience) }

func killRounds(t *testing.T, rounds int, limit time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var nodes []*process
	for _, config := range writeTestNetwork(t, 4) {
		nodes = append(nodes, startProcess(t, ctx, config))
	}
	var acked ackedReadings
	for round := range rounds {
		// Enough to be in the midst of it, and never at the same point.
		moment := acked.count() + 50 + rand.IntN(1500)
		victim := nodes[rand.IntN(len(nodes))]
		publishUntilKilled(t, ctx, victim, &acked, round, moment)
		if rand.IntN(4) == 0 {
			victim.Kill() // while it starts, or comes to it
		}
		if _, err := victim.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d readings acknowledged in %d rounds", acked.count(), rounds)
	for _, p := range nodes {
		acked.wantAll(t, ctx, p.api.API)
	}
	wantAgreement(t, ctx, nodes)
	for _, p := range nodes {
		p.stop(t, ctx)
	}
}

// wantAgreement wants the anchors of the last node, which is a permanode, on all
// others too, and no two witnesses of a seat for one round.
func wantAgreement(t *testing.T, ctx context.Context, nodes []*process) {
	t.Helper()
	c := new(city)
	for i, p := range nodes {
		n := &demoNode{name: fmt.Sprint("node", i+1), role: node.Role(p.api.Role), api: p.api.API}
		if err := n.connect(); err != nil {
			t.Fatal(err)
		}
		defer n.conn.Close()
		c.nodes = append(c.nodes, n)
	}
	if anchors, err := c.agree(ctx); err != nil || anchors == 0 {
		t.Errorf("agreement on %d anchors: %v", anchors, err)
	}
	if twice, err := twoWitnessRounds(ctx, c.permanode().history); err != nil || twice > 0 {
		t.Errorf("%d rounds with two witnesses of one seat, %v", twice, err)
	}
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
		client := connect(t, ctx, p.api.MQTT, fmt.Sprintf("sensor-%d-%d", round, i))
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
	if !p.Kill() {
		t.Error("there was nothing to kill")
	}
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

// process is `tangled run` in a process of its own.
type process struct {
	*localnet.Process
	api  readiness
	logs string // path
}

// startProcess runs a node and waits until it is ready. The process ends with the
// test.
func startProcess(t *testing.T, ctx context.Context, config string) *process {
	t.Helper()
	program, err := exec.LookPath("tangled")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{logs: filepath.Join(filepath.Dir(config), "log")}
	p.Process, err = localnet.StartProcess(ctx, localnet.ProcessOptions{
		Path: program, Args: []string{"run", "--json", "--config", config}, Log: p.logs,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		p.Stop(now) // an error tells that it was not stopped before
	})
	line, err := p.Ready(ctx)
	if err == nil {
		err = json.Unmarshal(line, &p.api)
	}
	if err != nil {
		t.Fatalf("%s was not ready: %v", config, err)
	}
	return p
}

// stop interrupts the process and wants an orderly end.
func (p *process) stop(t *testing.T, ctx context.Context) {
	t.Helper()
	err := p.Stop(ctx)
	logs, readErr := os.ReadFile(p.logs)
	if err != nil || readErr != nil || strings.Contains(string(logs), "level=ERROR") {
		t.Errorf("%v, %v\n%s", err, readErr, logs)
	}
}
