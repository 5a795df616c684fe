package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tangled/message"
	"tangled/storage"
)

// smallStore makes a closed store, the rows of which are in one table: opened for
// the second time, it makes one of its log.
func smallStore(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for range 2 {
		s, err := storage.Open(dir, message.NetworkID{1}, storage.Options{})
		if err == nil {
			err = s.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// change rewrites the newest file in dir of a kind.
func change(t *testing.T, dir, kind string, edit func([]byte) []byte) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, kind))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", kind, found, err)
	}
	path := found[len(found)-1]
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if changed := edit(content); err == nil && changed != nil {
		err = os.WriteFile(path, changed, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedStore: what keeps a store from being opened is told as a damage if it
// is one.
func TestDamagedStore(t *testing.T) {
	gone := func([]byte) []byte { return nil }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	inLine := func(b []byte) []byte { return b[:bytes.LastIndexByte(b, '=')] } // a half may end with a line
	flipped := func(b []byte) []byte { b[0] ^= 1; return b }
	for name, test := range map[string]struct {
		kind, table string
		edit        func([]byte) []byte
	}{
		"table missing":     {"*.sst", "", gone},
		"table cut short":   {"*.sst", "", half},
		"meta unreadable":   {"*.sst", "v", flipped},
		"manifest missing":  {"MANIFEST-*", "", gone},
		"manifest cut":      {"MANIFEST-*", "", half},
		"manifest garbled":  {"MANIFEST-*", "", flipped},
		"options cut short": {"OPTIONS-*", "", inLine},
	} {
		t.Run(name, func(t *testing.T) {
			dir := smallStore(t)
			change(t, dir, test.kind, test.edit)
			_, err := openOffline(io.Discard, nil, dir)
			damaged := new(damagedError)
			if !errors.As(err, &damaged) {
				t.Fatalf("error %v, want a damage", err)
			}
			var out strings.Builder
			report := newUnopenable(damaged)
			if err := report.show(&out, false); err == nil || err.Error() != "the store is damaged: 1 damage" {
				t.Errorf("error %v", err)
			}
			if d := report.Damages[0]; d.Table != test.table || d.Error == "" || !strings.Contains(out.String(), "TABLE  KEY") {
				t.Errorf("damage %+v in\n%s", d, &out)
			}
		})
	}
}

// TestStoreNotDamaged: other reasons not to open a store say nothing against it.
func TestStoreNotDamaged(t *testing.T) {
	dir := smallStore(t)
	s, err := openOffline(io.Discard, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	damaged := new(damagedError)
	if _, err := openOffline(io.Discard, nil, dir); !isLocked(err) || errors.As(err, &damaged) {
		t.Errorf("in use: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = openStore(dir, message.NetworkID{2}, slog.New(slog.DiscardHandler))
	if other := new(storage.NetworkError); !errors.As(err, &other) || errors.As(err, &damaged) {
		t.Errorf("of another network: %v", err)
	}
	if _, err := openOffline(io.Discard, nil, t.TempDir()); exitCode(err, true) != exitNotFound {
		t.Errorf("no store: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "LOCK"), filepath.Join(dir, "unlocked")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "LOCK"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openOffline(io.Discard, nil, dir); err == nil || errors.As(err, &damaged) {
		t.Errorf("the system refuses: %v", err)
	}
}

// TestTextLoggerTakesTheTextOfErrors: not what they print for a developer.
func TestTextLoggerTakesTheTextOfErrors(t *testing.T) {
	dir := smallStore(t)
	change(t, dir, "*.sst", func(b []byte) []byte { b[0] ^= 1; return b })
	var logs strings.Builder
	openOffline(&logs, nil, dir) // it is damaged
	if text := logs.String(); !strings.Contains(text, "checksum mismatch") || strings.Contains(text, "stack trace") {
		t.Errorf("logged %q", text)
	}
}
