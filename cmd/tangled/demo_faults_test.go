package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFaults: what is at error level counts, in a city of this process and in the
// logs of others, and the first one is told.
func TestFaults(t *testing.T) {
	var here faults
	logger := here.logger().With("node", "node2")
	logger.Warn("slow disk")
	logger.Error("no disk", "error", errors.New("gone"))
	logger.Error("no hope")
	const want = `level=ERROR msg="no disk" node=node2 error=gone`
	if n, first := here.soFar(); n != 2 || len(first) < len(want) || first[len(first)-len(want):] != want {
		t.Errorf("%d, first %q", n, first)
	}

	dir := t.TempDir()
	var logs []string
	for name, text := range map[string]string{
		"calm":   "time=1 level=INFO msg=\"a level=ERROR\"\n",
		"faulty": "time=1 level=WARN msg=a\ntime=2 level=ERROR msg=b\ntime=3 level=ERROR msg=c",
		"empty":  "",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		logs = append(logs, path)
	}
	there, err := faultsIn(logs)
	if err != nil {
		t.Fatal(err)
	}
	if n, first := there.soFar(); n != 2 || first != "time=2 level=ERROR msg=b" {
		t.Errorf("%d, first %q", n, first)
	}
	if _, err := faultsIn([]string{filepath.Join(dir, "none")}); err == nil {
		t.Error("no log, no error")
	}
}
