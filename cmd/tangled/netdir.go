package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tangled/genesis"
)

// The files of a network's directory. Each node has a folder of its own beside
// genesisFile, swarmKeyFile and treasuryFile, with keyFile, configFile and
// firstStartFile in it.
const (
	genesisFile  = "genesis.toml"
	swarmKeyFile = "swarm.key"
	treasuryFile = "treasury.key" // only where init was given a supply
	keyFile      = "node.key"
	configFile   = "tangled.toml"
)

// write makes the directory dir of a network, which must not exist or be empty.
// The directory appears whole or not at all: everything is written and synced
// under another name beside it, then renamed.
func (n *network) write(dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := checkEmpty(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, unfinishedPrefix(dir))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temp)
		}
	}()
	if err := n.fill(temp); err != nil {
		return err
	}
	// An empty directory goes first: Go renames onto none. Whatever another
	// process puts there meanwhile makes this or the renaming fail.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: name a directory that does not exist yet", err)
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return syncDir(parent)
}

// unfinishedPrefix begins the names of the folders in which networks for dir are
// written.
func unfinishedPrefix(dir string) string { return "." + filepath.Base(dir) + ".init-" }

// unfinished lists what inits of dir that were killed, or are not done yet, have
// written beside it: keys that no network uses.
func unfinished(dir string) (paths []string, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), unfinishedPrefix(dir)) {
			paths = append(paths, filepath.Join(filepath.Dir(dir), e.Name()))
		}
	}
	return paths, err
}

// checkEmpty refuses a directory with something in it.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return &fs.PathError{Op: "init", Path: dir, Err: errors.New("exists and is not empty")}
	}
	return nil
}

// fill writes all files and syncs them and their folders.
func (n *network) fill(dir string) error {
	text, err := genesis.Format(n.genesis)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, genesisFile), text, 0o644); err != nil {
		return err
	}
	if err := n.swarmKey.WriteFile(filepath.Join(dir, swarmKeyFile)); err != nil {
		return err
	}
	if n.treasury != nil {
		if err := writeFile(filepath.Join(dir, treasuryFile), n.treasury.keyPEM, secretMode); err != nil {
			return err
		}
	}
	for _, m := range n.members {
		if err := m.write(filepath.Join(dir, m.name)); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

func (m *member) write(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, keyFile), m.keyPEM, secretMode); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, configFile), m.config.format(), 0o644); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, firstStartFile), []byte(firstStartText), secretMode); err != nil {
		return err
	}
	return syncDir(dir)
}

// writeFile writes a new file and syncs it.
func writeFile(path string, content []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the entries of a directory durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
