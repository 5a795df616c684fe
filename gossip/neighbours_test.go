package gossip

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
)

func TestNeighboursFile(t *testing.T) {
	n := newTestNetwork(t)
	dir := t.TempDir()
	static := []peer.AddrInfo{n.info(1), n.info(2), n.info(0)}
	open := func() *neighbours {
		t.Helper()
		list, err := openNeighbours(dir, static, testID(t, 0))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	ids := func(list *neighbours) []peer.ID {
		var ids []peer.ID
		for _, info := range list.all() {
			ids = append(ids, info.ID)
		}
		return ids
	}
	sorted := func(want ...peer.ID) []peer.ID { slices.Sort(want); return want }

	list := open()
	if got := ids(list); !slices.Equal(got, sorted(testID(t, 1), testID(t, 2))) {
		t.Fatalf("at first: %v; the node itself is none", got)
	}
	bare := peer.AddrInfo{ID: testID(t, 4)}
	if err := list.add(n.info(3)); err != nil {
		t.Fatal(err)
	}
	if err := list.add(bare); err != nil {
		t.Fatal(err)
	}
	if err := list.remove(testID(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := list.store(); err != nil {
		t.Fatal(err)
	}
	list = open()
	if got := ids(list); !slices.Equal(got, sorted(testID(t, 2), testID(t, 3), testID(t, 4))) {
		t.Fatalf("after a restart: %v", got)
	}
	if info, _ := list.get(testID(t, 3)); len(info.Addrs) != 1 || !info.Addrs[0].Equal(n.info(3).Addrs[0]) {
		t.Errorf("the added peer's addresses are %v", info.Addrs)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != neighboursFile {
		t.Errorf("the directory holds %v, %v; want the file alone", entries, err)
	}
}

// Files that are not ours, damaged or newer stop the start and name themselves:
// going on would let a removed peer in.
func TestNeighboursFileRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"torn":          `{"version": 1, "added": ["/p2p/`,
		"newer":         `{"version": 2}`,
		"unknown field": `{"version": 1, "banned": []}`,
		"bad address":   `{"version": 1, "added": ["/ip4/1.2.3.4/tcp/1"]}`,
		"bad ID":        `{"version": 1, "removed": ["nobody"]}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, neighboursFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openNeighbours(dir, nil, ""); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
}

// What cannot be kept does not happen.
func TestNeighboursKeepFails(t *testing.T) {
	n := newTestNetwork(t)
	list, err := openNeighbours(filepath.Join(t.TempDir(), "missing"), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	table := &peerTable{neighbours: list}
	if err := table.edit(func(l *neighbours) error { return l.add(n.info(1)) }); err == nil {
		t.Fatal("added without a directory to keep it in")
	}
	if len(table.neighbourList()) != 0 {
		t.Error("a peer that was not kept is a neighbour")
	}
}
