package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tangled/snapshot"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, entry := range entries {
		out = append(out, entry.Name())
	}
	return out
}

func TestWriteFile(t *testing.T) {
	n := city(t)
	dir := t.TempDir()
	path := filepath.Join(dir, snapshot.Name(15))
	wrote, err := snapshot.WriteFile(t.Context(), path, n.source())
	if err != nil {
		t.Fatal(err)
	}
	want, _ := n.write()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v, want the %d that Write writes", len(got), err, len(want))
	}
	read, err := snapshot.ReadFile(t.Context(), path, n.options(), snapshot.Sink{})
	if err != nil || read.Digest != wrote.Digest {
		t.Errorf("digest %x, %v, want %x", read.Digest, err, wrote.Digest)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the folder has %q", got)
	}
	if _, err := snapshot.ReadFile(t.Context(), path+"x", n.options(), snapshot.Sink{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v of no file", err)
	}
}

// TestWriteFileRefused: a source that is refused leaves nothing.
func TestWriteFileRefused(t *testing.T) {
	n := city(t)
	dir := t.TempDir()
	src := n.source()
	src.Witness = nil
	if _, err := snapshot.WriteFile(t.Context(), filepath.Join(dir, snapshot.Name(15)), src); err == nil {
		t.Error("written")
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("the folder has %q", got)
	}
}

// TestWriteFileFails lets the i-th operation on the disk fail, and then the disk
// for good from there on, as when the process ends. Under the final name there
// is the old file or the new one, whole; Clean leaves nothing else.
func TestWriteFileFails(t *testing.T) {
	n := city(t)
	whole, _ := n.write()
	old := []byte("what was there before")
	for _, forGood := range []bool{false, true} {
		for i := 0; ; i++ {
			dir := t.TempDir()
			path := filepath.Join(dir, snapshot.Name(15))
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
			var done []string
			broken := errors.New("broken")
			err := snapshot.WriteFileHooked(t.Context(), path, n.source(), func(operation string) error {
				done = append(done, operation)
				if len(done) == i+1 || forGood && len(done) > i {
					return broken
				}
				return nil
			})
			if len(done) <= i {
				if err != nil {
					t.Fatal(err)
				}
				checkOrder(t, done)
				break
			}
			if !errors.Is(err, broken) {
				t.Fatalf("operation %d (%s) failed, WriteFile says %v", i, done[i], err)
			}
			got, readErr := os.ReadFile(path)
			if readErr != nil || !bytes.Equal(got, old) && !bytes.Equal(got, whole) {
				t.Errorf("after operation %d (%s) failed there are %d bytes, %v", i, done[i], len(got), readErr)
			}
			if renamed := bytes.Equal(got, whole); renamed != (done[i] == "sync folder") {
				t.Errorf("after operation %d (%s) failed the new file is there: %v", i, done[i], renamed)
			}
			if left := names(t, dir); !forGood && len(left) != 1 {
				t.Errorf("after operation %d (%s) failed the folder has %q", i, done[i], left)
			}
			if err := snapshot.Clean(dir); err != nil {
				t.Fatal(err)
			}
			if left := names(t, dir); len(left) != 1 {
				t.Errorf("cleaned, the folder has %q", left)
			}
		}
	}
}

// checkOrder: nothing is renamed before it is synced, and the new name is synced
// last.
func checkOrder(t *testing.T, done []string) {
	t.Helper()
	want := []string{"create", "write", "sync", "close", "rename", "sync folder"}
	if got := slices.Compact(slices.Clone(done)); !slices.Equal(got, want) {
		t.Errorf("operations %q, want %q", got, want)
	}
}

func TestName(t *testing.T) {
	for _, test := range []struct {
		index uint64
		name  string
	}{
		{0, "snapshot-000000000000.tsnap"},
		{123, "snapshot-000000000123.tsnap"},
		{1<<64 - 1, "snapshot-18446744073709551615.tsnap"},
	} {
		if got := snapshot.Name(test.index); got != test.name {
			t.Errorf("name %q, want %q", got, test.name)
		}
		if index, ok := snapshot.ParseName(test.name); !ok || index != test.index {
			t.Errorf("%q is of anchor %d, %v", test.name, index, ok)
		}
	}
	for _, name := range []string{
		"", "snapshot-.tsnap", "snapshot-123.tsnap", "snapshot-0000000000123.tsnap", "snapshot-+00000000123.tsnap",
		"snapshot-000000000123.tsnap.1.tmp", "snapshot-000000000123", "000000000123.tsnap",
		"snapshot-18446744073709551616.tsnap", "snapshot-00000000012x.tsnap",
	} {
		if index, ok := snapshot.ParseName(name); ok {
			t.Errorf("%q is of anchor %d", name, index)
		}
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	var want []snapshot.Entry
	for i, index := range []uint64{3, 20, 100, 2_000_000_000_000, 10_000_000_000_000_000} {
		path := filepath.Join(dir, snapshot.Name(index))
		if err := os.WriteFile(path, make([]byte, i), 0o600); err != nil {
			t.Fatal(err)
		}
		want = append(want, snapshot.Entry{Index: index, Path: path, Size: int64(i)})
	}
	others := []string{snapshot.Name(5) + ".77.tmp", "notes.txt", "snapshot-7.tsnap", "other.tmp"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, snapshot.Name(4)), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.List(dir)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v\nwant %v", got, err, want)
	}

	// Clean takes what WriteFile left, and nothing of anybody else's.
	if err := snapshot.Clean(dir); err != nil {
		t.Fatal(err)
	}
	left := names(t, dir)
	if len(left) != len(want)+len(others) || slices.ContainsFunc(left, func(name string) bool { return strings.HasSuffix(name, ".77.tmp") }) {
		t.Errorf("cleaned, the folder has %q", left)
	}

	missing := filepath.Join(dir, "none")
	if got, err := snapshot.List(missing); err != nil || len(got) != 0 {
		t.Errorf("%v, %v in a folder that is not there", got, err)
	}
	if err := snapshot.Clean(missing); err != nil {
		t.Error(err)
	}
	if _, err := snapshot.List(filepath.Join(dir, "notes.txt")); err == nil {
		t.Error("listed a file")
	}
}
