package localnet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the programs that the tests of Process run.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "child":
		child()
	case "parent":
		parent()
	default:
		os.Exit(m.Run())
	}
}

// child says that it is there at the address that is its first argument, then on
// its standard output, and ends as its second argument says:
//
//	order    with SIGINT
//	deaf     not with SIGINT
//	failing  by itself, with a last word, when the test says so
func child() {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	conn, err := net.Dial("tcp", os.Args[2])
	if err != nil {
		os.Exit(3)
	}
	fmt.Fprintln(conn, os.Getpid())
	fmt.Printf("here %d\nand more\n", os.Getpid())
	told := make(chan struct{})
	go func() {
		io.Copy(io.Discard, conn) // until the test says so, or is gone
		close(told)
	}()
	for {
		select {
		case <-interrupted:
			if os.Args[3] != "deaf" {
				os.Exit(0)
			}
		case <-told:
			fmt.Fprint(os.Stderr, "first\nthe disk is gone\n")
			os.Exit(5)
		}
	}
}

// parent runs a child until it is killed itself.
func parent() {
	if _, err := StartProcess(context.Background(), childOptions(os.Args[2], "order")); err != nil {
		os.Exit(3)
	}
	select {}
}

func childOptions(address, kind string) ProcessOptions {
	return ProcessOptions{Name: "child", Path: os.Args[0], Args: []string{"child", address, kind}}
}

// door is where children say that they are there.
type door struct {
	net.Listener
	t *testing.T
}

func openDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &door{l, t}
}

// patience bounds what would otherwise hang a test that fails.
const patience = time.Minute

// next is the next child: the connection to it breaks when it ends.
func (d *door) next() (conn net.Conn, pid int) {
	d.t.Helper()
	conn, err := d.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		d.t.Fatal(err)
	}
	if _, err := fmt.Fscan(conn, &pid); err != nil {
		d.t.Fatal(err)
	}
	return conn, pid
}

// wantGone waits for the end of a child.
func (d *door) wantGone(conn net.Conn) {
	d.t.Helper()
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		d.t.Errorf("the child did not end: %v", err)
	}
}

// start runs a child to its ready line.
func (d *door) start(ctx context.Context, opts ProcessOptions) *Process {
	d.t.Helper()
	p, err := StartProcess(ctx, opts)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		p.Stop(gone)
	})
	return p
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// TestKillStartsAgain: each kill ends a life, and another begins.
func TestKillStartsAgain(t *testing.T) {
	ctx, d := bounded(t), openDoor(t)
	p := d.start(ctx, childOptions(d.Addr().String(), "order"))
	for range 3 {
		conn, pid := d.next()
		line, err := p.Ready(ctx)
		if want := fmt.Sprintf("here %d", pid); err != nil || string(line) != want {
			t.Fatalf("ready with %q, %v; want %q", line, err, want)
		}
		if !p.Kill() {
			t.Error("nothing to kill")
		}
		d.wantGone(conn)
	}
	last, _ := d.next()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
	d.wantGone(last)
	if p.Kill() {
		t.Error("killed after its end")
	}
	if _, err := p.Ready(ctx); err == nil || p.Err() != nil || p.Stop(ctx) != nil {
		t.Errorf("after Stop: ready with %v, error %v", err, p.Err())
	}
}

// TestKillBeforeReady: a program may be killed while it starts, and Ready waits for
// the next life.
func TestKillBeforeReady(t *testing.T) {
	ctx, d := bounded(t), openDoor(t)
	p := d.start(ctx, childOptions(d.Addr().String(), "order"))
	d.next()
	for range 20 {
		for !p.Kill() {
			// between two lives
			if err := ctx.Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	line, err := p.Ready(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for { // those of lives that came so far
		if _, pid := d.next(); bytes.Equal(line, fmt.Append(nil, "here ", pid)) {
			break
		}
	}
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// TestEndsByItself: that is an error with the last line of the log, and no life
// follows.
func TestEndsByItself(t *testing.T) {
	ctx, d := bounded(t), openDoor(t)
	opts := childOptions(d.Addr().String(), "failing")
	opts.Log = filepath.Join(t.TempDir(), "log")
	p := d.start(ctx, opts)
	if err := p.Err(); err != nil {
		t.Error(err)
	}
	conn, _ := d.next()
	conn.(*net.TCPConn).CloseWrite()
	d.wantGone(conn)
	<-p.done
	const want = "child ended by itself: exit status 5; its log ends with: the disk is gone"
	_, err := p.Ready(ctx)
	for _, err := range []error{err, p.Err(), p.Stop(ctx)} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if p.Kill() {
		t.Error("killed after its end")
	}
}

// TestNeverReady: a program that cannot start, or ends before it is ready.
func TestNeverReady(t *testing.T) {
	ctx := bounded(t)
	for name, opts := range map[string]ProcessOptions{
		"no program":  {Path: filepath.Join(t.TempDir(), "none")},
		"ends":        childOptions("127.0.0.1:0", "order"),
		"no log file": {Path: os.Args[0], Log: t.TempDir()},
	} {
		if _, err := StartProcess(ctx, opts); err == nil {
			t.Errorf("%s: nil error", name)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := StartProcess(gone, childOptions(openDoor(t).Addr().String(), "order"))
	if err == nil || err.Error() != "child is not ready: context canceled" {
		t.Errorf("no time: error %v", err)
	}
}

// TestStopKillsTheDeaf: who does not listen ends all the same.
func TestStopKillsTheDeaf(t *testing.T) {
	ctx, d := bounded(t), openDoor(t)
	p := d.start(ctx, childOptions(d.Addr().String(), "deaf"))
	conn, _ := d.next()
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Stop(gone); err == nil || !strings.HasPrefix(err.Error(), "child did not end in order: ") {
		t.Errorf("error %v", err)
	}
	d.wantGone(conn)
}
