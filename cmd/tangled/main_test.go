package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tangled": func() { os.Exit(main1()) },
		"httpget": httpGet,
		"repeat":  repeat,
	})
}

// repeat runs a program again and again until it is interrupted.
func repeat() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		out, err := exec.Command(os.Args[1], os.Args[2:]...).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			os.Exit(1)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// httpGet prints what a URL answers.
func httpGet() {
	reply, err := http.Get(os.Args[1])
	if err == nil {
		_, err = io.Copy(os.Stdout, reply.Body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// patience is how long a script waits for a condition before it fails.
const patience = time.Minute

// TestScript runs testdata/script against the real command line, in processes of
// its own. Beside the standard commands a script has
//
//	code N PROGRAM [ARG...]          run it and want the exit code N
//	until PATTERN PROGRAM [ARG...]   run it until it succeeds and prints a match
//	need PROGRAM                     fail, saying how to install it, if it is missing
//	port NAME OFFSET                 $NAME is the port at this offset of the script's own
//	capture NAME PATTERN             $NAME is the first group of PATTERN in stdout
//	tool NAME PROGRAM                $NAME is where a program of the tools module is
//	damage PROOF GENESIS             no byte of the proof can be changed, left out or added
//	flip FILE                        change a bit in the middle; of a folder, in its largest table
//
// and $BASE, a first port from which on 100 are its own, and a file "binary". The
// program httpget prints what a URL answers, repeat runs another until interrupted.
func TestScript(t *testing.T) {
	var bases basePorts
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			base, err := bases.next()
			if err != nil {
				return err
			}
			env.Setenv("BASE", strconv.Itoa(base))
			return os.WriteFile(filepath.Join(env.WorkDir, "binary"), []byte{0, 1, 2, 0xff}, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": wantCode, "until": until, "need": need, "port": port, "capture": capture, "tool": tool,
			"damage": damage, "flip": flip,
		},
	})
}

func wantCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [arg...]")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if e := new(exec.ExitError); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until pattern program [arg...]")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); ; <-ticker.C {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("never matched %s; last: %v", args[0], err)
		}
	}
}

func need(ts *testscript.TestScript, _ bool, args []string) {
	for _, program := range args {
		if _, err := exec.LookPath(program); err != nil {
			ts.Fatalf("%s is missing: `make test` installs it (Debian: apt-get install mosquitto-clients)", program)
		}
	}
}

func port(ts *testscript.TestScript, _ bool, args []string) {
	base, err := strconv.Atoi(ts.Getenv("BASE"))
	ts.Check(err)
	offset, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(base+offset))
}

func capture(ts *testscript.TestScript, _ bool, args []string) {
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	match := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(match) < 2 {
		ts.Fatalf("no match for %s", args[1])
	}
	ts.Setenv(args[0], match[1])
}

// tool builds a program of the tools module where its cache is, which the
// script's own environment hides, and tells the script its path.
func tool(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("go", "tool", "-modfile=../../tools/go.mod", "-n", args[1])
	var text strings.Builder
	cmd.Stderr = &text
	path, err := cmd.Output()
	if err != nil {
		ts.Fatalf("go tool %s: %v\n%s", args[1], err, &text)
	}
	ts.Setenv(args[0], strings.TrimSpace(string(path)))
}

// damage wants a proof that verifies, and that none does that differs from it.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	g, err := readGenesis(ts.MkAbs(args[1]))
	ts.Check(err)
	text := []byte(ts.ReadFile(args[0]))
	ts.Check(verifyProof(text, g, io.Discard, true))
	refused := func(what string, at int, changed []byte) {
		if verifyProof(changed, g, io.Discard, true) == nil {
			ts.Fatalf("verified with byte %d %s", at, what)
		}
	}
	for i := range text {
		for _, bit := range []byte{1, 2, 32} {
			changed := bytes.Clone(text)
			changed[i] ^= bit
			refused("changed", i, changed)
		}
		refused("left out", i, slices.Delete(bytes.Clone(text), i, i+1))
		refused("twice", i, slices.Insert(bytes.Clone(text), i, text[i]))
	}
}

// flip changes a bit in the middle of a file, or of the largest table of a store.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	tables, err := filepath.Glob(filepath.Join(path, "*.sst"))
	ts.Check(err)
	largest := int64(-1)
	for _, table := range tables {
		if info, err := os.Stat(table); err == nil && info.Size() > largest {
			path, largest = table, info.Size()
		}
	}
	// Another file, since a backup shares its tables with the store.
	text, err := os.ReadFile(path)
	ts.Check(err)
	text[len(text)/2] ^= 1
	ts.Check(os.Remove(path))
	ts.Check(os.WriteFile(path, text, 0o600))
}

// basePorts hands out ranges of free ports, each once. They are below those that
// the system gives to others who ask for any port.
type basePorts struct {
	mu   sync.Mutex
	used map[int]bool
}

func (b *basePorts) next() (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == nil {
		b.used = make(map[int]bool)
	}
	for range 200 {
		base := 10_000 + 100*rand.IntN(200)
		if !b.used[base] && allFree(base) {
			b.used[base] = true
			return base, nil
		}
	}
	return 0, errors.New("no free range of ports")
}

// allFree tells whether all ports of a range are free.
func allFree(base int) bool {
	for i := range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+i))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
