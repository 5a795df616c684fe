package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// killWhen starts a program, kills it once reached says so, and returns when it has
// ended, be it that it came to its end before.
func killWhen(t *testing.T, cmd *exec.Cmd, reached func() bool) (killed bool) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() // how it ended is in its state
	}()
	deadline := time.Now().Add(patience)
	for !reached() {
		select {
		case <-ended:
			return false
		default:
		}
		if time.Now().After(deadline) {
			t.Error("it never came so far")
			break
		}
	}
	err := cmd.Process.Kill()
	<-ended
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode() < 0
}

// filesIn counts the files and folders below a folder, which may change meanwhile.
func filesIn(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error {
		if err == nil {
			n++
		}
		return nil
	})
	return n
}

// TestInitKilled: wherever init is killed, the network's folder is whole or not
// there, and init can be run again and tells what the other left.
func TestInitKilled(t *testing.T) {
	const nodes = 8
	const files = 1 + 2 + 4*nodes // its folder, two files, and per node a folder with three
	midway := 0
	for at := 1; at <= files+1; at += 5 {
		parent := t.TempDir()
		dir := filepath.Join(parent, "net")
		empty := at%2 == 0
		if empty {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("tangled", "init", "--network", "florence", "--nodes", fmt.Sprint(nodes), "--dir", dir)
		there := filesIn(parent)
		killed := killWhen(t, cmd, func() bool { return filesIn(parent) >= there+at })
		if _, err := os.Stat(filepath.Join(dir, genesisFile)); err == nil {
			wantWhole(t, dir, nodes)
			continue
		}
		if !killed {
			t.Fatalf("at %d: init ended with %v and no network", at, cmd.ProcessState)
		}
		midway++
		left, err := unfinished(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("at %d: left %v, %v", at, left, err)
		}
		out, err := exec.Command("tangled", "init", "--network", "florence", "--nodes", fmt.Sprint(nodes), "--dir", dir).CombinedOutput()
		if err != nil || len(left) == 1 && !strings.Contains(string(out), "warning: "+left[0]+" is of an init that did not") {
			t.Errorf("at %d: init once more: %v\n%s", at, err, out)
		}
		wantWhole(t, dir, nodes)
	}
	if midway == 0 {
		t.Error("init was never killed midway: the test shows nothing")
	}
	t.Logf("killed midway %d times", midway)
}

// wantWhole wants a network's folder from which every node can start.
func wantWhole(t *testing.T, dir string, nodes int) {
	t.Helper()
	for i := range nodes {
		folder := filepath.Join(dir, fmt.Sprint("node", i+1))
		c, err := loadConfig(filepath.Join(folder, configFile), nil, nil)
		if err == nil {
			_, err = c.readSecrets()
		}
		if _, missing := os.Stat(filepath.Join(folder, firstStartFile)); err != nil || missing != nil {
			t.Errorf("%s: %v, %v", folder, err, missing)
		}
	}
}

// TestFirstStartKilled: a node that is killed while it starts for the first time,
// wherever it is, starts with the next try, and its seat writes.
func TestFirstStartKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	for at := 0; at < 12; at += 2 {
		config := writeTestNetwork(t, 1)[0]
		data, word := filepath.Join(filepath.Dir(config), "data"), filepath.Join(filepath.Dir(config), firstStartFile)
		for range 2 { // the second time on what the first one left
			cmd := exec.Command("tangled", "run", "--config", config)
			killWhen(t, cmd, func() bool {
				_, err := os.Stat(word) // gone as soon as the seat has written
				return err != nil || filesIn(data) >= at
			})
		}
		p := startProcess(t, ctx, config)
		wantWitness(t, ctx, p)
		p.stop(t, ctx)
	}
}

// wantWitness waits until a node's seat has written.
func wantWitness(t *testing.T, ctx context.Context, p *process) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+p.api.API, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := tangledv1.NewNodeServiceClient(conn)
	for {
		info, err := client.Info(ctx, &tangledv1.InfoRequest{})
		if err != nil {
			t.Fatalf("no witness: %v", err)
		}
		if info.GetSilent() {
			text, _ := json.Marshal(info)
			t.Fatalf("the seat is silent: %s", text)
		}
		if len(info.GetSeats()) > 0 && info.GetSeats()[0].GetRound() > 0 {
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}
