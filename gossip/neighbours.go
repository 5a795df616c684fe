package gossip

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/libp2p/go-libp2p/core/peer"
)

// neighboursFile is where the difference between the configured neighbours and
// the real ones is kept:
//
//	{"version": 1, "added": ["/ip4/.../tcp/.../p2p/ID", "/p2p/ID"], "removed": ["ID"]}
//
// The difference and not the whole: a neighbour added to the configuration is
// one after the next start, and one removed at run time stays removed.
const (
	neighboursFile    = "peers.json"
	neighboursVersion = 1
	neighboursMaxFile = 1 << 20
	// maxRemoved keeps the file well below neighboursMaxFile.
	maxRemoved = 4096
)

// neighbours is which peers this node has, apart from whether they are connected.
// It is not safe for concurrent use.
type neighbours struct {
	path    string // empty: not kept
	static  map[peer.ID]peer.AddrInfo
	added   map[peer.ID]peer.AddrInfo
	removed map[peer.ID]struct{}
}

// neighboursJSON is the file.
type neighboursJSON struct {
	Version int      `json:"version"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// openNeighbours reads dir's file over the configured peers; the node itself is
// left out.
func openNeighbours(dir string, static []peer.AddrInfo, self peer.ID) (*neighbours, error) {
	n := &neighbours{
		static:  make(map[peer.ID]peer.AddrInfo),
		added:   make(map[peer.ID]peer.AddrInfo),
		removed: make(map[peer.ID]struct{}),
	}
	for _, p := range static {
		if p.ID != self {
			info := n.static[p.ID]
			n.static[p.ID] = peer.AddrInfo{ID: p.ID, Addrs: append(info.Addrs, p.Addrs...)}
		}
	}
	if dir == "" {
		return n, nil
	}
	n.path = filepath.Join(dir, neighboursFile)
	if err := n.load(); err != nil {
		return nil, fmt.Errorf("read %s: %w", n.path, err)
	}
	return n, nil
}

func (n *neighbours) load() error {
	f, err := os.Open(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var file neighboursJSON
	decoder := json.NewDecoder(io.LimitReader(f, neighboursMaxFile))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return err
	}
	if file.Version != neighboursVersion {
		return fmt.Errorf("version %d, this program knows %d", file.Version, neighboursVersion)
	}
	for _, s := range file.Added {
		info, err := peer.AddrInfoFromString(s)
		if err != nil {
			return fmt.Errorf("added peer %q: %w", s, err)
		}
		known := n.added[info.ID]
		n.added[info.ID] = peer.AddrInfo{ID: info.ID, Addrs: append(known.Addrs, info.Addrs...)}
	}
	for _, s := range file.Removed {
		id, err := peer.Decode(s)
		if err != nil {
			return fmt.Errorf("removed peer %q: %w", s, err)
		}
		n.removed[id] = struct{}{}
	}
	return nil
}

// get returns a neighbour with the addresses it has from both lists.
func (n *neighbours) get(id peer.ID) (peer.AddrInfo, bool) {
	if !n.has(id) {
		return peer.AddrInfo{}, false
	}
	addrs := append(slices.Clip(n.static[id].Addrs), n.added[id].Addrs...)
	return peer.AddrInfo{ID: id, Addrs: addrs}, true
}

func (n *neighbours) has(id peer.ID) bool {
	_, isStatic := n.static[id]
	_, isAdded := n.added[id]
	return (isStatic || isAdded) && !n.isRemoved(id)
}

func (n *neighbours) isRemoved(id peer.ID) bool {
	_, gone := n.removed[id]
	return gone
}

// all returns the neighbours sorted by ID.
func (n *neighbours) all() []peer.AddrInfo {
	ids := slices.AppendSeq(slices.Collect(maps.Keys(n.static)), maps.Keys(n.added))
	slices.Sort(ids)
	var list []peer.AddrInfo
	for _, id := range slices.Compact(ids) {
		if info, ok := n.get(id); ok {
			list = append(list, info)
		}
	}
	return list
}

// add makes info a neighbour, in the place of what was added of it before.
func (n *neighbours) add(info peer.AddrInfo) error {
	delete(n.removed, info.ID)
	n.added[info.ID] = peer.AddrInfo{ID: info.ID, Addrs: slices.Clone(info.Addrs)}
	if count := len(n.all()); count > maxNeighbours {
		return fmt.Errorf("%d neighbours, at most %d", count, maxNeighbours)
	}
	return nil
}

// remove takes a peer off the list and remembers that.
func (n *neighbours) remove(id peer.ID) error {
	delete(n.added, id)
	n.removed[id] = struct{}{}
	if len(n.removed) > maxRemoved {
		return fmt.Errorf("%d peers are removed, at most %d", len(n.removed), maxRemoved)
	}
	return nil
}

func (n *neighbours) fork() *neighbours {
	return &neighbours{path: n.path, static: n.static, added: maps.Clone(n.added), removed: maps.Clone(n.removed)}
}

// store writes the file, where there is one.
func (n *neighbours) store() error {
	if n.path == "" {
		return nil
	}
	data, err := n.encode()
	if err != nil {
		return fmt.Errorf("encode %s: %w", n.path, err)
	}
	if err := writeFileAtomic(n.path, data); err != nil {
		return fmt.Errorf("write %s: %w", n.path, err)
	}
	return nil
}

func (n *neighbours) encode() ([]byte, error) {
	file := neighboursJSON{Version: neighboursVersion, Added: []string{}, Removed: []string{}}
	for id, info := range n.added {
		addrs, err := peer.AddrInfoToP2pAddrs(&info)
		if err != nil {
			return nil, err
		}
		if len(addrs) == 0 {
			file.Added = append(file.Added, "/p2p/"+id.String())
		}
		for _, a := range addrs {
			file.Added = append(file.Added, a.String())
		}
	}
	for id := range n.removed {
		file.Removed = append(file.Removed, id.String())
	}
	slices.Sort(file.Added)
	slices.Sort(file.Removed)
	data, err := json.MarshalIndent(file, "", "  ")
	return append(data, '\n'), err
}

// writeFileAtomic replaces path by a whole new file or leaves it: a crash at any
// point leaves the old content or the new.
func writeFileAtomic(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // nothing to remove once renamed
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync() // or the rename itself may be lost
}
