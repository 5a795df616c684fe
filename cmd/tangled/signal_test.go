package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	tangledv1 "tangled/api/proto/tangled/v1"
)

// A node that does not come to its orderly end is ended by the next signal. Here
// it cannot, since nobody reads the ready line from a full pipe.
func TestSecondSignal(t *testing.T) {
	path := writeTestNetwork(t, 1)[0]
	c, err := loadConfig(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("tangled", "run", "--config", path)
	cmd.Stdout = fullPipe(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	conn, err := grpc.NewClient("passthrough:///"+c.API.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := tangledv1.NewNodeServiceClient(conn).Info(t.Context(), &tangledv1.InfoRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}

	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		select {
		case err := <-exited:
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Errorf("ended with %v, want by the signal", err)
			}
			return
		case <-ticker.C:
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
		case <-deadline.C:
			t.Error("signals did not end the node")
			cmd.Process.Kill() // an error tells that it has ended after all
			<-exited
			return
		}
	}
}

// fullPipe is the end for writing of a pipe that takes nothing more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<22)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want a pipe that is full", err)
	}
	return w
}
