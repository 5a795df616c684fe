package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "net")
	p := testPlan(3)
	p.Supply = 5
	n, err := p.build()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.write(dir); err != nil {
		t.Fatal(err)
	}
	for _, m := range n.members {
		path := filepath.Join(dir, m.name, configFile)
		c, err := loadConfig(path, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		files, err := c.readSecrets()
		if err != nil {
			t.Fatal(err)
		}
		id, err := peerIDOf(files.key)
		if err != nil || id != m.id {
			t.Errorf("%s: peer %v, %v, want %v", m.name, id, err, m.id)
		}
		if files.genesis.Hash() != n.genesis.Hash() || files.swarmKey != n.swarmKey {
			t.Errorf("%s: other genesis or swarm key than made", m.name)
		}
	}
	for _, secret := range []string{"swarm.key", "treasury.key", "node1/node.key", "node1/first-start", "node3/first-start"} {
		info, err := os.Stat(filepath.Join(dir, secret))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", secret, info.Mode(), err)
		}
	}
	if err := n.write(dir); err == nil {
		t.Error("wrote over a network")
	}
}

func TestWriteIntoEmpty(t *testing.T) {
	dir := t.TempDir()
	n, err := testPlan(1).build()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, genesisFile)); err != nil {
		t.Error(err)
	}
}

// A network that cannot be written to the end leaves nothing behind, whichever
// node the trouble is with.
func TestWriteAllOrNothing(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "net")
	for i := 1; i < 3; i++ {
		n, err := testPlan(3).build()
		if err != nil {
			t.Fatal(err)
		}
		n.members[i].name = "node1"
		if i == 1 {
			n.members[i].name = swarmKeyFile
		}
		if err := n.write(dir); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("got %v, want that a folder exists", err)
		}
		entries, err := os.ReadDir(parent)
		if err != nil || len(entries) > 0 {
			t.Errorf("left behind: %v, %v", entries, err)
		}
	}
}

func TestSecretsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	n, err := testPlan(1).build()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.write(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "node1", configFile)
	for file, key := range map[string]string{"node1/node.key": "key", "swarm.key": "swarm_key"} {
		secret := filepath.Join(dir, file)
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602} {
			if err := os.Chmod(secret, mode); err != nil {
				t.Fatal(err)
			}
			c, err := loadConfig(path, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.readSecrets()
			if err == nil || !strings.Contains(err.Error(), "chmod 600") || !strings.HasPrefix(err.Error(), c.origins[key]+": "+key) {
				t.Errorf("%s with mode %#o: got %v, want its line and what to do", file, mode, err)
			}
		}
		if err := os.Chmod(secret, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
